"""Stand-ins for the providers' command lines, which need accounts: they write down what they are asked."""

import json
import os
import sys
from pathlib import Path

import pytest

SCRIPT = """\
#!{python} -S
import json, os, sys
with open({log!r}, "a+") as log:
    log.seek(0)
    number = len(log.readlines()) + 1
    log.write(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]) + "\\n")
print(os.path.basename(sys.argv[0]), "says", *sys.argv[1:2], flush=True)
print(os.path.basename(sys.argv[0]), "warns", file=sys.stderr, flush=True)
sys.exit({code} if number == {fails_at} else 0)
"""


class Tools:
    """A ``folder`` of stand-ins, which is the whole PATH; ``asked`` is what they were asked, word by word."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder.mkdir()
        self.folder, self._log = folder, folder / ".asked"
        monkeypatch.setenv("PATH", str(folder))

    def put(self, name: str, *, fails_at: int = 0, code: int = 1) -> None:
        """Put a tool of that name there; the call ``fails_at``, counted from 1 over all, ends with ``code``."""
        path = self.folder / name
        path.write_text(SCRIPT.format(python=sys.executable, log=str(self._log), code=code, fails_at=fails_at))
        os.chmod(path, 0o755)

    @property
    def asked(self) -> list[list[str]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()] if self._log.exists() else []
