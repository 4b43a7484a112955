"""A batch from its source to its result file: begun, gone on with, or found done already."""

import json
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from mlserverless.batch import results
from mlserverless.batch.engine import Engine
from mlserverless.batch.rows import Tally
from mlserverless.batch.sources import Source
from mlserverless.batch.work import CHANGED, Refused, Work
from mlserverless.named_tuple import NamedTuple


class Summary(NamedTuple):
    """What became of a batch. ``kept`` rows were there before; ``seconds`` are this run's.

    ``done_already``: there was nothing to do.
    """

    rows: int
    kept: int
    problems: dict[str, int]
    seconds: float
    done_already: bool = False

    @property
    def rate(self) -> float:
        """The images a second of this run."""
        return round((self.rows - self.kept) / self.seconds, 1) if self.seconds else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return it for printing."""
        failed = sum(self.problems.values())
        told = {"rows": self.rows, "classified": self.rows - failed, "problems": self.problems}
        return {**told, "kept": self.kept, "seconds": round(self.seconds, 2), "rate": self.rate}


def run(
    source: Source,
    engine: Engine,
    work: Work,
    kind: str,
    *,
    restart: bool = False,
    tell: Callable[[Tally], None] = lambda _: None,
) -> Summary:
    """Answer what is left of ``source`` with ``engine``, and return what became of it all.

    The result file is of the ``kind`` jsonl, csv or parquet. ``tell`` is called before the first item and after
    each. Raises Refused, Stopped or SourceUnreadable; what is done by then is kept.
    """
    began = time.monotonic()
    model, sha, chosen = engine.open()
    wanted = json.loads(json.dumps({**chosen, "source": source.name, "model": model, "sha256": sha}))
    if not restart and (known := work.finished(wanted)) is not None:
        if source.total() is not None and _digest(source) != known.get("sources_sha256"):
            raise Refused(f"{work.out} was made from another SOURCE: {CHANGED}")
        return Summary(known["rows"], known["rows"], known["problems"], 0.0, True)
    try:
        left = work.begin(source.items(), wanted, restart=restart)
        kept = work.tally.rows
        tell(work.tally)
        with closing(engine.run(left)) as answers:  # type: ignore[type-var]  # an iterator is a generator here
            for done in answers:
                work.add(done)
                tell(work.tally)
        made = results.make(work, kind)
        work.finish(made, wanted)
    finally:
        work.close()
    return Summary(work.tally.rows, kept, dict(work.tally.problems), time.monotonic() - began)


def _digest(source: Source) -> str:
    found = Tally()
    for text in source.texts():
        found.add(text, "")
    return str(found.to_dict()["sources_sha256"])
