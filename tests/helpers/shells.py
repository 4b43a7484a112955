"""What a real shell completes, once it has read the script that `mlserverless completion` prints."""

import os
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent


def script(shell: str) -> str:
    """Return what `mlserverless completion` prints for ``shell``."""
    done = subprocess.run(
        [BIN / "mlserverless", "completion", shell], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def in_bash(line: str) -> list[str]:
    """Return what bash fills COMPREPLY with for the last word of ``line``, once it has read the script."""
    words = line.split(" ")
    code = f"""
source /dev/stdin
COMP_WORDS=({" ".join(words)})
COMP_CWORD={len(words) - 1}
COMP_LINE="{line}"
COMP_POINT={len(line)}
compopt() {{ :; }}
function=$(complete -p mlserverless | sed -E 's/.* -F ([^ ]+) .*/\\1/')
$function mlserverless
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    environment = {"PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", code],
        input=script("bash"),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.split()
