"""Python code run in a process of its own, with a clean environment and warnings as errors."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
SECONDS = 60


def run(code: str, folder: Path, **environment: str) -> Any:
    """Run ``code`` in ``folder`` and return what its last line of output says in JSON; it must end with 0."""
    kept = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


# Prints what ``answer`` holds and which of the costly packages were imported.
TELL = """
import json, sys
heavy = [name for name in ("numpy", "tflite_runtime", "tensorflow", "boto3", "obstore") if name in sys.modules]
print(json.dumps({"answer": answer, "heavy": heavy}))
"""
