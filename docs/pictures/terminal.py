"""Draw docs/pictures/terminal.svg: a session on the command line, really run on a pseudo-terminal.

Usage: python docs/pictures/terminal.py     (a test runs the quick commands again, and looks for every line)
"""
# ruff: noqa: S314, S603 - the commands are those below, and the picture is ours

import fcntl
import io
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

PICTURE = Path(__file__).with_name("terminal.svg")
PHOTO = Path(__file__).parents[2] / "examples/photos/coffee.png"
BIN = Path(sys.executable).parent
COLUMNS, ROWS = 96, 50
PORT = 8080  # as shown; any free one is taken
SERVE = "mlserverless serve --on aws &"
POST = """curl -s 'http://127.0.0.1:8080/predict?top_k=1' -H 'Content-Type: image/png' \\
    --data-binary @coffee.png | python -m json.tool"""
BUILD = "mlserverless build aws --no-stores | tail -2"
QUICK = ("mlserverless predict coffee.png --top-k 3", SERVE, POST)
COMMANDS = (*QUICK, BUILD)
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
BLACK, WHITE, GREEN, GREY = (22, 27, 34), (230, 237, 243), (86, 211, 100), (139, 148, 158)
COLOURS = [BLACK, (255, 123, 114), GREEN, (227, 179, 65), (121, 192, 255), (210, 168, 255), (86, 212, 221), WHITE]
THEME = TerminalTheme(BLACK, WHITE, COLOURS, [GREY, *COLOURS[1:]])


def record(commands: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return each of ``commands`` with what it shows on a terminal, in a folder with a photo and nothing else."""
    told: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(PHOTO, folder)
        server = None
        try:
            for command in commands:
                if command == SERVE:
                    server, url, shown = _serving(folder)
                else:
                    real = command.replace(f"http://127.0.0.1:{PORT}", url) if server else command
                    shown = _shown(["bash", "-c", real], folder)
                told.append((command, shown.replace(f"{folder}/", "")))
        finally:
            if server:
                server.terminate()
                server.communicate()
    return told


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLSERVERLESS")}
    more = {"PATH": f"{BIN}:{os.environ['PATH']}", "TERM": "xterm", "COLUMNS": str(COLUMNS)}
    return {name: value for name, value in kept.items() if name not in ("NO_COLOR", "FORCE_COLOR")} | more


def _shown(words: list[str], folder: str) -> str:
    """Return what ``words`` print on a terminal; what moves on its standard error is not kept."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = subprocess.Popen(
        words, cwd=folder, env=_environment(), stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.DEVNULL
    )
    os.close(theirs)
    pieces = []
    try:
        while piece := os.read(ours, 65536):
            pieces.append(piece)
    except OSError:  # Linux's way to say that the other side is closed
        pass
    os.close(ours)
    if process.wait():
        raise SystemExit(f"{words[-1]} ended with {process.returncode}: {b''.join(pieces).decode()}")
    return b"".join(pieces).decode().replace("\r\n", "\n")


def _serving(folder: str) -> tuple["subprocess.Popen[str]", str, str]:
    """Return the server, its URL, and the first line that it prints, as if it had the usual port."""
    words = [str(BIN / "mlserverless"), "serve", "--on", "aws", "--port", "0"]
    process = subprocess.Popen(
        words, cwd=folder, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    url = re.search(r"http://[\d.:]+", line)
    assert url, line
    return process, url[0], line.replace(url[0], f"http://127.0.0.1:{PORT}")


def draw(told: list[tuple[str, str]]) -> str:
    """Return the session as an SVG that needs nothing from elsewhere."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for number, (command, shown) in enumerate(told):
        if number:
            console.print()
        prompt = Text.assemble(("$ ", "bold green"), (command, "bold"))
        console.print(prompt, soft_wrap=False, highlight=False)
        for line in shown.rstrip("\n").split("\n"):
            console.print(Text.from_ansi(line.rstrip()), highlight=False)
    svg = console.export_svg(title="mlserverless", theme=THEME, unique_id="session", font_aspect_ratio=0.61)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.S)
    svg = re.sub(r"font-family: [^;]+;", f"font-family: {FONT};", svg)
    svg = re.sub(r"<!-- Generated.*?-->\s*", "", svg)
    return re.sub(r"[ \t]+$", "", svg, flags=re.M)


def lines(svg: str) -> list[str]:
    """Return the picture's lines of text, with single blanks."""
    rows: dict[float, list[tuple[float, str]]] = {}
    for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):
        if "y" in element.attrib and "clip-path" in element.attrib:
            text = "".join(element.itertext())
            rows.setdefault(float(element.attrib["y"]), []).append((float(element.attrib["x"]), text))
    joined = ("".join(text for _, text in sorted(row)) for _, row in sorted(rows.items()))
    return [" ".join(line.replace("\xa0", " ").split()) for line in joined if line.strip()]


if __name__ == "__main__":
    PICTURE.write_text(draw(record(COMMANDS)), encoding="utf-8")
