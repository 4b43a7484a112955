"""The engine of this machine: a process a core, each with a predictor of one thread and downloads beside it.

Processes, because Python's lock would have the downloads of one image wait for another's decoding; downloads in
threads, so that a core is never idle while origins answer.
"""

import heapq
import json
import select
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from mlserverless.batch.engine import ENDING, Done, Identity, Item, Stopped
from mlserverless.batch.process import Process, Task
from mlserverless.batch.retry import Retry
from mlserverless.config import vcpus
from mlserverless.errors import InternalError
from mlserverless.sinks.log import to_line
from mlserverless.types import told

DOWNLOADS = 16  # of a process, at a time
BUNDLE = 4  # items that a process is given at once
AHEAD = 2 * BUNDLE  # items that wait in a process, so that it need not wait for the next
WINDOW = 8192  # items taken and not given back yet: an image that is tried for long does not hold up the rest
HELD = 64 << 20  # bytes of their answers
DEATHS = 20  # processes that end in turn, without an answer between
LONGEST_S = 1.0  # between two looks at what is due
GATHER_S = 0.02  # in which answers gather: to be woken for each takes as long as to read it


class Local:
    """Answers with ``workers`` processes, by default one a core.

    ``settings`` are the predictor's, by name, and ``options`` a request's; what is None is as it is by default.
    An image over which a process dies is tried once more alone, and then told as a problem, ``internal``.
    """

    def __init__(
        self,
        settings: dict[str, Any],
        options: dict[str, Any],
        *,
        workers: int = 0,
        downloads: int = DOWNLOADS,
        retry: Retry = Retry(),  # noqa: B008 - frozen
    ) -> None:
        given = {name: value for name, value in settings.items() if value is not None}
        chosen = {name: value for name, value in options.items() if value is not None}
        self._wanted = {"settings": given, "options": chosen, "downloads": downloads}
        self._most, self._retry = downloads + AHEAD, retry
        self._number = workers or max(1, round(vcpus()))
        self._processes: list[Process] = []
        self._identity: Identity | None = None
        self._deaths, self._more = 0, False
        self._order: deque[Task] = deque()  # taken and not given back
        self._held = 0
        self._due: list[tuple[float, int, Task]] = []  # a heap of what is tried again, and when

    def open(self) -> Identity:
        """Start the processes, and return whose answers they give; raise Stopped where they cannot."""
        while len(self._processes) < self._number:
            self._processes.append(Process(self._wanted))
        while self._identity is None:
            self._look(LONGEST_S)
        return self._identity

    def run(self, items: Iterator[Item]) -> Iterator[Done]:
        """Yield what becomes of each of ``items``, in their order; see :class:`Engine`."""
        self.open()
        self._more = True
        try:
            while self._more or self._order:
                self._hand_out(items)
                while self._order and (text := self._order[0].result) is not None:
                    task = self._order.popleft()
                    self._held -= len(text)
                    yield Done(task.item.index, task.item.source, json.loads(text), task.attempts)
                if self._order or self._more:  # or no process is ready yet
                    self._look(self._patience())
        finally:
            if self._order:  # nobody asks for what is under way
                self.close()

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.close()
        self._processes.clear()
        self._order.clear()
        self._due.clear()
        self._held = 0

    def _patience(self) -> float:
        # What is due already could not be handed out: whoever answers next makes room for it.
        due = self._due[0][0] - time.monotonic() if self._due else LONGEST_S
        return min(due, LONGEST_S) if due > 0 else LONGEST_S

    def _hand_out(self, items: Iterator[Item]) -> None:
        for process in self._processes:
            process.try_suspect()
        while self._processes:
            process = max(self._processes, key=lambda one: one.room(self._most))
            # In bundles: fewer writes, and fewer wakings of the other side.
            if process.room(self._most) < BUNDLE:
                return
            tasks = [task for _ in range(BUNDLE) if (task := self._next(items)) is not None]
            if not tasks:
                return
            process.give(tasks)

    def _next(self, items: Iterator[Item]) -> Task | None:
        if self._due and self._due[0][0] <= time.monotonic():
            return heapq.heappop(self._due)[2]
        if not self._more or len(self._order) >= WINDOW or self._held >= HELD:
            return None
        if (item := next(items, None)) is None:
            self._more = False
            return None
        self._order.append(task := Task(item))
        return task

    def _look(self, seconds: float) -> None:
        if select.select(self._processes, (), (), seconds)[0]:
            time.sleep(GATHER_S)
        readable, _, _ = select.select(self._processes, (), (), 0)
        for process in readable:
            lines = process.lines()
            if lines is None:
                self._bury(process)
                continue
            for line in lines:
                self._take(process, line)

    def _take(self, process: Process, line: bytes) -> None:
        if not process.ready:
            self._greet(process, json.loads(line))
            return
        self._deaths = 0
        index, asked, text = line.split(b" ", 2)
        task = process.under_way.pop(int(index))
        if b'"code":' in text:  # of a problem: in a label the quotes would be escaped
            problem = json.loads(text)
            if problem["code"] in ENDING:
                raise Stopped(problem["code"], problem["detail"])
            if (pause := self._retry.pause(problem, task.attempts, int(asked) or None)) is not None:
                heapq.heappush(self._due, (time.monotonic() + pause, task.item.index, task))
                return
        self._settle(task, text)

    def _greet(self, process: Process, said: dict[str, Any]) -> None:
        if "code" in said:
            raise Stopped(said["code"], said["detail"])
        found = Identity(**said)
        if self._identity not in (None, found):
            raise Stopped("model-unavailable", "The model or a setting has changed while the batch ran.")
        process.ready, self._identity = True, found

    def _settle(self, task: Task, text: bytes) -> None:
        task.result = text
        self._held += len(text)

    def _bury(self, process: Process) -> None:
        how, self._deaths = process.ended(), self._deaths + 1
        if self._identity is None or self._deaths >= DEATHS:
            raise Stopped(
                "internal", f"A worker process {how}. Fewer --workers than {self._number} take less memory."
            )
        suspects = [*process.under_way.values(), *process.suspects]
        if process.alone and process.under_way:
            task = suspects.pop(0)
            index = str(task.item.index)
            died = InternalError(f"The process that tried this image alone {how}.")
            self._settle(task, to_line(told(died).to_dict(index)).encode())
        self._processes[self._processes.index(process)] = Process(self._wanted, suspects)
        process.close()
