"""Published models: every one is inspected, and image models answer alike on every engine that can run them."""

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from helpers import peak
from helpers.figures import Figure, Scale, skip
from mlserverless import model as models
from mlserverless.errors import MlserverlessError
from mlserverless.inspection import kind, report, suggest, trial
from mlserverless.inspection.report import Report
from modelling import answers, collected, page
from modelling.collected import Collected
from modelling.page import FIRST, OLD, SAME, Row

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "public-models.md"
QUICK = 12  # models that the shortened form runs
RATIO = (0.8, 2.5)  # what LiteRT takes, beside the estimate
LEAST = 1_000_000  # bytes; below, the allocator's own pages are most of what is measured


def measure(scale: Scale) -> list[Figure]:
    """Return the figures, and write the page in the whole form."""
    name, bar = "public models: inspected, and the suggested model.toml loads", "all"
    try:
        found = collected.models()
    except collected.Missing as error:
        return [skip(name, bar, str(error))]
    rows = [_row(one, run=not scale.short or number < QUICK) for number, one in enumerate(found)]
    wrong = [f"{row.model.source}, {row.model.name}: {problem}" for row in rows for problem in row.wrong]
    for line in wrong:
        print(line, file=sys.stderr)
    if not scale.short:
        PAGE.write_text(page.render(rows), encoding="utf-8")
    images = [row for row in rows if kind.is_image_model(row.report)]
    ran = [row for row in images if row.agreed]
    silent = [row for row in images if row.report.engines and not row.agreed and not row.lacks]
    refused = [row for row in rows if set(row.runs.values()) & {trial.REFUSED, trial.CRASHED}]
    told = [row for row in refused if row.lacks]
    ratios = [row.taken / row.report.memory.total for row in rows if row.taken and row.report.memory]
    slowest = max(_seconds(row.model) for row in rows)
    details = {"rows": list(map(_details, rows))}
    return [
        Figure(
            name,
            bar,
            f"{len(rows) - len({line.partition(': ')[0] for line in wrong})} of {len(rows)}, of "
            f"{len({row.model.source for row in rows}) - 1} packages and this one" + _more(wrong),
            not wrong and len(rows) >= 30,
            details,
        ),
        Figure(
            "public image models on the engines that run them: the same answers",
            "all; bit for bit between LiteRT's two",
            f"{len(ran)} of {len(images)} image models run, {_count(ran, SAME)} bit-identical on {SAME}, "
            f"{_count(ran, OLD)} within tolerance on {OLD}",
            bool(ran) and all(not row.wrong and SAME in row.agreed for row in ran) and not silent,
            {"ran by none, and nothing says why": [row.model.name for row in silent]},
        ),
        Figure(
            "public models that an engine refuses: the operator and the engine named",
            "all",
            f"{len(told)} of {len(refused)}: "
            + "; ".join(f"{row.model.name}: {row.lacks[0]}" for row in refused[:3]),
            len(told) == len(refused),
            {"refused": {f"{row.model.source} {row.model.name}": row.lacks for row in refused}},
        ),
        Figure(
            "public models: memory that LiteRT takes, by the estimate",
            f"median {RATIO[0]} to {RATIO[1]}",
            _spread(ratios),
            not ratios or RATIO[0] <= statistics.median(ratios) <= RATIO[1],
        ),
        Figure("public models: the slowest to be read", "< 0.5 s", f"{slowest:.2f} s", slowest < 0.5),
    ]


def _spread(ratios: list[float]) -> str:
    if not ratios:
        return "not measured"
    median = statistics.median(ratios)
    return f"{median:.2f} × (from {min(ratios):.2f} to {max(ratios):.2f}), {len(ratios)} models"


def _more(wrong: list[str]) -> str:
    return f"; {wrong[0]}" if wrong else ""


def _count(rows: list[Row], engine: str) -> int:
    return sum(engine in row.agreed for row in rows)


def _seconds(one: Collected) -> float:
    begin = time.perf_counter()
    report.inspect(str(one.path), ())
    return time.perf_counter() - begin


def _row(one: Collected, run: bool) -> Row:
    """Return what is seen of a model; it is run where ``run`` says so."""
    wrong: list[str] = []
    found = report.inspect(str(one.path), None if run else ())
    wrong += found.notes
    with tempfile.TemporaryDirectory(prefix="public-") as folder:
        place = Path(folder)
        (place / one.path.name).symlink_to(one.path)
        (place / "model.toml").write_text(suggest.model_toml(found), encoding="utf-8")
        try:
            if models.load(str(place)).sha256 != found.sha256:
                wrong.append("the model.toml loads another file")
        except MlserverlessError as error:
            wrong.append(f"its model.toml cannot be loaded: {error}")
        agreed = _agreed(one, found, place, wrong) if run and kind.is_image_model(found) else {}
    estimate = found.memory.total if found.memory else 0
    other = ROOT / "models" / ("dogs-vs-cats" if one.name != "dogs-vs-cats" else "efficientnet-lite0")
    measured = FIRST in agreed and estimate > LEAST and sys.platform == "linux"
    taken = peak.taken(one.path, other / "model.tflite") if measured else 0
    return Row(one, found, wrong, agreed, taken)


def _agreed(one: Collected, found: Report, place: Path, wrong: list[str]) -> dict[str, str]:
    """Return engine -> how far it is from the first, for those that run; what is too far goes to ``wrong``."""
    image = place / "image"
    image.write_bytes(answers.pixels(found))
    runs = [verdict.engine for verdict in found.engines if verdict.status == trial.RUNS]
    agreed: dict[str, str] = {}
    first: list[Any] = []
    for engine in runs:
        try:
            outputs = answers.ask(engine, one.path, image, place)
        except RuntimeError as error:
            wrong.append(f"{engine} runs zeros and not a photo: {error}")
            continue
        if not first:
            first, agreed[engine] = outputs, "reference"
            continue
        problem, agreed[engine] = answers.compare(first, outputs, found, exact=engine == SAME)
        if problem:
            wrong.append(f"{engine} against {runs[0]}: {problem}")
    return agreed


def _details(row: Row) -> dict[str, Any]:
    return {
        "model": row.model.name,
        "source": row.model.source,
        "sha256": row.report.sha256,
        "image": kind.is_image_model(row.report),
        "task": kind.task(row.report),
        "estimate": row.report.memory and row.report.memory.total,
        "taken": row.taken,
        "engines": {verdict.engine: verdict._asdict() for verdict in row.report.engines},
        "agreed": row.agreed,
        "wrong": row.wrong,
    }
