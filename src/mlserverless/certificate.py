"""The section ``[certificate]`` of a model.toml: what ``mlserverless certify`` found, and whether it still fits.

It is about one model file and one way to feed it. Where either has been changed since, it says nothing any more.
"""

from hashlib import sha256
from typing import Any, NoReturn, Protocol

from mlserverless.errors import ModelUnavailable

DOCS = "docs/how-to/certify-a-model.md"
HASHES = ("reference", "model", "pipeline")
STAGES = ("decode", "resize", "input", "output", "scores", "answer")  # the largest difference in each
TEXTS = ("engine", "version", "date")
KEYS = (*HASHES, "images", "top1", *STAGES, *TEXTS)
NEEDED = (*HASHES, "images", "date")
DIGEST = 64  # digits of a sha256
DIGITS = frozenset("0123456789abcdef")


class Certified(Protocol):
    """What is looked at of a :class:`mlserverless.model.Model`, which is read by means of this module."""

    @property
    def path(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def task(self) -> str: ...
    @property
    def signature(self) -> str: ...
    @property
    def input(self) -> Any: ...
    @property
    def output(self) -> Any: ...
    @property
    def certificate(self) -> tuple[tuple[str, Any], ...]: ...


def check(table: Any, path: str) -> dict[str, Any]:
    """Return the section, as the file at ``path`` has it; raise ModelUnavailable for one that is not certify's."""
    if not isinstance(table, dict):
        _refuse(path, f"certificate is {table!r}")
    if unknown := [key for key in table if key not in KEYS]:
        _refuse(path, f"[certificate] {unknown[0]} is not known; known are {', '.join(KEYS)}")
    if missing := [key for key in NEEDED if table and key not in table]:
        _refuse(path, f"[certificate] has no {missing[0]}")
    for key, value in table.items():
        number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")
        if key in HASHES and not (isinstance(value, str) and len(value) == DIGEST and DIGITS.issuperset(value)):
            _refuse(path, f"certificate.{key} is {value!r}, not a sha256")
        if key in TEXTS and not isinstance(value, str):
            _refuse(path, f"certificate.{key} is {value!r}, not a text")
        if (key == "images" and type(value) is not int) or (key in (*STAGES, "images", "top1") and not number):
            _refuse(path, f"certificate.{key} is {value!r}, not a number from 0")
    return dict(table)


def pipeline(model: Certified) -> str:
    """Return the sha256 of all that decides what ``model`` is fed and what its output means.

    That is of the JSON of what differs from the defaults in ``[input]`` and ``[output]``, preset and metadata
    filled in, of task, signature and the labels' sha256: a key that a later version adds changes no older hash.
    """
    import json  # a model without a certificate does not pay for it

    def told(given: Any) -> dict[str, Any]:
        defaults = type(given)()._asdict()
        return {key: value for key, value in given._asdict().items() if value != defaults[key] and key != "usual"}

    labels = model.labels
    if labels == tuple(map(str, range(len(labels)))):  # what stands for labels where there are none
        labels = ()
    settings = {
        "input": told(model.input),
        "output": told(model.output),
        "task": model.task or "classify",
        "signature": model.signature,
        "labels": sha256("\n".join(labels).encode(errors="surrogatepass")).hexdigest(),
    }
    text = json.dumps(settings, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def stale(model: Certified) -> str:
    """Return why the certificate of ``model`` says nothing about it any more; "" where there is no reason."""
    table = dict(model.certificate)
    if not table:
        return ""
    if table["model"] != model.sha256:
        return f"it is of a model file with the sha256 {table['model']}, and {model.path} has {model.sha256}"
    if table["pipeline"] != pipeline(model):
        return "[input], [output] or the labels have been changed since it was written"
    return ""


def _refuse(path: str, what: str) -> NoReturn:
    raise ModelUnavailable(
        f"{path}: {what}. The section is written by `mlserverless certify`: take it out or run that again. "
        f"See {DOCS}."
    )
