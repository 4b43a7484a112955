"""Origins that attack or break off, on 127.0.0.1, through the product's own ``download``.

The short form runs the table (``helpers/hostile.py``) many cases at a time; the full form runs few at a time, and
what can be said over TLS a second time over TLS.
"""

import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from helpers import hostile
from helpers.figures import Figure, Scale
from helpers.hostile import Case, Sequence, Told
from helpers.origin import response, serving
from mlserverless.config import Settings
from mlserverless.net import connection, dial, pool
from mlserverless.net.addresses import is_public

NAME, BAR = "hostile-origin cases", "≥ 50 of 50, none past deadline + 1 s"
LEAST = 50
Checked = tuple[str, float, list[str]]  # the case's name, the seconds past its deadline, what is wrong


def measure(scale: Scale) -> list[Figure]:
    """Run every case and every sequence; one that is told wrongly or late is a fault."""
    with only_here():
        found = _all(check, hostile.CASES, scale.of(4, 16))
        # A few at a time: the pool keeps eight connections over all origins, and each sequence needs its own.
        found += _all(check_sequence, hostile.SEQUENCES, 4)
        if not scale.short:
            found += _over_tls()
        pool.clear()
    faults = {name: wrong for name, _, wrong in found if wrong}
    late = max(seconds for _, seconds, _ in found)
    said = f"{len(found) - len(faults)} of {len(found)}, the latest {late:+.2f} s from its deadline"
    held = not faults and len(found) >= LEAST
    return [Figure(NAME, BAR, said, held, {"cases": len(found), "late": round(late, 3), "faults": faults})]


@contextmanager
def only_here() -> Iterator[None]:
    """Refuse every connection that leaves 127.0.0.1, which counts as public where private addresses are not."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if address[0] != "127.0.0.1":
            raise AssertionError(f"a hostile origin led to {address}")
        connect(self, address)

    with (
        patch.object(socket.socket, "connect", guarded),
        patch.object(dial, "is_public", lambda text: text == "127.0.0.1" or is_public(text)),
    ):
        yield


def _all(run: Callable[[Any], Checked], cases: list[Any], at_once: int) -> list[Checked]:
    with ThreadPoolExecutor(at_once) as threads:
        return list(threads.map(run, cases))


def check(case: Case) -> Checked:
    """Run one case."""
    return _checked(case, lambda: hostile.run(case))


def check_sequence(sequence: Sequence) -> Checked:
    """Run one sequence of requests."""
    try:
        told, opened = hostile.run_sequence(sequence)
    except Exception as error:  # noqa: BLE001 - what is no problem of ours is the worst fault
        return f"kept: {sequence.name}", 0.0, [repr(error)]
    late = max(one.seconds for one in told) - hostile.limit(sequence)
    return f"kept: {sequence.name}", late, hostile.sequence_faults(sequence, told, opened)


def _checked(case: Case, run: Callable[[], Told]) -> Checked:
    try:
        told = run()
    except Exception as error:  # noqa: BLE001 - as above
        return case.name, 0.0, [repr(error)]
    return case.name, told.seconds - hostile.limit(case), hostile.faults(case, told)


def _over_tls() -> list[Checked]:
    # Redirects name http, which https does not lead to; what speaks no TLS has been run already.
    cases = [case for case in hostile.CASES if case.speaks == "http" and case not in hostile.REDIRECTS]
    downgrade = hostile.blocked("redirect from https to http", "http://127.0.0.1/")
    with tempfile.TemporaryDirectory() as folder:
        if not (path := certificate(Path(folder))):
            return []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)

        def run(case: Case) -> Checked:
            settings = Settings.load(
                {},
                allow_private_addresses=True,
                max_bytes=hostile.MAX_BYTES,
                download_timeout=hostile.limit(case),
            )
            with serving({"/image": case.reply}, context) as origin:  # type: ignore[dict-item]
                name, late, wrong = _checked(case, lambda: hostile.fetch(origin.url("/image"), settings))
            return f"TLS: {name}", late, wrong

        untrusted = run(hostile.refused("a certificate that nobody vouches for", response(hostile.IMAGE)))
        with patch.object(connection, "_contexts", [ssl.create_default_context(cafile=str(path))]):
            return [untrusted, *_all(run, [*cases, downgrade], 4)]


def certificate(folder: Path) -> Path | None:
    """Return a file with a new key and a certificate for 127.0.0.1, or None where openssl is not here."""
    if not (openssl := shutil.which("openssl")):
        return None
    path, key = folder / "both.pem", folder / "key.pem"
    command = f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -keyout {key} -out {path}"
    subprocess.run(
        [openssl, *command.split(), "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True
    )
    path.write_bytes(path.read_bytes() + key.read_bytes())
    return path
