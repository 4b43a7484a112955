"""The recorded session of docs/pictures/terminal.svg, run again: are its lines still what is printed?"""

import re
import runpy
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def differences(*, whole: bool = False) -> list[str]:
    """Return the picture's lines that are not printed today; ``whole``: the build's, too, which takes a minute."""
    session: dict[str, Any] = runpy.run_path(str(ROOT / "docs/pictures/terminal.py"))
    recorded = session["lines"]((ROOT / "docs/pictures/terminal.svg").read_text(encoding="utf-8"))
    told = session["record"](session["COMMANDS"] if whole else session["QUICK"])
    today = session["lines"](session["draw"](told))
    if not whole:
        recorded = recorded[: recorded.index(f"$ {session['BUILD']}")]
    known, found = ({_alike(line) for line in lines} for lines in (recorded, today))
    return [f"- {line}" for line in sorted(known - found)] + [f"+ {line}" for line in sorted(found - known)]


def _alike(line: str) -> str:
    """Return a line without what a build's figures are: they vary a little with every change."""
    return re.sub(r"[\d.]+ MB|\d+ golden", "…", line)
