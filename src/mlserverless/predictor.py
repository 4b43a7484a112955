"""The five stages, composed: download, prepare, preprocess, interpret, choose.

What a stage needs is imported by the first request that comes to it. A cold function sends the request for its
first image before it has imported Pillow, and loads the model while it waits for the answer.
"""

import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import TYPE_CHECKING, Any

from mlserverless.config import Settings
from mlserverless.deadline import Deadline
from mlserverless.download import download
from mlserverless.errors import (
    DeadlineExceeded,
    ImageTooLarge,
    InvalidRequest,
    MlserverlessError,
    ModelUnavailable,
)
from mlserverless.options import read_options
from mlserverless.overlap import Aside
from mlserverless.pace import Pace
from mlserverless.readers import shown
from mlserverless.types import Options, Prediction, Problem, Request

if TYPE_CHECKING:
    from PIL.Image import Image

    from mlserverless.inference import Timings
    from mlserverless.loading import Loaded


class Predictor:
    """A model, loaded once, that answers from any number of threads.

    Nothing is read before the first prediction or :meth:`load`. ``settings`` override the environment's, by the
    names in :class:`mlserverless.config.Settings`: ``Predictor("models/mine", top_k=1)``. Raises ConfigError for
    a setting that is unknown or not accepted.
    """

    def __init__(self, model: str | os.PathLike[str] | None = None, **settings: Any) -> None:
        if model is not None:
            settings["model"] = os.fspath(model)
        self._begin(Settings.load(**settings))

    def _begin(self, settings: Settings) -> None:
        self.settings = settings
        self._others: dict[str, Predictor] | None = None
        self._loading, self._naming = threading.Lock(), threading.Lock()
        self._loaded: Loaded | None = None
        self._pace = Pace()

    def load(self, deadline: Deadline | None = None, spare: Callable[[], bool] = lambda: False) -> "Loaded":
        """Load the model, once, whoever asks first, before the ``deadline``.

        Where there is time to ``spare`` then, it is run once, too. Raises ModelUnavailable where that cannot be
        done, DeadlineExceeded where another thread still loads it.
        """
        if self._loaded is None:
            deadline = deadline or Deadline()
            if not self._loading.acquire(timeout=min(deadline.remaining(), threading.TIMEOUT_MAX)):
                raise DeadlineExceeded("The time granted to this request was over before the model was loaded.")
            try:
                if self._loaded is None:
                    from mlserverless.loading import load

                    self._loaded = load(self.settings, deadline, spare)
            finally:
                self._loading.release()
        return self._loaded

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the models that a request may choose, the first model's first."""
        from mlserverless import naming

        return tuple(naming.names(self.settings))

    def named(self, name: str | None) -> "Predictor":
        """Return the predictor of the model called ``name``: this one for None and for the first model's.

        Another is made by the first who asks for it, and shares nothing but the settings with this one. Raises
        InvalidRequest where none is called so, ModelUnavailable where the settings' models cannot be told apart.
        """
        if name is None:
            return self
        from mlserverless import naming  # most functions have one model

        with self._naming:  # its own: who asks for one does not wait until another is loaded
            if self._others is None:
                first, *others = naming.names(self.settings).items()
                self._others = {first[0]: self} | {other: self._beside(where) for other, where in others}
            if found := self._others.get(name):
                return found
        known = ", ".join(self._others)
        raise InvalidRequest(f"{shown(name)} is not a model of this function; models are {known}.")

    def check(self, options: Options, deadline: Deadline) -> None:
        """Raise InvalidRequest where no image can be answered with ``options``.

        A model that cannot be loaded for that is no reason: each image's own answer tells it.
        """
        other = self.named(options.model)
        try:
            loaded = other.load(deadline)
        except MlserverlessError:
            return
        from mlserverless import inference

        inference.check(options, loaded, other.settings)

    def _beside(self, where: str) -> "Predictor":
        other = Predictor.__new__(Predictor)
        other._begin(self.settings._replace(model=where, model_sha256="", models=()))
        return other

    @property
    def loaded(self) -> "Loaded | None":
        """The model, None until it is loaded."""
        return self._loaded

    def warm_up(self) -> None:
        """Load the model and all that a first request would; run it on a grey image of each accepted format."""
        loading = Aside(self.load)
        from mlserverless import formats, inference
        from mlserverless.net import client  # noqa: F401 - what a URL's image comes by

        examples = [formats.open_image(data) for data in formats.prepare(self.settings.formats)]
        loaded = loading.result(Deadline(), "the model was loaded")
        for image in examples or [formats.grey()]:
            inference.run(loaded, image, self.settings, Pace(), Deadline(), [])

    def predict(
        self,
        source: "str | bytes | os.PathLike[str] | Image | Any",
        *,
        timeout: float | None = None,
        **options: Any,
    ) -> Prediction:
        """Classify one image: a URL (str), encoded image bytes, a file (``Path``), a Pillow image or an RGB array.

        ``timeout`` is in seconds; ``options`` are top_k, score_threshold, labels_allow, labels_deny, and model,
        the name of one of several. A str is always a URL and never opens a file. Raises a MlserverlessError that
        says what is wrong.
        """
        from mlserverless import sources  # a function's requests come by :meth:`answer`

        deadline, chosen = Deadline(timeout), read_options(options)
        taken = sources.read(source, self.settings.max_bytes)
        if isinstance(taken, str):
            return self.answer(Request(url=taken, options=chosen), deadline)
        if isinstance(taken, bytes):
            return self.answer(Request(image=taken, options=chosen), deadline)
        from mlserverless import inference

        other = self.named(chosen.model)
        request = Request(options=chosen)
        return inference.answer(other.load(deadline), taken, request, other.settings, other._pace, deadline, [])

    def predict_many(
        self, sources: Iterable[Any], *, workers: int = 16, timeout: float | None = None, **options: Any
    ) -> Iterator[Prediction | Problem]:
        """Classify ``sources``, each as :meth:`predict` takes it, and yield what becomes of each, in their order.

        An image that cannot be classified yields a :class:`Problem`, and the others go on. ``workers`` threads
        overlap downloads; ``timeout`` (seconds) is an image's. Sources are taken as results are asked for, a few
        for each thread ahead, so that there may be any number of them. Raises InvalidRequest for ``options`` that
        no image could be asked with, and in an image's place ModelUnavailable or ConfigError, where none could be
        answered.
        """
        from mlserverless import many  # a function answers one request at a time

        return many.predict_many(self.predict, sources, workers, timeout, options)

    def answer(self, request: Request, deadline: Deadline, *, queue: float = math.inf) -> Prediction:
        """Answer one ``request`` before the ``deadline``; raise a MlserverlessError that says why not.

        It is Overloaded where every interpreter is busy and ``queue`` requests wait for one already.
        """
        return self.named(request.options.model)._answer(request, deadline, queue)

    def _answer(self, request: Request, deadline: Deadline, queue: float) -> Prediction:
        timings: Timings = []
        cold = _Cold(self, deadline) if self._loaded is None else None
        try:
            data = self._bytes(request, deadline, timings, cold.begin if cold else None)
            image = self._opened(data, timings)
            loaded = self._waited_for(cold, deadline, timings)
            from mlserverless import inference

            return inference.answer(
                loaded,
                image,
                request,
                self.settings,
                self._pace,
                deadline,
                timings,
                queue,
                lambda: self._opened(data, timings),
            )
        except ModelUnavailable:
            raise
        except MlserverlessError:
            # A model that cannot be used is told before an image that cannot, whichever was found out first.
            self._waited_for(cold, deadline, [])
            raise

    def _bytes(
        self,
        request: Request,
        deadline: Deadline,
        timings: "Timings",
        meanwhile: Callable[[], None] | None,
    ) -> bytes:
        data = request.image
        if data is None:
            start = perf_counter()
            limit = deadline.less(self._pace.needed(0, deadline))
            url, version, pin, trace = request.url or "", request.version, request.pin, request.trace
            data = download(url, self.settings, limit, version, pin, meanwhile, trace)
            timings.append(("download", perf_counter() - start))
        elif meanwhile:
            meanwhile()
        if len(data) > (most := self.settings.max_bytes):
            raise ImageTooLarge(f"The image has {len(data):,} bytes; at most {most:,} are accepted.")
        return data

    def _opened(self, data: bytes, timings: "Timings") -> "Image":
        start = perf_counter()
        from mlserverless import formats

        image = formats.open_image(data, formats=self.settings.formats, max_pixels=self.settings.max_pixels)
        timings.append(("open", perf_counter() - start))
        return image

    def _waited_for(self, cold: "_Cold | None", deadline: Deadline, timings: "Timings") -> "Loaded":
        # What loading took beyond what else there was to do meanwhile.
        start = perf_counter()
        loaded = cold.loaded() if cold else self.load(deadline)
        timings.append(("load", perf_counter() - start))
        return loaded


