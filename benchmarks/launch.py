"""Start commands and time them, from a process so small that a child's peak memory is its own.

Linux hands a parent's peak memory down through fork and exec, so a large parent would be measured instead of a
small child. Reads one JSON object a line, {"argv", "env", "cwd"}; answers one a line. Run it with ``-I -S``.
"""

import json
import os
import sys
import time

MOST = 1 << 20  # bytes of output that are kept


def once(argv: list[str], env: dict[str, str], cwd: str) -> dict[str, object]:
    """Run ``argv``; return the seconds to its first line and to its end, its CPU seconds and its peak memory."""
    out_read, out_write = os.pipe()
    err = os.memfd_create("stderr")
    os.chdir(cwd)
    begun = time.perf_counter()
    pid = os.posix_spawn(
        argv[0],
        argv,
        env,
        file_actions=[(os.POSIX_SPAWN_DUP2, out_write, 1), (os.POSIX_SPAWN_DUP2, err, 2)],
    )
    os.close(out_write)
    said, answered = b"", 0.0
    while piece := os.read(out_read, 65536):
        said = (said + piece)[-MOST:]
        if not answered and b"\n" in piece:
            answered = time.perf_counter() - begun
    _, status, used = os.wait4(pid, 0)
    ended = time.perf_counter() - begun
    os.close(out_read)
    os.lseek(err, 0, os.SEEK_SET)
    told = os.read(err, MOST)
    os.close(err)
    return {
        "wall": answered or ended,
        "ended": ended,
        "cpu": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024,
        "code": os.waitstatus_to_exitcode(status),
        "said": said.decode("utf-8", "replace"),
        "told": told.decode("utf-8", "replace"),
    }


for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps(once(asked["argv"], asked["env"], asked["cwd"])), flush=True)
