"""What goes wrong: crashes at three moments, slow origins, a store that fails now and then, or for a while."""

import random
from types import SimpleNamespace
from typing import Any

import obstore
from obstore.exceptions import GenericError
from obstore.store import MemoryStore

from helpers.services import PREDICTION
from mlserverless.config import Settings
from mlserverless.deadline import Deadline
from mlserverless.errors import SourceTimeout, UndecodableImage
from mlserverless.overlap import Turns
from mlserverless.types import Prediction, Request


class Crash(BaseException):
    """The process died: nothing in it may catch this, as nothing catches a signal 9."""


class Faults:
    """The mix, as probabilities: of an invocation, of an item, of an event. ``now`` is the virtual time."""

    crash_at_start = 0.01  # of an invocation, before anything was done
    crash_after_write = 0.005  # of a result, written and not acknowledged
    crash_before_ack = 0.01  # of an invocation, answered and not heard
    slow = 0.005  # of an item: its origin takes too long
    write_fails = 0.0025  # of a result
    twice = 0.02  # of an event: delivered a second time though it was acknowledged
    poison = 0.02  # of an event: half of it cannot be read, half is no image
    killers = 0.0002  # of an event: it ends every process that touches it
    spacing = 0.01  # seconds between two events' arrivals
    outages = ((40.0, 50.0), (250.0, 260.0), (400.0, 410.0))  # from and to, in seconds: no write succeeds

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.now = rng, 0.0

    def out(self) -> bool:
        """Return whether the store is out now."""
        return any(begin <= self.now < end for begin, end in self.outages)


class Predictor:
    """Answers by the object's name, without a model: what a delivery does is the question here."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self.settings = Settings.load({}, sink="s3://results/out")

    @property
    def loaded(self) -> Any:
        return SimpleNamespace(model=SimpleNamespace(name=PREDICTION.model, sha256=PREDICTION.sha256))

    @property
    def concurrency(self) -> int:
        return 1

    def answer(
        self, request: Request, deadline: Deadline, *, queue: float, turns: Turns | None = None
    ) -> Prediction:
        name = (request.url or "").rpartition("/")[2]
        if name.startswith("killer"):
            raise Crash
        if name.startswith("text"):
            raise UndecodableImage("It is none.")
        if self._faults.rng.random() < self._faults.slow:
            raise SourceTimeout("It took too long.")
        return PREDICTION


class Store:
    """obstore's own store in memory, which keeps create-only as the clouds' do, with faults before and after."""

    def __init__(self, faults: Faults) -> None:
        self._faults, self.memory = faults, MemoryStore()
        self.offered = 0

    def put(self, key: str, data: bytes, *, mode: str, use_multipart: bool) -> None:
        rng = self._faults.rng
        if self._faults.out() or rng.random() < self._faults.write_fails:
            raise GenericError("status code: 503")
        self.offered += 1
        try:
            obstore.put(self.memory, key, data, mode=mode, use_multipart=use_multipart)
        finally:
            if rng.random() < self._faults.crash_after_write:
                raise Crash