class _Cold:
    """What a first request has done aside while it waits for its image: the model is loaded and run once."""

    def __init__(self, predictor: Predictor, deadline: Deadline) -> None:
        self._predictor, self._deadline = predictor, deadline
        self._aside: Aside[None] | None = None
        self._waiting = True

    def begin(self) -> None:
        """Begin, once."""
        if self._aside is None:
            self._aside = Aside(self._run)

    def loaded(self) -> "Loaded":
        """Return the model when it is loaded; raises as :meth:`Predictor.load`."""
        self._waiting = False
        if self._predictor.loaded is None and self._aside is not None:
            self._aside.result(self._deadline, "the model was loaded")
        return self._predictor.load(self._deadline)

    def _run(self) -> None:
        self._predictor.load(self._deadline, lambda: self._waiting)
        # The image may still be on its way: what opens one of the likeliest kind, too.
        from mlserverless import formats, inference  # noqa: F401

        formats.prepare(self._predictor.settings.formats[:1])


_default_predictor: list[Predictor] = []
_default_lock = threading.Lock()


def predict(source: "str | bytes | os.PathLike[str] | Image | Any", **options: Any) -> Prediction:
    """Classify one image with the model that the environment's settings name; see :meth:`Predictor.predict`."""
    with _default_lock:
        if not _default_predictor:
            _default_predictor.append(Predictor())
    return _default_predictor[0].predict(source, **options)
