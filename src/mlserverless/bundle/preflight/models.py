"""The models: can each be read, does it work, do its labels fit, is the memory that is asked for enough?"""

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
from mlserverless.config import DOCS as SETTINGS
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
    """The models can be read, work with the engine that is here, and fit into the memory that is asked for."""
    findings, refused, loaded, places = list[Finding](), list[Finding](), list[models.Model](), list[str]()
    for alias, given in _every(case):
        if "://" in given:
            findings.append(_elsewhere(given, bool(case.others)))
            continue
        try:
            path = models.locate(_where(case, given))
            loaded.append(models.load(path))
        except ModelUnavailable as error:
            refused.append(_refused(str(error)))
        else:
            places.append(f"{alias}={Path(path).resolve()}" if alias and places else str(Path(path).resolve()))
    if refused or not loaded:
        return findings + refused
    tried = trial.run(Path(places[0]), case.project, min(trial.PIXELS, _max_pixels(case)), tuple(places[1:]))
    return findings + _tried(case, tried, loaded)


def _tried(case: Case, tried: trial.Trial, loaded: list[models.Model]) -> list[Finding]:
    """Return what is said of models that could be ``loaded``, after the trial of all of them together."""
    one = loaded[tried.place]
    whose = [f"{model.name}: " if len(loaded) > 1 else "" for model in loaded]
    if tried.problem == "names":
        return [fail("model", tried.told, f"See {SETTINGS}.")]
    if tried.problem == "model":
        return [_refused(tried.told if one.name in tried.told else whose[tried.place] + tried.told)]
    if tried.problem == "crash":
        names = ", ".join(model.name for model in loaded)
        return [fail("model", f"{names}: {tried.told}", f"Make the file anew. See {DOCS}.")]
    findings = []
    for model, name in zip(loaded, whose, strict=True):
        size = len(model.data) / limits.MB
        findings.append(ok("model", f"{model.name}, {size:.1f} MB, sha256 {model.sha256[:12]}…"))
        if model.certificate:
            findings.append(_certified(model, name))
    if tried.problem == "settings":
        return findings  # the check of the settings tells it
    if tried.problem == "engine":
        what = "ai-edge-litert" if engines.order(one.data) == engines.ORDER else '"mlserverless[onnx]"'
        mend = f"pip install {what}, to try it here."
        return [*findings, warn("memory-needed", f"not measured: {whose[tried.place]}{tried.told}", mend)]
    for model, result, name in zip(loaded, tried.models, whose, strict=True):
        findings.append(_labelled(model.name, result, name))
    peak = case.package.peak if case.package and case.package.peak else tried.peak
    return findings + list(_memory(case, peak, len(loaded)))


def _every(case: Case) -> list[tuple[str, str]]:
    return [("", case.model), *map(naming.split, case.others)]


def _where(case: Case, given: str) -> str:
    return str(where) if (where := Path(case.project, given)).exists() else given


def _elsewhere(url: str, several: bool) -> Finding:
    whose = naming.name_of(url) if several else "the model"
    told = "at a URL: it is downloaded when the function starts, and cannot be looked at here"
    mend = "Pin it in a model.toml beside it." if several else "Else pin MLSERVERLESS_MODEL_SHA256."
    return warn("model", f"{whose} is {told}", f"Put it into the package: give a folder. {mend}")


def _labelled(name: str, result: trial.Tried, whose: str) -> Finding:
    if result.task == "raw":
        return ok("labels", f"{whose}none needed: it answers raw tensors")
    if result.labels:
        return ok("labels", f"{whose}{result.labels:,}{', as many as classes' * (result.task == 'classify')}")
    classes = f"{result.classes:,} classes and " if result.classes else ""
    told = f"{name} has {classes}no labels: answers have their numbers"
    return warn("labels", told, f"Name a file in model.toml: labels = …, one a line. See {DOCS}.")


def readable(case: Case) -> list[models.Model]:
    """Return the models of the package, or of the project, that can be read: the others are told of elsewhere."""
    found = []
    inside = [str(path) for path in packed_models(case.package.root)] if case.package else []
    for given in inside or [given for _, given in _every(case)]:
        with suppress(ModelUnavailable):
            found.append(models.load(_where(case, given)))
    return found


def _certified(loaded: models.Model, whose: str) -> Finding:
    if why := certificate.stale(loaded):
        mend = f"Run `mlserverless certify` again, or take [certificate] out. See {certificate.DOCS}."
        return fail("certificate", f"it says nothing about {loaded.name} any more: {why}", mend)
    told = dict(loaded.certificate)
    return ok("certificate", f"{whose}of {told['date']}, by {told['images']:,} images of a notebook")


def _refused(told: str) -> Finding:
    if any(words in told for words in ("label file", "labels, but", "the labels in model.toml")):
        mend = f"Put the file there, UTF-8, one label a line, as many as the model has classes. See {DOCS}."
        return fail("labels", told, mend)
    if "has the sha256" in told:
        return fail("model-sha256", told, "Fetch the file anew, or pin the right one: sha256sum prints it.")
    return fail("model", told, f"See {DOCS}.")


def _max_pixels(case: Case) -> int:
    try:
        return Settings.load({}, str(case.project)).max_pixels
    except ConfigError:
        return trial.PIXELS


def _memory(case: Case, peak: int, count: int) -> Iterator[Finding]:
    needed = peak / limits.MB
    told = f"the {count} models take {needed:,.0f} MB" if count > 1 else f"a prediction takes {needed:,.0f} MB"
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
