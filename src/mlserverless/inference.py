"""An opened image and a loaded model -> the best classes, by an interpreter of the model's pool.

Imported with the first image: a cold function is waiting for that one's bytes meanwhile.
"""

import math
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING

from mlserverless import postprocess, prepare, preprocess
from mlserverless.config import Settings
from mlserverless.deadline import Deadline
from mlserverless.engines import Interpreter
from mlserverless.errors import DeadlineExceeded, ImageTooLarge, Overloaded
from mlserverless.loading import Loaded
from mlserverless.pace import Pace
from mlserverless.types import Prediction, Request

if TYPE_CHECKING:
    from PIL.Image import Image

LONGER = 10  # times as long as a fraction of it may take, the whole of a JPEG; five at 12 megapixels
Timings = list[tuple[str, float]]


def classify(
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

    Where ``image`` was decoded at a fraction of its size and two classes are nearly equal, ``again`` opens it once
    more, to be decoded whole if there is time: which of the two is first is then not left to the fraction. Raises
    InvalidRequest for options that do not fit the model, Overloaded where no interpreter comes free,
    DeadlineExceeded, UndecodableImage, ImageTooLarge, ModelUnavailable.
    """
    default = postprocess.Choice(
        settings.top_k, settings.score_threshold, settings.labels_allow, settings.labels_deny
    )
    choice = postprocess.choose(request.options, default, loaded.model.labels)
    whole = image.size
    output = run(loaded, image, settings, pace, deadline, timings, queue)
    values = postprocess.scores(output, loaded.output, loaded.model.output.activation)
    order = postprocess.leading(values, loaded.model.labels, choice)
    if (
        again is not None
        and image.size != whole
        and postprocess.nearly_equal([values[i] for i in order])
        and (soon := deadline.less(LONGER * _worked(timings))).remaining()
        > 0  # begun later, it would not end in time
    ):
        with suppress(Overloaded, DeadlineExceeded, ImageTooLarge):  # the first answer is one, too
            wholly = settings._replace(decode="whole")
            output = run(loaded, again(), wholly, Pace(), soon, timings, queue)
            values = postprocess.scores(output, loaded.output, loaded.model.output.activation)
            order = postprocess.leading(values, loaded.model.labels, choice)
    chosen = postprocess.best(values, loaded.model.labels, choice, order)
    rounded = tuple((name, round(1000 * seconds, 3)) for name, seconds in timings)
    return Prediction(loaded.model.name, loaded.model.sha256, chosen, rounded)


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
) -> bytes:
    """Return the bytes of the model's output for ``image``; add the stages' ``timings``."""
    height, width = loaded.input.shape[1:3]
    pixels = image.width * image.height
    needed = pace.check(pixels, deadline)
    begun = perf_counter()

    def work(interpreter: Interpreter) -> tuple[bytes, tuple[float, float, float, float]]:
        waited = perf_counter()
        prepared = prepare.prepare_image(
            image,
            (width, height),
            resize=loaded.model.input.resize,
            fit=loaded.model.input.fit,
            crop=loaded.model.input.crop,
            background=settings.background,
            decode=settings.decode,
        )
        made = perf_counter()
        data = preprocess.tensor_bytes(prepared.tobytes(), loaded.model.input.range, loaded.input)
        filled = perf_counter()
        deadline.check("the model ran")
        output = interpreter.run(data)[0]
        return output, (waited, made, filled, perf_counter())

    # Decoded only by who has an interpreter: as many images are in memory at a time as there are of those.
    output, (waited, made, filled, ended) = loaded.pool.run(work, deadline.less(needed), queue)
    timings += (
        ("wait", waited - begun),
        ("prepare", made - waited),
        ("preprocess", filled - made),
        ("invoke", ended - filled),
    )
    pace.learn(pixels, filled - waited, ended - filled)
    return output
