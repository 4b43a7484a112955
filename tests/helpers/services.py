"""Services around predictors that answer what a test says, without a model."""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from mlserverless.config import Settings
from mlserverless.deadline import Deadline
from mlserverless.errors import InvalidRequest
from mlserverless.serving import Service
from mlserverless.sinks import LogSink, Sink
from mlserverless.types import Options, Prediction, Request, Score

PREDICTION = Prediction(
    "fake", "0" * 64, (Score("cat", 3, 0.5), Score("a dog", 1, 0.25)), (("download", 1.25), ("invoke", 2.5))
)
WIRE = {
    "model": "fake",
    "sha256": "0" * 64,
    "predictions": [{"label": "cat", "index": 3, "score": 0.5}, {"label": "a dog", "index": 1, "score": 0.25}],
}


class FakePredictor:
    """Keeps the requests it is asked, and what was left of each one's deadline.

    ``answer`` is what it answers, raises, or calls with the request. The members of a batch come in any order.
    """

    def __init__(self, answer: Any = PREDICTION, **settings: Any) -> None:
        self._answer, self.settings = answer, Settings.load({}, **settings)
        self.requests: list[Request] = []
        self.left: list[float] = []
        self.warmed = 0

    @property
    def loaded(self) -> Any:
        return self.load()

    def load(self, deadline: Deadline | None = None) -> Any:
        return SimpleNamespace(model=SimpleNamespace(name=PREDICTION.model, sha256=PREDICTION.sha256))

    def named(self, name: str | None) -> "FakePredictor":
        if name is not None:
            raise InvalidRequest(f"{name!r} is not a model of this function.")
        return self

    def check(self, options: Options, deadline: Deadline) -> None:
        """Every option fits."""

    def warm_up(self) -> None:
        self.warmed += 1

    def answer(self, request: Request, deadline: Deadline, *, queue: float = math.inf) -> Prediction:
        self.queue = queue
        self.requests.append(request)
        self.left.append(deadline.remaining())
        found = self._answer(request) if callable(self._answer) else self._answer
        if isinstance(found, Exception):
            raise found
        return found


class FakeService(Service):
    """A service around a :class:`FakePredictor`; ``lines`` is what its sink was given."""

    def __init__(self, answer: Any = PREDICTION, sink: Sink | None = None, **settings: Any) -> None:
        self.fake = FakePredictor(answer, **settings)
        self.lines: list[str] = []
        make: Callable[[], Any] = lambda: self.fake  # noqa: E731
        super().__init__(make, sink or LogSink(self.lines.append), self.lines.append)

    @property
    def requests(self) -> list[Request]:
        return self.fake.requests
