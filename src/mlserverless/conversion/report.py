"""What a conversion came to: the record, as a table and as JSON."""

from statistics import median
from typing import Any, NamedTuple

from mlserverless.conversion.trial import Ran, Trial
from mlserverless.inspection.trial import RUNS

SMALL = 100_000  # bytes, below which they are told in kB
EVEN = 0.5  # from which a single score between 0 and 1 says yes


class Compared(NamedTuple):
    """An engine's answers beside the original's.

    ``agreement``: the share of pictures with the same best class, NaN where there are no classes; ``largest``: the
    largest difference of any value of any output, NaN where they cannot be compared; ``milliseconds``: median of
    the model alone; ``lacks``: its operators that the engine, as it was measured, lacks.
    """

    engine: str
    status: str
    told: str = ""
    milliseconds: float = 0.0
    agreement: float = float("nan")
    largest: float = float("nan")
    lacks: tuple[str, ...] = ()


class Report(NamedTuple):
    """What was converted, to what, and how it compares. Sizes in bytes, latencies in milliseconds."""

    source: str
    framework: str
    out: str
    file: str
    sha256: str
    quantize: str
    original_bytes: int
    converted_bytes: int
    original_milliseconds: float
    pictures: int
    calibrated: int
    engines: tuple[Compared, ...]
    steps: tuple[tuple[str, float], ...]
    notes: tuple[str, ...] = ()

    @property
    def runs(self) -> tuple[Compared, ...]:
        """The engines that run it."""
        return tuple(one for one in self.engines if one.status == RUNS)


def compare(ran: Ran, trial: Trial, lacks: tuple[str, ...]) -> Compared:
    """Return how the answers of ``trial`` compare with the original's."""
    base = Compared(trial.engine, trial.status, trial.told, lacks=lacks)
    if trial.status != RUNS:
        return base
    took = median(trial.milliseconds)
    pairs = list(zip(ran.outputs, trial.outputs, strict=True))
    if any([value.size for value in one] != [value.size for value in other] for one, other in pairs):
        return base._replace(milliseconds=took, told="its outputs are not the original's: they are not compared")
    differences = [
        float(abs(value.ravel().astype("float64") - other_value).max())
        for one, other in pairs
        for value, other_value in zip(one, other, strict=True)
        if value.size
    ]
    found = base._replace(milliseconds=took, largest=max(differences))
    if trial.task == "classify":
        same = [_best(one[trial.place].ravel()) == _best(other[trial.place]) for one, other in pairs]
        found = found._replace(agreement=sum(same) / len(same))
    return found


def _best(scores: Any) -> int:
    return int(scores.argmax()) if scores.size > 1 else int(scores[0] > EVEN)


def to_dict(report: Report) -> dict[str, Any]:
    """Return what --json prints; null is what there is no figure of."""
    told = report._asdict()
    told["engines"] = [
        {
            key: None if isinstance(value, float) and value != value else value
            for key, value in one._asdict().items()
        }
        for one in report.engines
    ]
    told["steps"] = dict(report.steps)
    return told


def render(report: Report) -> Any:
    """Return the table that a person reads."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    title = f"{report.source} ({report.framework}) → {report.out}/{report.file}, {report.quantize}"
    columns = "", "size", "median", "same best class", "largest difference"
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    table.add_row("original", size(report.original_bytes), f"{report.original_milliseconds:.1f} ms", "", "")
    for one in report.engines:
        if one.status == RUNS:
            share = "" if one.agreement != one.agreement else f"{one.agreement:.1%} of {report.pictures}"
            largest = one.told if one.largest != one.largest else f"{one.largest:.2g}"
            table.add_row(one.engine, size(report.converted_bytes), f"{one.milliseconds:.1f} ms", share, largest)
        else:
            why = "; ".join(one.lacks) or one.told
            table.add_row(one.engine, "", "", one.status, why)
    return Group(Text(title, "table.title"), table)  # a table's own title is wrapped at the table's width


def size(count: int) -> str:
    """Return a number of bytes for a person."""
    if not count:
        return "not known"
    return f"{count / 1e6:.2f} MB" if count >= SMALL else f"{count / 1e3:.1f} kB"
