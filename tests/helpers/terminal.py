"""A program on a pseudo-terminal: what it shows there, on its standard output or error or both."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

SECONDS = 120
COLOURS = "\x1b["


def shown(
    words: Sequence[str],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    columns: int = 100,
    rows: int = 50,
    streams: str = "both",
) -> tuple[int, str]:
    """Return the exit code of ``words``, and what they print on a terminal of that size.

    ``streams``: "both", "out" or "err", the terminal's; the other one goes nowhere.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(
        words,
        cwd=folder,
        env=dict(environment) if environment is not None else None,
        stdin=nowhere,
        stdout=nowhere if streams == "err" else theirs,
        stderr=nowhere if streams == "out" else theirs,
        close_fds=True,
    )
    os.close(theirs)
    guard = threading.Timer(SECONDS, process.kill)
    guard.start()
    pieces = []
    try:
        while piece := _read(ours):
            pieces.append(piece)
    finally:
        os.close(ours)
        code = process.wait()
        guard.cancel()
    return code, b"".join(pieces).decode(errors="replace")


def _read(ours: int) -> bytes:
    try:
        return os.read(ours, 65536)
    except OSError:  # Linux's way to say that the other side is closed
        return b""
