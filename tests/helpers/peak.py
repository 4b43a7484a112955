"""What a model really takes: measured in a process of its own, from Linux's /proc."""

import json
import subprocess
import sys
from pathlib import Path

# Another model has been run before, so that the library's own memory does not count: what the process takes at
# most while the model is loaded and run once, beyond what it took before.
ASK = """
import gc, json, sys
from mlserverless.engines import litert
def status(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))
def run(data):
    interpreter = litert.engine().load(data, 1)
    interpreter.run(bytes(interpreter.inputs[0].bytes))
    return interpreter
first, data = (open(path, "rb").read() for path in sys.argv[1:])
run(first)
gc.collect()
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
before = status("VmRSS")
kept = run(data)
print(json.dumps(status("VmHWM") - before))
"""


def taken(model: Path, first: Path) -> int:
    """Return the bytes that LiteRT's C interface takes for ``model``, having run the model ``first`` before."""
    words = [sys.executable, "-c", ASK, str(first), str(model)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return int(json.loads(done.stdout.splitlines()[-1]))
