"""The work file: one line of JSON for each item, in order; it goes on after a kill where its last whole line ends.

It is ``OUT.part``, and becomes, or is made into, OUT once all is done. Beside it ``OUT.batch.json`` says whose
answers these are. While it is open it is locked, so that two runs cannot write one result.
"""

import json
import os
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from mlserverless.batch.engine import Done, Item
from mlserverless.batch.rows import Tally, head, problem_of, row

CHANGED = "it has changed. Begin anew with --restart, or choose another --out."
LONGEST = 200  # characters of a value that is told
SYNC_S = 2.0  # between two times that what is written is made to outlast a power cut


class Refused(Exception):
    """The result file is another run's, or another run is writing it. The text says what helps."""


class Work:
    """The work file of the result file ``out``. :meth:`begin` or nothing else comes first."""

    def __init__(self, out: Path) -> None:
        self.out, self.part = out, out.with_name(out.name + ".part")
        self.about = out.with_name(out.name + ".batch.json")
        self.tally = Tally()
        self._file: BinaryIO | None = None
        self._synced = 0.0

    def finished(self, wanted: dict[str, Any]) -> dict[str, Any] | None:
        """Return what is known of a whole result file of the same run, None where there is no result file.

        Raises Refused where there is one that is another's.
        """
        if self.part.exists() or not self.out.exists():
            return None
        known = self._known()
        if not known:
            raise Refused(f"{self.out} is there, and not from a batch: choose another --out, or --restart.")
        self._same(known, wanted, f"{self.out} was made")
        return known

    def begin(self, items: Iterator[Item], wanted: dict[str, Any], *, restart: bool) -> Iterator[Item]:
        """Lock the work file, keep the rows that are there, and return the items that are left.

        With ``restart`` none is kept. Raises Refused where another run writes it, or began it with something else
        than is ``wanted``, or where a row is of another source than the item in its place.
        """
        self._file = _locked(self.part)
        try:
            return self._begun(items, wanted, restart=restart)
        except BaseException:
            self.close()
            raise

    def add(self, done: Done) -> None:
        """Write the row of the next item."""
        assert self._file is not None
        self._file.write(row(done))
        self.tally.add(done.source, done.problem)
        if (now := time.monotonic()) - self._synced > SYNC_S:
            self._synced = now
            self.sync()

    def sync(self) -> None:
        """Have everything that was added on the disk."""
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())

    def lines(self) -> Iterator[bytes]:
        """Yield the rows, from the first."""
        with self.part.open("rb") as file:
            yield from file

    def finish(self, made: Path | None, wanted: dict[str, Any]) -> None:
        """Let the work file, or the file ``made`` from it, be the result; nobody sees it half written."""
        _replace(self.about, {**wanted, **self.tally.to_dict()})
        self.sync()
        os.replace(made or self.part, self.out)
        if made:
            self.part.unlink()

    def close(self) -> None:
        """Let go of the work file, with all that was added."""
        if self._file is not None:
            self.sync()
            self._file.close()
            self._file = None

    def _begun(self, items: Iterator[Item], wanted: dict[str, Any], *, restart: bool) -> Iterator[Item]:
        assert self._file is not None
        if restart:
            self._file.truncate(0)
        known = self._known()
        first = self._file.readline()
        if first.endswith(b"\n"):
            self._same(known or {}, wanted, f"{self.part} was begun")
            items = self._kept(items)
        else:  # nothing is at stake
            self._file.truncate(0)
            _replace(self.about, wanted)
        self._file.seek(0, os.SEEK_END)
        return items

    def _known(self) -> dict[str, Any] | None:
        try:
            known = json.loads(self.about.read_bytes())
        except (OSError, ValueError):
            return None
        return known if isinstance(known, dict) else None

    def _same(self, known: dict[str, Any], wanted: dict[str, Any], what: str) -> None:
        for name, value in wanted.items():
            if known.get(name) != value:
                was, now = (json.dumps(one, ensure_ascii=False)[:LONGEST] for one in (known.get(name), value))
                raise Refused(
                    f"{what} with {name} {was}, and now it is {now}: give the same, choose another --out, or "
                    "begin anew with --restart."
                )

    def _kept(self, items: Iterator[Item]) -> Iterator[Item]:
        # The rows up to the first that is torn; what is after that is cut off.
        assert self._file is not None
        self._file.seek(0)
        end = 0
        for line in self._file:
            if (item := next(items, None)) is None:
                raise Refused(f"SOURCE has fewer items than {self.part} has rows: {CHANGED}")
            if not line.endswith(b"}\n") or not line.startswith(head(item.index, item.source)):
                if _whole(line, item.index):
                    raise Refused(f"{self.part} has another source in row {item.index} than SOURCE: {CHANGED}")
                items = chain([item], items)
                break
            end += len(line)
            self.tally.add(item.source, problem_of(line))
        self._file.truncate(end)
        return items


def _whole(line: bytes, index: int) -> bool:
    try:
        return line.endswith(b"\n") and bool(json.loads(line)["index"] == index)
    except (ValueError, KeyError, TypeError):
        return False


def _locked(path: Path) -> BinaryIO:
    import fcntl

    while True:
        file = open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b", buffering=1 << 16)  # noqa: SIM115
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise Refused(f"Another batch is writing {path}.") from error
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
        file.close()  # whoever had it finished meanwhile, and has taken it away


def _replace(path: Path, value: dict[str, Any]) -> None:
    made = path.with_name(path.name + ".new")
    with made.open("w", encoding="utf-8") as file:
        file.write(json.dumps(value, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(made, path)
