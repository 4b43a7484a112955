"""Ask again, warm, whenever it is told to, and tell how long that took. Imported after the first answer only."""

import json
import sys
import time
from collections.abc import Callable


def again(answer: Callable[[], int], first: int) -> None:
    """Call ``answer`` as often as each line of stdin says; for each line print one of JSON.

    It has the milliseconds of each call, which downloads, decodes and predicts, and the CPU seconds of all. Ends
    the process where one gives another class than ``first``.
    """
    for line in sys.stdin:
        took, cpu = list[float](), time.process_time()
        for _ in range(int(line)):
            begun = time.perf_counter()
            found = answer()
            took.append(1000 * (time.perf_counter() - begun))
            if found != first:
                raise SystemExit(f"the answer was {first} first, and {found} later")
        print(json.dumps({"ms": took, "cpu_s": time.process_time() - cpu}), flush=True)
