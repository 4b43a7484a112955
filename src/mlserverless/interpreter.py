"""Load once, never share: a pool of interpreters, each used by one thread at a time.

An interpreter that two threads run at once answers wrongly without a word (measured), so a thread borrows one and
gives it back. The first is loaded by whoever comes first while the others wait; more are loaded only when
every one is in use, up to the pool's size.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Any

from mlserverless.deadline import Deadline
from mlserverless.engines import Interpreter
from mlserverless.errors import Overloaded


class Pool:
    """At most ``size`` interpreters made by ``load``, handed out last in, first out (the warmest first)."""

    def __init__(self, load: Callable[[], Interpreter], size: int) -> None:
        self._load, self.size = load, size
        self._idle: list[Interpreter] = []
        self._made = self._waiting = 0
        self._changed = threading.Condition()

    @property
    def made(self) -> int:
        """How many interpreters have been loaded, or are being loaded now."""
        return self._made

    @contextmanager
    def borrow(self, deadline: Deadline, queue: float = inf) -> Iterator[Interpreter]:
        """Lend an interpreter for the ``with`` block.

        Raises Overloaded where none comes free before the ``deadline`` or ``queue`` threads wait already (each
        holds an image, and who asked may have given up), and whatever loading raises.
        """
        interpreter = self._take(deadline, queue)
        try:
            yield interpreter
        finally:
            with self._changed:
                self._idle.append(interpreter)
                self._changed.notify()

    def _take(self, deadline: Deadline, queue: float) -> Interpreter:
        with self._changed:
            while not self._idle:
                if self._made < self.size:
                    self._made += 1
                    break
                self._wait(deadline, queue)
            else:
                return self._idle.pop()
        try:
            return self._load()
        except BaseException:
            with self._changed:
                self._made -= 1
                self._changed.notify()
            raise

    def _wait(self, deadline: Deadline, queue: float) -> None:
        if self._waiting >= queue:
            raise Overloaded(f"All {self.size} interpreters are busy and {self._waiting} requests wait already.")
        self._waiting += 1
        try:
            if not self._changed.wait(min(deadline.remaining(), threading.TIMEOUT_MAX)):
                raise Overloaded(f"All {self.size} interpreters were busy until the time was over.")
        finally:
            self._waiting -= 1


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
