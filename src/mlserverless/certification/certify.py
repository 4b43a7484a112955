"""A model and a notebook's reference -> what was compared, the first step that diverges, and the certificate."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import mlserverless
from mlserverless import certificate
from mlserverless import model as models
from mlserverless.certification import guessing, weights
from mlserverless.certification.answers import Answers
from mlserverless.certification.findings import DIVERGES, EQUAL, NOTEBOOK, Finding, Stage, first
from mlserverless.certification.inputs import Inputs
from mlserverless.certification.npz import DOCS
from mlserverless.certification.outputs import AGREEMENT, Outputs
from mlserverless.certification.reference import Reference
from mlserverless.certification.search import Search
from mlserverless.certification.served import Served
from mlserverless.errors import InvalidRequest
from mlserverless.predictor import Predictor

TOLERANCES = ("decode", "resize", "input", "output", "scores", "top1")
WEIGHTY = ("input", "output", "scores", "answer")  # of which one is compared, or nothing is certified
Tell = Callable[[str], None]


class Report(NamedTuple):
    """What ``certify`` found out of a model; ``findings`` in the order of the steps."""

    model: str
    folder: Path | None
    reference: Reference
    engine: str
    stages: tuple[Stage, ...]
    findings: tuple[Finding, ...]
    certificate: dict[str, Any]

    @property
    def certified(self) -> bool:
        """Whether what is served is what the notebook has."""
        compared = {stage.name for stage in self.stages if stage.verdict in (EQUAL, "agrees")}
        wrong = any(stage.verdict == DIVERGES for stage in self.stages)
        return not wrong and not self.findings and bool(compared.intersection(WEIGHTY))

    @property
    def step(self) -> str:
        """The first step that diverges, "" where none does."""
        if self.findings:
            return self.findings[0].step
        return next((stage.name for stage in self.stages if stage.verdict == DIVERGES), "")

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "model": self.model,
            "engine": self.engine,
            "reference": {"path": str(self.reference.path), "sha256": self.reference.sha256},
            "images": self.reference.count,
            "certified": self.certified,
            "step": self.step,
            "stages": [stage.to_dict() for stage in self.stages],
            "findings": [finding.to_dict() for finding in self.findings],
            "certificate": self.certificate if self.certified else None,
        }


def certify(
    where: str, reference: Reference, tolerances: dict[str, float], *, tell: Tell = lambda _: None, **settings: Any
) -> Report:
    """Compare the model at ``where`` with a notebook's ``reference``, stage by stage.

    ``tolerances`` by the names of TOLERANCES instead of the usual ones; ``settings`` as for Predictor. Raises
    ModelUnavailable for a model that cannot be served, InvalidRequest for images that cannot be opened.
    """
    predictor = Predictor(where, **settings)
    loaded = predictor.load()
    served = Served(loaded, predictor.settings)
    stages, findings = [], list[Finding]()
    for stage, found in _stages(served, reference, predictor, tolerances, tell):
        stages.append(stage)
        findings += found
    ordered = first(findings)
    if not ordered and (wrong := [stage.name for stage in stages if stage.verdict == DIVERGES]):
        step = {"input": "range", "output": "model", "scores": "activation"}.get(wrong[0], wrong[0])
        ordered = [Finding(step, "unknown", "no known mistake explains it", f"see {DOCS}", NOTEBOOK)]
    path = models.locate(where)
    folder = Path(path) if Path(path).is_dir() else None
    written = _certificate(where, loaded.engine, reference, stages)
    return Report(loaded.model.name, folder, reference, loaded.engine, tuple(stages), tuple(ordered), written)


def _stages(
    served: Served, reference: Reference, predictor: Predictor, tolerances: dict[str, float], tell: Tell
) -> Iterator[tuple[Stage, list[Finding]]]:
    inputs = Inputs(served, reference, tolerances)
    told: list[Finding] = []
    for name in ("decode", "resize", "input"):
        tell(name)
        stage, found = getattr(inputs, name)
        told += found
        yield stage, found
    task = served.loaded.task
    if task == "detect" or (task == "raw" and len(served.loaded.outputs) > 1):
        if reference.output is not None or reference.scores is not None:
            raise InvalidRequest(
                f"{served.loaded.model.name} has several outputs: of such a model the input is certified. Leave "
                f"output and scores out of the reference. See {DOCS}."
            )
        return
    lossy = weights.rounded(served.loaded.model.data) or not served.loaded.output.dtype.startswith("float")
    tell("model")
    outputs = Outputs(served, reference, tolerances, lossy=lossy)
    output, about = outputs.output()
    scores, more = outputs.scores()
    if not told and not about and not more and not outputs.isolated:
        about = _guessed(inputs.case.search, reference, served, output, scores)
    yield output, about
    yield scores, more
    if task == "classify":
        tell("answer")
        answers = Answers(served, reference, predictor, tolerances.get("top1", AGREEMENT if lossy else 1.0))
        yield answers.labels()
        yield answers.answer()


def _guessed(search: Search, reference: Reference, served: Served, output: Stage, scores: Stage) -> list[Finding]:
    # Where a notebook saved what its model answered and not what it was fed.
    if output.verdict not in (EQUAL, "absent") and reference.output is not None:
        return guessing.findings(search, reference.output, lambda values: values)
    if scores.verdict not in (EQUAL, "absent") and reference.scores is not None:
        return guessing.findings(search, reference.scores, served.activated)
    return []


def _certificate(where: str, engine: str, reference: Reference, stages: list[Stage]) -> dict[str, Any]:
    found = models.load(where)
    table: dict[str, Any] = {
        "reference": reference.sha256,
        "model": found.sha256,
        "pipeline": certificate.pipeline(found),
        "images": reference.count,
    }
    by_name = {stage.name: stage for stage in stages if stage.verdict not in ("absent", DIVERGES)}
    if "answer" in by_name:
        table["top1"] = round(1 - by_name["answer"].difference.share, 4)
    table |= {name: by_name[name].difference.largest for name in certificate.STAGES if name in by_name}
    today = datetime.now(UTC).date().isoformat()
    return table | {"engine": engine, "version": mlserverless.__version__, "date": today}
