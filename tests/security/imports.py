"""What importing the download stage costs, and that it is the standard library alone."""

import json
import os
import statistics
import subprocess
import sys
import time

from helpers.figures import Figure, Scale

BAR_MS = 50.0
STAGE = "import mlserverless.download, mlserverless.net.client"
NAMES = f"{STAGE}; import json, sys; print(json.dumps(sorted(set(sys.modules))))"


def measure(scale: Scale) -> list[Figure]:
    """Return the import's cost over a bare interpreter's start, in pairs of fresh processes, and its packages."""
    # With bytecode, as a deployed function has it: the first run writes what is missing.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def seconds(code: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], env=environment, check=True)
        return time.perf_counter() - start

    seconds(STAGE)
    spent = [1000 * (seconds(STAGE) - seconds("pass")) for _ in range(scale.of(31, 11))]
    bare, here = (
        set(json.loads(subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True).stdout))
        for code in (NAMES.removeprefix(f"{STAGE}; "), NAMES)
    )
    foreign = {name.partition(".")[0] for name in here - bare} - sys.stdlib_module_names - {"mlserverless"}
    median = statistics.median(spent)
    told = f"{median:.0f} ms ({min(spent):.0f} to {max(spent):.0f}), {', '.join(sorted(foreign)) or 'none'}"
    details = {"milliseconds": spent, "foreign": sorted(foreign)}
    held = median <= BAR_MS and not foreign
    return [Figure("import of the download stage; packages beyond Python's", "≤ 50 ms, none", told, held, details)]
