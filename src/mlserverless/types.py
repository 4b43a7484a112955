"""What passes between the stages and the adapters: small frozen records.

They are named tuples, not dataclasses: just as frozen, and importing ``dataclasses`` costs a cold start 7 ms
that ``typing`` (which Pillow imports anyway) does not.
"""

from typing import TYPE_CHECKING, Any

from mlserverless.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from mmap import mmap

    from mlserverless.errors import MlserverlessError

    Contents = bytes | mmap  # of a model's file, read or mapped

TFLITE = b"TFL3"  # the identifier of a flatbuffer of TensorFlow Lite's schema


def is_tflite(model: "Contents") -> bool:
    """Whether a model's file is a .tflite file, by its identifier and not by its name."""
    return model[4:8] == TFLITE


class Options(NamedTuple):
    """What a request may choose about its answer. ``None`` means: as the function's settings say."""

    top_k: int | None = None
    score_threshold: float | None = None
    labels_allow: tuple[str, ...] | None = None
    labels_deny: tuple[str, ...] | None = None
    model: str | None = None


class Request(NamedTuple):
    """One image to classify: at ``url``, or the encoded ``image`` bytes, of which ``url`` is then only the name.

    An empty ``id`` is filled in by the seam. ``version`` says which state of the source is meant: an object's
    version, generation or ETag, or the id of the message that asked for it. ``pin`` says how a store is asked for
    just that state: by ``"version"``, by ``"etag"``, or, where it is empty, not at all. ``trace`` is a
    ``traceparent`` of W3C Trace Context, which the URL's own host is told.
    """

    id: str = ""
    url: str | None = None
    image: bytes | None = None
    options: Options = Options()
    version: str = ""
    pin: str = ""
    trace: str = ""


class Score(NamedTuple):
    """One class: its label, its index in the model's output, its score (float, usually 0…1)."""

    label: str
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody calls on a score
    score: float


class Box(NamedTuple):
    """A part of an image: shares of the upright source's height (top, bottom) and width (left, right), 0…1."""

    top: float
    left: float
    bottom: float
    right: float


class Detection(NamedTuple):
    """One object: its class's label and index, its score (float, usually 0…1), where it is."""

    label: str
    index: int  # type: ignore[assignment]  # hides tuple.index, as Score's does
    score: float
    box: Box


class RawTensor(NamedTuple):
    """An output as it is: ``data`` in C order, ``datatype`` in the terms of the Open Inference Protocol."""

    name: str
    shape: tuple[int, ...]
    datatype: str
    data: tuple[float | int | bool, ...]


class Prediction(NamedTuple):
    """What a model said about one image: the best classes, best first.

    For the task detect it is the best ``detections`` instead, for raw every output's ``outputs``. ``timings``
    holds the stages' durations in milliseconds. They never enter :meth:`to_dict`, so that equal requests have
    equal answers.
    """

    model: str
    sha256: str
    predictions: tuple[Score, ...]
    timings: tuple[tuple[str, float], ...] = ()
    task: str = "classify"
    detections: tuple[Detection, ...] = ()
    outputs: tuple[RawTensor, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the wire form: fixed key order, scores and boxes rounded to six significant digits."""
        return {"model": self.model, "sha256": self.sha256, **self.told()}

    def told(self) -> dict[str, Any]:
        """Return the wire form without the model: ``predictions``, ``detections`` or ``outputs``."""
        if self.task == "detect":
            return {
                "detections": [
                    {
                        "label": label,
                        "index": index,
                        "score": float(f"{score:.6g}"),
                        "box": {side: float(f"{value:.6g}") for side, value in box._asdict().items()},
                    }
                    for label, index, score, box in self.detections
                ]
            }
        if self.task == "raw":
            return {"outputs": [output._asdict() for output in self.outputs]}
        return {
            "predictions": [
                {"label": label, "index": index, "score": float(f"{score:.6g}")}
                for label, index, score in self.predictions
            ]
        }


def spent(made: "Iterable[Prediction]") -> dict[str, float]:
    """Return how long each stage took in all, in milliseconds."""
    stages: dict[str, float] = {}
    for prediction in made:
        for name, milliseconds in prediction.timings:
            stages[name] = stages.get(name, 0.0) + milliseconds
    return stages


class Problem(NamedTuple):
    """Why there is no prediction, in the terms of RFC 9457. ``instance`` is added by whoever answers.

    ``deployment`` is not told on the wire: whether mending the deployment may let the same request succeed.
    """

    status: int
    code: str
    title: str
    detail: str
    retryable: bool
    headers: tuple[tuple[str, str], ...] = ()
    deployment: bool = False

    def to_dict(self, request_id: str) -> dict[str, Any]:
        """Return the wire form of the problem for the request called ``request_id``."""
        return {
            "type": f"urn:mlserverless:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": request_id,
            "code": self.code,
            "retryable": self.retryable,
        }


def told(error: "MlserverlessError") -> Problem:
    """Return the problem that an ``error`` is told as."""
    found = Problem(error.status, error.code, error.title, str(error), error.retryable)
    return found._replace(deployment=error.deployment)


class Outcome(NamedTuple):
    """How one item ended. ``item`` is the trigger's own record of it, so that it can be acknowledged.

    ``source`` is fit to be shown; the URL in ``request`` may carry a signature, and is not.
    """

    item: Any
    request_id: str
    source: str
    result: Prediction | Problem
    request: Request = Request()

    def to_dict(self) -> dict[str, Any]:
        """Return the wire form of the prediction, or of the problem under this item's request id."""
        if isinstance(self.result, Prediction):
            return self.result.to_dict()
        return self.result.to_dict(self.request_id)
