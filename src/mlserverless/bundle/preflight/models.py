"""The model: can it be read, does it work, do its labels fit, is the memory that is asked for enough?"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mlserverless import certificate, engines, naming
from mlserverless import model as models
from mlserverless.bundle import limits
from mlserverless.bundle.package import packed_models
from mlserverless.bundle.preflight import trial
from mlserverless.bundle.preflight.case import Asked, Case
from mlserverless.bundle.preflight.finding import Finding, fail, ok, warn
from mlserverless.config import Settings
from mlserverless.errors import ConfigError, ModelUnavailable
from mlserverless.model_values import DOCS

HEADROOM = 1.25  # a larger picture, a second one at a time
SIZES = {
    "aws": (128, 256, 512, 1024, 1769, 2048, 3072, 4096, 6144, 8192, 10_240),
    "azure": tuple(limit.value for limit in limits.AZURE_MEMORY),
    "gcp": (128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768),
}


def examine(case: Case) -> list[Finding]:
    """The model can be read, works with the engine that is here, and fits into the memory that is asked for."""
    if "://" in case.model:
        told = "the model is a URL: it is downloaded when the function starts, and cannot be looked at here"
        return [warn("model", told, "Put it into the package: give a folder. Else pin MLSERVERLESS_MODEL_SHA256.")]
    where = Path(case.project, case.model)
    try:
        path = models.locate(str(where) if where.exists() else case.model)
        loaded = models.load(path)
    except ModelUnavailable as error:
        return [_refused(str(error))]
    others = () if case.package else _others(case)  # a package has proven its own
    tried = trial.run(Path(path), case.project, min(trial.PIXELS, _max_pixels(case)), others)
    if tried.problem == "model":
        return [_refused(tried.told)]
    if tried.problem == "crash":
        return [fail("model", f"{loaded.name}: {tried.told}", f"Make the file anew. See {DOCS}.")]
    findings = [ok("model", f"{loaded.name}, {len(loaded.data) / limits.MB:.1f} MB, sha256 {loaded.sha256[:12]}…")]
    if loaded.certificate:
        findings.append(_certified(loaded))
    if tried.problem == "settings":
        return findings  # the check of the settings tells it
    if tried.problem == "engine":
        what = "ai-edge-litert" if engines.order(loaded.data) == engines.ORDER else '"mlserverless[onnx]"'
        mend = f"pip install {what}, to try it here."
        return [*findings, warn("memory-needed", f"not measured: {tried.told}", mend)]
    if tried.task == "raw":
        findings.append(ok("labels", "none needed: it answers raw tensors"))
    elif not tried.labels:
        classes = f"{tried.classes:,} classes and " if tried.classes else ""
        told = f"{loaded.name} has {classes}no labels: answers have their numbers"
        findings.append(warn("labels", told, f"Name a file in model.toml: labels = …, one a line. See {DOCS}."))
    else:
        findings.append(ok("labels", f"{tried.labels:,}{', as many as classes' * (tried.task == 'classify')}"))
    peak = case.package.peak if case.package and case.package.peak else tried.peak
    return findings + list(_memory(case, peak))


def readable(case: Case) -> list[models.Model]:
    """Return the models of the package, or of the project, that can be read: the others are told of elsewhere."""
    found = []
    inside = [str(path) for path in packed_models(case.package.root)] if case.package else []
    for given in inside or [case.model, *(naming.split(other)[1] for other in _others(case))]:
        where = Path(case.project, given)
        with suppress(ModelUnavailable):
            found.append(models.load(str(where) if where.exists() else given))
    return found


def _certified(loaded: models.Model) -> Finding:
    if why := certificate.stale(loaded):
        mend = f"Run `mlserverless certify` again, or take [certificate] out. See {certificate.DOCS}."
        return fail("certificate", f"it says nothing about {loaded.name} any more: {why}", mend)
    told = dict(loaded.certificate)
    return ok("certificate", f"of {told['date']}, by {told['images']:,} images of a notebook")


def _refused(told: str) -> Finding:
    if any(words in told for words in ("label file", "labels, but", "the labels in model.toml")):
        mend = f"Put the file there, UTF-8, one label a line, as many as the model has classes. See {DOCS}."
        return fail("labels", told, mend)
    if "has the sha256" in told:
        return fail("model-sha256", told, "Fetch the file anew, or pin the right one: sha256sum prints it.")
    return fail("model", told, f"See {DOCS}.")


def _others(case: Case) -> tuple[str, ...]:
    try:
        return Settings.load({}, str(case.project)).models
    except ConfigError:
        return ()


def _max_pixels(case: Case) -> int:
    try:
        return Settings.load({}, str(case.project)).max_pixels
    except ConfigError:
        return trial.PIXELS


def _memory(case: Case, peak: int) -> Iterator[Finding]:
    needed = peak / limits.MB
    told = f"a prediction takes {needed:,.0f} MB"
    asked = [one for one in case.asked if one.memory is not None]
    good = [one for one in asked if (one.memory or 0) >= needed * HEADROOM]
    for one in asked:
        if one in good:
            continue
        size = next((size for size in SIZES[case.target.provider] if size >= needed * 1.5), None)
        mend = f"Ask for {size:,} MB." if size else "Take a smaller model: the platform has no such size."
        short = f"{one.where} asks for {one.memory:,} MB, and {told}"
        yield (fail if (one.memory or 0) < needed else warn)("memory-needed", short, mend)
    if len(good) == len(asked):
        yield ok("memory-needed", f"{told}, and {_least(asked)} MB are asked for" if asked else told)


def _least(asked: list[Asked]) -> str:
    return f"{min(one.memory or 0 for one in asked):,}"
