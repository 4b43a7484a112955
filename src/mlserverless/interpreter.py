"""Load once, never share: a pool of interpreters, each used by one thread at a time.

An interpreter that two threads run at once answers wrongly without a word (measured), so work is given to the
pool, which does it with one that nobody else has. The first is loaded by whoever comes first while the others
wait; more are loaded only when every one is in use, up to the pool's size.

One request alone is fastest on all of the vCPU share. Several at a time are fastest on one thread each: two
interpreters of two threads answered 370 images a second on two cores, two of one thread 443 (benchmarks, part
``threads``). So the first interpreter has all the threads and is for who is alone; the others share them.

Who finds an interpreter works with it in its own thread. Where requests queue, threads of the pool's own do their
work, one after the other: were each handed an interpreter instead, that would lie idle until the waiting thread is
scheduled and has Python's lock. Eight threads that pause half a millisecond between images, as a server's do,
answered 150 a second that way, and 229 this way.
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any, TypeVar

from mlserverless.deadline import Deadline
from mlserverless.engines import Interpreter
from mlserverless.errors import Overloaded
from mlserverless.overlap import Job

REST_S = 10.0  # after which a thread of the pool's own ends
Result = TypeVar("Result")
_forking = threading.Lock()


def _forget() -> None:
    # It may be held by a thread that a fork does not have.
    global _forking
    _forking = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


class Pool:
    """At most ``size`` interpreters in use at a time, the warmest first.

    ``load(n)`` makes one of ``n`` threads: ``wide`` for who is alone, ``narrow`` for each of several. Where the
    two differ, the wide one stays beside ``size`` narrow ones.
    """

    def __init__(self, load: Callable[[int], Interpreter], size: int, *, wide: int = 1, narrow: int = 1) -> None:
        self._load, self.size, self._wide, self._narrow = load, size, wide, narrow
        self._most = size + (wide != narrow and size > 1)
        self._begin([])

    def _begin(self, idle: list[Interpreter]) -> None:
        self._first: Interpreter | None = None  # the wide one
        self._idle, self._made, self._in_use = idle, len(idle), 0
        self._jobs: deque[Job[Any]] = deque()
        # Guards all of this, and tells the pool's own threads, of which ``_resting`` wait, what they are handed.
        self._changed = threading.Condition()
        self._handed: list[Interpreter] = []
        self._resting, self._owner = 0, os.getpid()

    def _inherit(self) -> None:
        # A fork has none of its parent's threads: those of the pool, those that wait or work, nor an engine's, and
        # an interpreter of several threads would run on one of them, or wait for the others for ever.
        with _forking:
            if self._owner != os.getpid():
                self._begin(self._idle if self._wide == self._narrow == 1 else [])

    @property
    def made(self) -> int:
        """How many interpreters have been loaded, or are being loaded now."""
        return self._made

    def run(self, work: Callable[[Interpreter], Result], deadline: Deadline, queue: float = inf) -> Result:
        """Return ``work(interpreter)``, done by this thread, or by one of the pool's own where it has to wait.

        Raises Overloaded where none comes free before the ``deadline`` or ``queue`` requests wait already (each
        holds an image, and who asked may have given up), what loading raises, and what ``work`` does. Without a
        ``queue``, as the members of a batch are, it does not count as one that waits: a batch is one caller's, and
        may not fill the queue of everybody's.
        """
        if self._owner != os.getpid():
            self._inherit()
        with self._changed:
            if self._in_use >= self.size:
                if (waiting := sum(job.counted for job in self._jobs)) >= queue:
                    raise Overloaded(f"All {self.size} interpreters are busy and {waiting} requests wait already.")
                self._jobs.append(job := Job(work, counted=queue != inf))
            else:
                self._in_use += 1
                job = None
        if job is not None:
            return self._done(job, deadline)
        interpreter = self._lend()
        try:
            return work(interpreter)
        finally:
            self._give_back(interpreter)

    def _done(self, job: Job[Result], deadline: Deadline) -> Result:
        if not job.done.acquire(timeout=min(deadline.remaining(), threading.TIMEOUT_MAX)):
            with self._changed:
                if job in self._jobs:
                    self._jobs.remove(job)
                    raise Overloaded(f"All {self.size} interpreters were busy until the time was over.")
            job.done.acquire()  # it has begun
        return job.result()

    def _lend(self) -> Interpreter:
        # For who has been counted in ``_in_use``.
        with self._changed:
            if (found := self._pick()) is not None:
                return found
            self._made += 1
            first = self._made == 1
        try:
            made = self._load(self._wide if first else self._narrow)
        except BaseException as error:
            with self._changed:
                self._made -= 1
                self._in_use -= 1
                while self._jobs and not self._in_use:  # nobody is left who would come to them
                    self._jobs.popleft().fail(error)
            raise
        if first and self._wide != self._narrow:
            self._first = made
        return made

    def _pick(self) -> Interpreter | None:
        # The wide one for who is alone, a narrow one for others; None where one more is to be made.
        wanted = self._in_use == 1
        for interpreter in reversed(self._idle):
            if (interpreter is self._first) is wanted:
                self._idle.remove(interpreter)
                return interpreter
        return None if self._made < self._most and not (wanted and self._idle) else self._idle.pop()

    def _give_back(self, interpreter: Interpreter) -> None:
        with self._changed:
            if not self._jobs:
                self._idle.append(interpreter)
                self._in_use -= 1
                return
            self._handed.append(interpreter)
            if len(self._handed) <= self._resting:
                self._changed.notify()
                return
        try:
            threading.Thread(target=self._work, name="mlserverless-pool", daemon=True).start()
        except RuntimeError:  # no thread is to be had: who gives back does what waits, before it answers
            with self._changed:
                mine = self._handed.pop() if self._handed else None  # or one that came to rest just now has it
            if mine is not None:
                self._work_off(mine)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._resting += 1
                try:
                    while not self._handed:
                        if not self._changed.wait(REST_S) and not self._handed:
                            return  # a pool that nobody has any more can go, too
                    interpreter = self._handed.pop()
                finally:
                    self._resting -= 1
            self._work_off(interpreter)
            del interpreter

    def _work_off(self, interpreter: Interpreter) -> None:
        # From one job to the next without a rest, for as long as there are any.
        while (found := self._next(interpreter)) is not None:
            interpreter, job = found
            job.do(interpreter)
            del found, job  # an image and its answer are not kept until the next one comes

    def _next(self, interpreter: Interpreter) -> tuple[Interpreter, Job[Any]] | None:
        with self._changed:
            if not self._jobs:
                self._idle.append(interpreter)
                self._in_use -= 1
                return None
            job = self._jobs.popleft()
            if self._idle and interpreter is self._first:  # which is for who is alone
                self._idle.append(interpreter)
                return self._idle.pop(0), job
            if interpreter is not self._first or self._in_use == 1 or self._made >= self._most:
                return interpreter, job
            self._made += 1
        try:
            narrow = self._load(self._narrow)
        except Exception:  # noqa: BLE001 - it goes on with the one that it has
            with self._changed:
                self._made -= 1
            return interpreter, job
        with self._changed:
            self._idle.append(interpreter)
        return narrow, job


def load_lite_model(
    path: str, *, num_threads: int | None = None, sha256: str = ""
) -> tuple[Any, list[dict[str, Any]], list[dict[str, Any]]]:
    """Return ``(interpreter, input_details, output_details)`` for the .tflite file at ``path``, tensors allocated.

    The interpreter is the Python ``Interpreter`` of LiteRT, tflite-runtime or TensorFlow, the first that is
    installed; the details are what its ``get_input_details`` and ``get_output_details`` return. One thread at a
    time may use it. ``sha256``, where given, is what the file must have; tflite-runtime and TensorFlow, which
    crash on corrupt files, need it. Raises ModelUnavailable where the file or the engine is missing, or the file
    is no model or not that one.
    """
    from mlserverless.engines import first_installed, tflite
    from mlserverless.model import load, trust

    model = load(str(path), sha256)
    name, module, _ = first_installed(tflite.PACKAGES, tflite.interpreter_module)
    trust(name, model)
    interpreter = tflite.allocated(module, model.data, num_threads, f"{name} cannot run {path}")
    return interpreter, interpreter.get_input_details(), interpreter.get_output_details()
