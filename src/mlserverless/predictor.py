"""The five stages, composed: download, prepare, preprocess, interpret, choose."""

import math
import os
import threading
from time import perf_counter
from typing import TYPE_CHECKING, Any

from mlserverless import formats, postprocess, prepare, preprocess
from mlserverless.config import Settings
from mlserverless.deadline import Deadline
from mlserverless.download import download
from mlserverless.errors import DeadlineExceeded, ImageTooLarge, InvalidRequest, SourceNotFound
from mlserverless.loading import Loaded, load
from mlserverless.options import read_options
from mlserverless.pace import Pace
from mlserverless.types import Prediction, Request

if TYPE_CHECKING:
    from PIL.Image import Image


class Predictor:
    """A model, loaded once, that answers from any number of threads.

    Nothing is read before the first prediction or :meth:`load`. ``settings`` override the environment's, by the
    names in :class:`mlserverless.config.Settings`: ``Predictor("models/mine", top_k=1)``. Raises ConfigError for
    a setting that is unknown or not accepted.
    """

    def __init__(self, model: str | os.PathLike[str] | None = None, **settings: Any) -> None:
        if model is not None:
            settings["model"] = os.fspath(model)
        self.settings = Settings.load(**settings)
        self._loading = threading.Lock()
        self._loaded: Loaded | None = None
        self._pace = Pace()

    def load(self, deadline: Deadline | None = None) -> Loaded:
        """Load the model, once, whoever asks first, before the ``deadline``.

        Raises ModelUnavailable where that cannot be done, DeadlineExceeded where another thread still loads it.
        """
        if self._loaded is None:
            deadline = deadline or Deadline()
            if not self._loading.acquire(timeout=min(deadline.remaining(), threading.TIMEOUT_MAX)):
                raise DeadlineExceeded("The time granted to this request was over before the model was loaded.")
            try:
                if self._loaded is None:
                    self._loaded = load(self.settings, deadline)
            finally:
                self._loading.release()
        return self._loaded

    @property
    def loaded(self) -> Loaded | None:
        """The model, None until it is loaded."""
        return self._loaded

    def warm_up(self) -> None:
        """Load the model and run it once on a grey image, so that the first request finds all of it in memory."""
        loaded = self.load()
        shape = loaded.input.shape
        from PIL import Image

        self._run(loaded, Image.new("RGB", (shape[2], shape[1]), (127, 127, 127)), Deadline())

    def predict(
        self,
        source: "str | bytes | os.PathLike[str] | Image | Any",
        *,
        timeout: float | None = None,
        **options: Any,
    ) -> Prediction:
        """Classify one image: a URL (str), encoded image bytes, a file (``Path``), a Pillow image or an RGB array.

        ``timeout`` is in seconds; ``options`` are top_k, score_threshold, labels_allow and labels_deny. A str is
        always a URL and never opens a file. Raises a MlserverlessError that says what is wrong.
        """
        deadline, chosen = Deadline(timeout), read_options(options)
        if isinstance(source, str):
            if ":" not in source:
                words = source.partition("?")[0].partition("#")[0].split()
                shown = (
                    repr(words[0]) if words and len(words[0]) <= 30 else "The text"
                )  # a longer one may be a token
                raise InvalidRequest(f"{shown} is not a URL; a file is given as a pathlib.Path.")
            return self.answer(Request(url=source, options=chosen), deadline)
        if isinstance(source, os.PathLike):
            source = self._file(source)
        if isinstance(source, bytearray | memoryview):
            source = bytes(source)
        if isinstance(source, bytes):
            return self.answer(Request(image=source, options=chosen), deadline)
        with formats.guarded():
            source = _as_image(source)
            source.load()  # whole, so that the caller's own image is not decoded at a fraction of its size
        return self._classify(self.load(deadline), source, Request(options=chosen), deadline, [])

    def answer(self, request: Request, deadline: Deadline, *, queue: float = math.inf) -> Prediction:
        """Answer one ``request`` before the ``deadline``; raise a MlserverlessError that says why not.

        It is Overloaded where every interpreter is busy and ``queue`` requests wait for one already.
        """
        timings: list[tuple[str, float]] = []
        start = perf_counter()
        loaded = self.load(deadline)
        timings.append(("load", perf_counter() - start))
        data = request.image
        if data is None:
            start = perf_counter()
            limit = deadline.less(self._pace.needed(0, deadline))
            data = download(request.url or "", self.settings, limit, request.version, request.pin)
            timings.append(("download", perf_counter() - start))
        if len(data) > (most := self.settings.max_bytes):
            raise ImageTooLarge(f"The image has {len(data):,} bytes; at most {most:,} are accepted.")
        start = perf_counter()
        image = formats.open_image(data, formats=self.settings.formats, max_pixels=self.settings.max_pixels)
        timings.append(("open", perf_counter() - start))
        return self._classify(loaded, image, request, deadline, timings, queue)

    def _classify(
        self,
        loaded: Loaded,
        image: "Image",
        request: Request,
        deadline: Deadline,
        timings: list[tuple[str, float]],
        queue: float = math.inf,
    ) -> Prediction:
        choice = postprocess.choose(request.options, self._default(), loaded.model.labels)
        output, spent = self._run(loaded, image, deadline, queue)
        values = postprocess.scores(output, loaded.output, loaded.model.activation)
        chosen = postprocess.best(values, loaded.model.labels, choice)
        rounded = tuple((name, round(1000 * seconds, 3)) for name, seconds in timings + spent)
        return Prediction(loaded.model.name, loaded.model.sha256, chosen, rounded)

    def _default(self) -> postprocess.Choice:
        settings = self.settings
        return postprocess.Choice(
            settings.top_k, settings.score_threshold, settings.labels_allow, settings.labels_deny
        )

    def _run(
        self, loaded: Loaded, image: "Image", deadline: Deadline, queue: float = math.inf
    ) -> tuple[bytes, list[tuple[str, float]]]:
        height, width = loaded.input.shape[1:3]
        pixels = image.width * image.height
        self._pace.check(pixels, deadline)
        marks = [perf_counter()]
        # Decoded only by who has an interpreter: as many images are in memory at a time as there are of those.
        begin_by = deadline.less(self._pace.needed(pixels, deadline))
        with loaded.pool.borrow(begin_by, queue) as interpreter:
            marks.append(perf_counter())
            prepared = prepare.prepare_image(
                image,
                (width, height),
                resize=loaded.model.resize,
                fit=loaded.model.fit,
                crop=loaded.model.crop,
                background=self.settings.background,
                decode=self.settings.decode,
            )
            marks.append(perf_counter())
            data = preprocess.tensor_bytes(prepared.tobytes(), loaded.model.range, loaded.input)
            marks.append(perf_counter())
            deadline.check("the model ran")
            output = interpreter.run(data)[0]
        marks.append(perf_counter())
        names = "wait", "prepare", "preprocess", "invoke"
        spent = [(name, marks[i + 1] - marks[i]) for i, name in enumerate(names)]
        self._pace.learn(pixels, marks[3] - marks[1], marks[4] - marks[3])
        return output, spent

    def _file(self, path: os.PathLike[str]) -> bytes:
        try:
            with open(path, "rb") as file:
                return file.read(self.settings.max_bytes + 1)
        except OSError as error:
            raise SourceNotFound(f"The file {os.fspath(path)} cannot be read: {error.strerror}.") from error


def _as_image(source: Any) -> "Image":
    from PIL import Image

    if isinstance(source, Image.Image):
        return source
    try:
        return Image.fromarray(source)
    except (AttributeError, TypeError, ValueError) as error:
        raise InvalidRequest(
            f"{type(source).__name__} is not a source; sources are a URL (str), encoded bytes, a Path, a Pillow "
            f"image or an array of uint8 pixels, (height, width, 3) as RGB ({error})."
        ) from error


_default_predictor: list[Predictor] = []
_default_lock = threading.Lock()


def predict(source: "str | bytes | os.PathLike[str] | Image | Any", **options: Any) -> Prediction:
    """Classify one image with the model that the environment's settings name; see :meth:`Predictor.predict`."""
    with _default_lock:
        if not _default_predictor:
            _default_predictor.append(Predictor())
    return _default_predictor[0].predict(source, **options)
