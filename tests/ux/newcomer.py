"""As a new user would: an empty folder, a new environment, and the tutorial's page, typed line by line.

Two things differ from what the page says: where the checkout is, and the port, which may be taken. The shortened
form builds the wheel with what is installed instead of as the page says, and follows one cloud.
"""

import base64
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from helpers import pages
from helpers.figures import Figure, Scale, skip
from mlserverless.local.process import free_port

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/tutorials/ten-minutes.md"
MINUTES = 10
SHORT = "any container"
SECONDS = 300  # for one command
BEGINS = 90  # seconds that one in the background may take to say what the page shows
MARK = "\x1e"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
SAVED = re.compile(r"Save this as `([\w.]+)`:\n\n```python\n(.*?)```", re.S)
BUILT = re.compile(r"\$ pip install --quiet build\n\$ python -m build .*?-any\.whl", re.S)
ROW = re.compile(r"^\| ([^|]+?)(?:, with Python ([\d.]+))? \| (\w+) \| (\w+) \| ([\w-]+) \|$", re.M)


class Cloud(NamedTuple):
    """A row of the page's table: the cloud, the Python that it needs, and the words that are typed for it."""

    name: str
    python: str
    words: str


def measure(scale: Scale) -> list[Figure]:
    """Follow the page on each cloud of its table."""
    text = PAGE.read_text(encoding="utf-8")
    found = [
        Cloud(name, python, f"CLOUD={cloud} RUNTIME={runtime} EXTRA={extra}")
        for name, python, cloud, runtime, extra in ROW.findall(text)
    ]
    return [_figure(text, cloud, scale) for cloud in found if not scale.short or cloud.name == SHORT]


def _figure(text: str, cloud: Cloud, scale: Scale) -> Figure:
    name = f"the tutorial from an empty folder: {cloud.name}"
    bar = f"every line as the page shows it, ≤ {MINUTES} min"
    python = _python(cloud.python)
    if not python:
        return skip(name, bar, f"no Python {cloud.python} with its venv module was found")
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as dist:
        page = _page(text, cloud, _wheel(Path(dist)) if scale.short else None)
        wrong, lines, commands = _followed(page, Path(folder), python)
    minutes = (time.monotonic() - start) / 60
    measured = f"{commands} commands, {lines - len(wrong)} of {lines} lines; {minutes:.1f} min"
    details = {"wrong": wrong, "minutes": round(minutes, 2), "python": python}
    return Figure(name, bar, measured, not wrong and lines > 0 and minutes <= MINUTES, details)


def _python(version: str) -> str | None:
    """Return a Python of ``version``, or any that will do; itself, not a script that chooses one by its name."""
    if not version:
        return sys.executable
    homes = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(f"versions/{version}.*/bin/python")
    for found in filter(None, (shutil.which(f"python{version}"), *map(str, sorted(homes)))):
        asked = [found, "-c", "import ensurepip, sys; print(sys.executable)"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.strip()
    return None


def _page(text: str, cloud: Cloud, wheel: Path | None) -> str:
    """Return the page with the cloud's words, this checkout, a free port, and the ``wheel`` where there is one."""
    text = text.replace("CLOUD=aws RUNTIME=aws EXTRA=aws", cloud.words)
    if wheel:
        text = BUILT.sub(f"$ cp {wheel} .", text)
    text = SAVED.sub(_saved, text)
    return text.replace("~/mlserverless", str(ROOT)).replace("8080", str(free_port("127.0.0.1")))


def _wheel(folder: Path) -> Path:
    """Build the wheel with what is installed here."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def _saved(found: re.Match[str]) -> str:
    """Return a command that saves a block of Python as the page tells to."""
    held = base64.b64encode(found[2].encode()).decode()
    return f"\n\n```console\n$ echo {held} | base64 --decode > {found[1]}\n```"


def _followed(text: str, folder: Path, python: str) -> tuple[list[str], int, int]:
    """Type the page's commands; return what was not as it shows, how many lines it shows, how many commands."""
    wrong: list[str] = []
    todo = pages.commands(text)
    (folder / "bin").mkdir()
    (folder / "bin/python3").symlink_to(python)
    shell = Shell(folder)
    try:
        for count, one in enumerate(todo):
            printed, code = shell.type(one.text, one.shown)
            missing = [line for line in one.shown if line.strip("… ") and not _seen(line, printed)]
            wrong += [f"{one.text}: no {line!r} in {printed[-800:]!r}" for line in missing]
            if code != one.code:
                wrong.append(f"{one.text}: ended with {code}: {printed[-800:]!r} {shell.errors()[-3000:]!r}")
                return wrong, sum(len(each.shown) for each in todo), count + 1
    finally:
        shell.close()
    return wrong, sum(len(one.shown) for one in todo), len(todo)


def _seen(shown: str, printed: str) -> bool:
    """Tell whether a line that the page shows was printed; "…" stands for anything."""
    wanted = re.compile(".*".join(map(re.escape, re.split("…", shown.rstrip()))))
    return any(wanted.fullmatch(line.rstrip()) for line in printed.splitlines())


class Shell:
    """A shell whose output is a terminal, in an environment without anything of this package's."""

    def __init__(self, folder: Path) -> None:
        self._errors = open(folder / ".errors", "w+")  # noqa: SIM115 - closed with the shell
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("MLSERVERLESS", "PYTHON"))
        }
        kept.pop("VIRTUAL_ENV", None)
        path = os.pathsep.join((str(folder / "bin"), "/usr/local/bin", "/usr/bin", "/bin"))
        self._end, terminal = pty.openpty()
        self._process = subprocess.Popen(
            ["bash", "--norc", "-m"],
            cwd=folder,
            env={**kept, "PATH": path, "COLUMNS": "100", "TERM": "xterm", "PS1": "", "PS2": ""},
            stdin=subprocess.PIPE,
            stdout=terminal,
            stderr=self._errors,
            text=True,
            start_new_session=True,
        )
        os.close(terminal)

    def type(self, text: str, shown: tuple[str, ...]) -> tuple[str, int]:
        """Type a command; return what it printed and its exit code. One in the background is waited for to say
        what the page shows."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\nprintf '{MARK}%s{MARK}' $?\n")
        self._process.stdin.flush()
        printed, until = "", time.monotonic() + (BEGINS if text.endswith("&") else SECONDS)
        while time.monotonic() < until:
            if printed.count(MARK) >= 2 and (
                not text.endswith("&") or all(_seen(one, _clean(printed)) for one in shown)
            ):
                break
            if select.select([self._end], [], [], 0.2)[0]:
                try:
                    printed += os.read(self._end, 65_536).decode(errors="replace")
                except OSError:  # the shell is gone
                    break
            elif self._process.poll() is not None:
                break
        code = re.search(f"{MARK}(\\d+){MARK}", printed)
        return _clean(printed), int(code[1]) if code else -1

    def errors(self) -> str:
        """Return what was written to the error output so far."""
        self._errors.seek(0)
        return self._errors.read()

    def close(self) -> None:
        """End the shell and what it left in the background."""
        assert self._process.stdin is not None
        self._process.stdin.write("kill $(jobs -p) 2> /dev/null; exit\n")
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._end)
        self._errors.close()


def _clean(printed: str) -> str:
    return re.sub(f"{MARK}\\d+{MARK}", "\n", ESCAPES.sub("", printed))
