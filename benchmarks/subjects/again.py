"""Ask again, warm, and tell how long each request took. Imported after the first answer only."""

import json
import time
from collections.abc import Callable


def again(answer: Callable[[], int], first: int, times: int) -> None:
    """Call ``answer`` ``times`` times; print one JSON line: the milliseconds of each, the CPU seconds of all.

    Each call downloads, decodes and predicts. Ends the process where one gives another class than ``first``.
    """
    took = []
    cpu = time.process_time()
    for _ in range(times):
        begun = time.perf_counter()
        found = answer()
        took.append(1000 * (time.perf_counter() - begun))
        if found != first:
            raise SystemExit(f"the answer was {first} first, and {found} later")
    print(json.dumps({"ms": took, "cpu_s": time.process_time() - cpu}), flush=True)
