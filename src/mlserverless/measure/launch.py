"""Run by its path with ``python -I -S``: join control groups, read the clocks, become the command.

What is measured begins at its ``exec``. The process that asks for it is large, so a peak of memory or a fork's
cost that a child inherits would be that one's; this one is a bare interpreter, and ``exec`` leaves nothing of it.
"""

import os
import sys
import time


def main(arguments: list[str]) -> None:
    """Become the command in ``arguments``: the groups' folders, the number of cores, the command's own words.

    The folders have ``os.pathsep`` between them; 0 cores are all. The command gets two words more: the CPU
    seconds spent so far and the clock (``perf_counter``, which counts from the same moment in every process).
    """
    groups, cores, *command = arguments
    for folder in filter(None, groups.split(os.pathsep)):
        with open(os.path.join(folder, "cgroup.procs"), "w") as file:
            file.write("0")  # this process
    if int(cores) and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(cores)])
    os.execv(command[0], [*command, repr(time.process_time()), repr(time.perf_counter())])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
