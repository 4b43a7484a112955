"""The page of published models: what was seen of each, a line a model."""

from typing import NamedTuple

from mlserverless.inspection import kind, ops
from mlserverless.inspection.report import Report
from modelling.answers import FLOAT_SHARE, QUANTISED
from modelling.collected import Collected

FIRST, SAME, OLD = "litert", "litert-python", "tflite-runtime"
HEAD = """# Published models, as `mlserverless inspect` sees them

Every `.tflite` file in the packages that `tests/modelling/collected.toml` lists, and the two that come with this
package. `make models` inspects each, runs those that take one image on the engines that are here, and writes this
page. Answers of LiteRT's C interface and of its Python interpreter are the same bit for bit; those of
tflite-runtime {old} differ by {share:.0e} of the largest value at most, and scores of models with int8 weights by
{apart:g}.

Memory is the estimate / what LiteRT took, in MB, without the file and the engine itself; it is measured of models
that take one image and more than 1 MB.

| model | from | input | task | memory | litert, litert-python | tflite-runtime | lacks |
|---|---|---|---|---|---|---|---|
"""
FOOT = """
Custom operators that no engine here has are MediaPipe's own, which MediaPipe's runtime brings. Of an engine that
is not installed the table of operators tells what it lacks (`src/mlserverless/inspection/ops.json`, made by
`tools/op_versions.py`).

The packages' licences, as they state them:

"""


class Row(NamedTuple):
    """What was seen of a model; ``wrong`` is what should not be."""

    model: Collected
    report: Report
    wrong: list[str]
    agreed: dict[str, str]
    taken: int

    @property
    def runs(self) -> dict[str, str]:
        """Engine -> its status."""
        return {verdict.engine: verdict.status for verdict in self.report.engines}

    @property
    def lacks(self) -> list[str]:
        """What the engines that do not run it lack."""
        found: dict[str, list[str]] = {}
        for verdict in self.report.engines:
            if verdict.lacks:
                found.setdefault(", ".join(verdict.lacks), []).append(verdict.engine)
        return [f"{lacking}: {', '.join(engines)}" for lacking, engines in found.items()]


def render(rows: list[Row]) -> str:
    """Return the page."""
    head = HEAD.format(old=ops.known().engines[OLD], share=FLOAT_SHARE, apart=QUANTISED)
    return head + "".join(map(_line, rows)) + _foot(rows)


def _line(row: Row) -> str:
    tensors = [port.tensor for port in row.report.inputs]
    shapes = "; ".join(f"{' × '.join('any' if n < 0 else str(n) for n in t.shape)} {t.dtype}" for t in tensors)
    image = kind.is_image_model(row.report)
    memory = f"{row.report.memory.total / 1e6:.1f}" if row.report.memory else ""
    memory += f" / {row.taken / 1e6:.1f}" if row.taken else ""
    both = row.agreed.get(SAME, "") or ", ".join(dict.fromkeys(row.runs.get(name, "") for name in (FIRST, SAME)))
    old = row.agreed.get(OLD, "") or row.runs.get(OLD, "")
    cells = (
        row.model.name,
        row.model.source,
        shapes,
        kind.task(row.report) if image else "no image: inspected only",
        memory,
        both,
        old,
        "; ".join(row.lacks),
    )
    return "| " + " | ".join(cells) + " |\n"


def _foot(rows: list[Row]) -> str:
    licences = {row.model.source: row.model.licence for row in rows if row.model.source != "bundled"}
    return FOOT + "".join(f"- {source}: {licence}\n" for source, licence in licences.items())
