"""A process that prepares images and measures each; one that dies is named and replaced.

The parent writes a line of JSON and the image's bytes, the child answers with a line of JSON.
"""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

TESTS = Path(__file__).resolve().parents[1]
SECONDS = 60  # until a call counts as hung
OPTIONS: dict[str, Any] = {"resize": "bilinear", "fit": "crop", "background": "white", "decode": "fast"}
SIZE = (224, 224)


class Outcome(NamedTuple):
    """What became of one image: "decoded", a problem code, "unmapped: …", "crash: …"."""

    said: str
    seconds: float = 0.0
    bytes: int = 0


class Worker:
    """One child process, started when it is first asked. ``warnings`` is what ``-W`` takes."""

    def __init__(self, warnings: str) -> None:
        self.warnings = warnings
        self.child: subprocess.Popen[bytes] | None = None

    def prepare(self, data: bytes, formats: tuple[str, ...], times: int = 1) -> Outcome:
        """Open and prepare ``data``; the best of ``times``."""
        if self.child is None:
            command = [sys.executable, "-W", self.warnings, "-m", "security.worker"]
            self.child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": str(TESTS)},
            )
        assert self.child.stdin
        assert self.child.stdout
        head = json.dumps({"bytes": len(data), "formats": formats, "times": times})
        try:
            self.child.stdin.write(head.encode() + b"\n" + data)
            self.child.stdin.flush()
            ready = select.select([self.child.stdout], [], [], SECONDS * times)[0]
            line = self.child.stdout.readline() if ready else b"hung"
        except OSError:
            line = b""
        if line.endswith(b"\n"):
            return Outcome(*json.loads(line))
        code = self.close()
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return Outcome(f"crash: {'hung' if line else name}", SECONDS * times if line else 0)

    def close(self) -> int:
        """Let the child end, or end it where it hangs; return its exit code."""
        child, self.child = self.child, None
        if child is None:
            return 0
        assert child.stdin
        assert child.stdout
        try:
            child.stdin.close()
            child.wait(5)
        except (OSError, subprocess.TimeoutExpired):
            child.kill()
        child.stdout.close()
        return child.wait()


def main() -> None:
    """Answer until the parent closes the pipe."""
    import ctypes

    from PIL import Image

    from mlserverless.formats import PLUGINS
    from security.memory import Cost, cost, unmeasurable

    out = os.fdopen(os.dup(1), "w")
    trim = getattr(ctypes.CDLL(None), "malloc_trim", lambda _: 0)  # glibc's; what was freed is not in the baseline
    for module, _ in PLUGINS.values():
        __import__(f"PIL.{module}")
    attempt(_encoded(Image.new("RGB", (300, 300))), ("png",))
    measured = not unmeasurable()
    while head := sys.stdin.buffer.readline():
        given = json.loads(head)
        data = sys.stdin.buffer.read(given["bytes"])
        costs: list[Cost] = []
        for _ in range(given["times"]):
            trim(0)
            said, spent = cost(lambda: attempt(data, tuple(given["formats"])), memory=measured)  # noqa: B023
            costs.append(spent)
        print(json.dumps([said, min(c.seconds for c in costs), min(c.bytes for c in costs)]), file=out, flush=True)


def _encoded(image: Any) -> bytes:
    from io import BytesIO

    image.save(out := BytesIO(), "PNG")
    return out.getvalue()


def attempt(data: bytes, formats: tuple[str, ...]) -> str:
    """Open and prepare ``data`` as the function does, and return what became of it."""
    from mlserverless.errors import MlserverlessError
    from mlserverless.formats import open_image
    from mlserverless.prepare import prepare_image

    try:
        image = prepare_image(open_image(data, formats=formats), SIZE, **OPTIONS)
    except MlserverlessError as error:
        return error.code
    except Exception as error:  # noqa: BLE001 - this is what is counted
        return f"unmapped: {error!r}"[:300]
    return "decoded" if (image.mode, image.size) == ("RGB", SIZE) else f"unmapped: {image.mode} {image.size}"


if __name__ == "__main__":
    main()
