"""An opened image and a loaded model -> what the model says of it, by an interpreter of the model's pool.

Imported with the first image: a cold function is waiting for that one's bytes meanwhile.
"""

import math
from collections.abc import Callable, Container
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING

from mlserverless import postprocess, prepare, preprocess
from mlserverless.config import Settings
from mlserverless.deadline import Deadline
from mlserverless.engines import Interpreter, Tensor
from mlserverless.errors import DeadlineExceeded, ImageTooLarge, InvalidRequest, ModelUnavailable, Overloaded
from mlserverless.loading import Loaded
from mlserverless.named_tuple import NamedTuple
from mlserverless.pace import Pace
from mlserverless.postprocess import Choice
from mlserverless.types import Options, Prediction, Request

if TYPE_CHECKING:
    from PIL.Image import Image

    from mlserverless.fitting import Placement

LONGER = 10  # times as long as a fraction of it may take, the whole of a JPEG; five at 12 megapixels
Timings = list[tuple[str, float]]


class Ran(NamedTuple):
    """What a run gave: each output, with the shape it had, and its bytes; ``placement``: what the model saw."""

    outputs: list[tuple[Tensor, bytes]]
    placement: "Placement"


def answer(
    loaded: Loaded,
    image: "Image",
    request: Request,
    settings: Settings,
    pace: Pace,
    deadline: Deadline,
    timings: Timings,
    queue: float = math.inf,
    again: "Callable[[], Image] | None" = None,
) -> Prediction:
    """Return what the model says of ``image``; ``timings`` are the stages before, (name, seconds) each.

    Where a classifier's ``image`` was decoded at a fraction of its size and two classes are nearly equal,
    ``again`` opens it once more, to be decoded whole if there is time: which of the two is first is then not left
    to the fraction. Raises InvalidRequest for options that do not fit the model, Overloaded where no interpreter
    comes free, DeadlineExceeded, UndecodableImage, ImageTooLarge, ModelUnavailable.
    """
    if loaded.task == "classify":
        return _classified(loaded, image, request, settings, pace, deadline, timings, queue, again)
    name, sha256 = loaded.model.name, loaded.model.sha256
    if loaded.task == "raw":
        from mlserverless.tasks import raw

        _refuse_options(request.options)
        ran = run(loaded, image, settings, pace, deadline, timings, queue)
        return Prediction(name, sha256, (), _rounded(timings), "raw", (), raw.answer(loaded.model, ran.outputs))
    from mlserverless.tasks import detect

    choice = _choice(request.options, settings, loaded, loaded.model.labels or detect.Numbers())
    ran = run(loaded, image, settings, pace, deadline, timings, queue)
    found = detect.answer(loaded.model, ran.outputs, loaded.places, choice, ran.placement)
    return Prediction(name, sha256, (), _rounded(timings), "detect", found)


def check(options: Options, loaded: Loaded, settings: Settings) -> None:
    """Raise InvalidRequest for options that do not fit the model, whatever the image."""
    if loaded.task == "raw":
        _refuse_options(options)
    elif loaded.task == "classify" or loaded.model.labels:
        _choice(options, settings, loaded, loaded.model.labels)
    else:
        from mlserverless.tasks import detect

        _choice(options, settings, loaded, detect.Numbers())


def _classified(
    loaded: Loaded,
    image: "Image",
    request: Request,
    settings: Settings,
    pace: Pace,
    deadline: Deadline,
    timings: Timings,
    queue: float,
    again: "Callable[[], Image] | None",
) -> Prediction:
    labels, offset = loaded.model.labels, loaded.model.output.offset
    choice = _choice(request.options, settings, loaded, labels)
    whole = image.size
    values = _scores(loaded, run(loaded, image, settings, pace, deadline, timings, queue))
    order = postprocess.leading(values, labels, choice, offset)
    if (
        again is not None
        and image.size != whole
        and postprocess.nearly_equal([values[i] for i in order])
        and (soon := deadline.less(LONGER * _worked(timings))).remaining()
        > 0  # begun later, it would not end in time
    ):
        with suppress(Overloaded, DeadlineExceeded, ImageTooLarge):  # the first answer is one, too
            wholly = settings._replace(decode="whole")
            values = _scores(loaded, run(loaded, again(), wholly, Pace(), soon, timings, queue))
            order = postprocess.leading(values, labels, choice, offset)
    chosen = postprocess.best(values, labels, choice, order, offset)
    return Prediction(loaded.model.name, loaded.model.sha256, chosen, _rounded(timings))


def _choice(options: Options, settings: Settings, loaded: Loaded, known: Container[str]) -> Choice:
    said = settings.score_threshold, loaded.model.output.score_threshold  # of which 0 is one, too
    threshold = next((one for one in said if one is not None), 0.0)
    default = Choice(settings.top_k, threshold, settings.labels_allow, settings.labels_deny)
    return postprocess.choose(options, default, known)


def _scores(loaded: Loaded, ran: Ran) -> list[float]:
    data = ran.outputs[loaded.places[0]][1]
    if len(data) != loaded.output.bytes:
        shape = ran.outputs[loaded.places[0]][0].shape
        raise ModelUnavailable(
            f"The model's scores have the shape {shape}, and had {loaded.output.shape} at first."
        )
    values = postprocess.scores(data, loaded.output, loaded.model.output.activation)
    if loaded.model.curves:
        from mlserverless.metadata import calibration

        return calibration.apply(values, loaded.model.curves)
    return values


def _refuse_options(options: Options) -> None:
    for name, value in options._asdict().items():
        if value is not None and name != "model":
            raise InvalidRequest(f"{name} is for classes, and this model answers raw tensors: leave it out.")


def _rounded(timings: Timings) -> tuple[tuple[str, float], ...]:
    return tuple((name, round(1000 * seconds, 3)) for name, seconds in timings)


def _worked(timings: Timings) -> float:
    # How long it waited for an interpreter says nothing of how long it will work.
    return sum(seconds for name, seconds in timings if name in ("prepare", "preprocess", "invoke"))


def run(
    loaded: Loaded,
    image: "Image",
    settings: Settings,
    pace: Pace,
    deadline: Deadline,
    timings: Timings,
    queue: float = math.inf,
) -> Ran:
    """Return what the model answers for ``image``; add the stages' ``timings``."""
    wanted = loaded.model.input
    pixels = image.width * image.height
    needed = pace.check(pixels, deadline)
    begun = perf_counter()

    def work(interpreter: Interpreter) -> tuple[Ran, tuple[float, float, float, float]]:
        waited = perf_counter()
        prepared = prepare.prepare_input(
            image, loaded.target, wanted, background=settings.background, decode=settings.decode
        )
        made = perf_counter()
        data = preprocess.tensor_bytes(prepared.pixels, wanted.range, loaded.input, loaded.target)
        filled = perf_counter()
        deadline.check("the model ran")
        answered = interpreter.run(data)
        ran = Ran(list(zip(interpreter.outputs, answered, strict=True)), prepared.placement)
        return ran, (waited, made, filled, perf_counter())

    # Decoded only by who has an interpreter: as many images are in memory at a time as there are of those.
    ran, (waited, made, filled, ended) = loaded.pool.run(work, deadline.less(needed), queue)
    timings += (
        ("wait", waited - begun),
        ("prepare", made - waited),
        ("preprocess", filled - made),
        ("invoke", ended - filled),
    )
    pace.learn(pixels, filled - waited, ended - filled)
    return ran
