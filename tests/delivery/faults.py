"""What goes wrong: crashes at three moments, slow origins, a store that fails now and then, or for a while."""

import math
import random
import threading
from collections import Counter

import obstore
from obstore.exceptions import GenericError
from obstore.store import MemoryStore

from helpers.services import PREDICTION, FakePredictor
from mlserverless.deadline import Deadline
from mlserverless.errors import SourceTimeout, UndecodableImage
from mlserverless.types import Prediction, Request


class Crash(BaseException):
    """The process died: nothing in it may catch this, as nothing catches a signal 9."""


class Faults:
    """The mix, as probabilities: of an invocation, of an item, of an event. ``now`` is the virtual time.

    The items of a batch are answered side by side, in no order. So each draws for itself, by its name and by how
    often it has drawn: one seed is one run.
    """

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

    def __init__(self, seed: str) -> None:
        self._seed, self.now = seed, 0.0
        self._draws, self._lock = Counter[str](), threading.Lock()

    def drawn(self, what: str) -> float:
        """Return a number from 0 to 1, the next one of ``what``, from any thread."""
        with self._lock:
            self._draws[what] += 1
            number = self._draws[what]
        return random.Random(f"{self._seed} {what} {number}").random()

    def out(self) -> bool:
        """Return whether the store is out now."""
        return any(begin <= self.now < end for begin, end in self.outages)


class Predictor(FakePredictor):
    """Answers by the object's name, without a model: what a delivery does is the question here."""

    def __init__(self, faults: Faults) -> None:
        super().__init__(sink="s3://results/out")
        self._faults = faults

    def answer(self, request: Request, deadline: Deadline, *, queue: float = math.inf) -> Prediction:
        name = (request.url or "").rpartition("/")[2]
        if name.startswith("killer"):
            raise Crash
        if name.startswith("text"):
            raise UndecodableImage("It is none.")
        if self._faults.drawn(f"answer {name}") < self._faults.slow:
            raise SourceTimeout("It took too long.")
        return PREDICTION


class Store:
    """obstore's own store in memory, which keeps create-only as the clouds' do, with faults before and after."""

    def __init__(self, faults: Faults) -> None:
        self._faults, self.memory = faults, MemoryStore()
        self.offered, self._lock = 0, threading.Lock()

    def put(self, key: str, data: bytes, *, mode: str, use_multipart: bool) -> None:
        if self._faults.out() or self._faults.drawn(f"write {key}") < self._faults.write_fails:
            raise GenericError("status code: 503")
        with self._lock:
            self.offered += 1
        try:
            obstore.put(self.memory, key, data, mode=mode, use_multipart=use_multipart)
        finally:
            if self._faults.drawn(f"written {key}") < self._faults.crash_after_write:
                raise Crash
