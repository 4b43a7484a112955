"""The items of a batch, answered by a deployed function over HTTP."""

import http.client
import json
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mlserverless import sources
from mlserverless.batch import replies
from mlserverless.batch.address import Address, Answer
from mlserverless.batch.asked import done_of, groups, identified, in_query, paired
from mlserverless.batch.engine import ENDING, Done, Identity, Item, Stopped
from mlserverless.batch.gate import Gate
from mlserverless.batch.replies import Reply
from mlserverless.batch.retry import Retry
from mlserverless.errors import (
    DeadlineExceeded,
    ImageTooLarge,
    InternalError,
    MlserverlessError,
    UndecodableImage,
)

CONCURRENCY = 8
PER_REQUEST = 4  # half of the time that a function takes for an image alone, while origins take 50 ms to answer
AHEAD = 8  # requests a turn that may be ahead of the one whose answer is waited for
PATIENCE = 20  # busy answers that count as no try: with half a minute after each they are ten minutes
SILENT = 20  # items in turn of which no try was answered by the function itself
HEADERS_JSON, HEADERS_BYTES = {"Content-Type": "application/json"}, {"Content-Type": "application/octet-stream"}

Ask = Callable[[Sequence[Item]], Answer]


class Endpoint:
    """Has the function at ``address`` answer, with up to ``concurrency`` requests at a time.

    Up to ``per_request`` URLs go into one request, and are asked for one by one where it fails as a whole. Of a
    file the bytes are sent, alone; one of more than ``max_bytes`` is a problem at once. Those of a request's
    ``options`` that are None are as the function says. Raises ConfigError for options that cannot be sent.
    """

    def __init__(
        self,
        address: Address,
        options: Mapping[str, Any],
        *,
        concurrency: int = CONCURRENCY,
        per_request: int = PER_REQUEST,
        max_bytes: int = 10_000_000,
        retry: Retry = Retry(),  # noqa: B008 - frozen
    ) -> None:
        self._address, self._concurrency, self._per_request = address, concurrency, per_request
        self._max_bytes, self._retry = max_bytes, retry
        lists = {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
        self._options = {name: value for name, value in lists.items() if value is not None}
        self._query = {name: in_query(name, value) for name, value in self._options.items()}
        self._gate = Gate(concurrency)
        self._counting, self._silent = threading.Lock(), 0

    def open(self) -> Identity:
        """Ask the function for its model; raise Stopped where it does not tell."""
        chosen = {name: value for name, value in self._query.items() if name == "model"}
        [done] = self._answers([Item(0, "")], lambda _: self._address.ask("GET", "/model", chosen, {}))
        if done.problem:
            raise Stopped(done.problem, f"{self._address.shown} does not answer: {done.result['detail']}")
        name, digest = done.result.get("name"), done.result.get("sha256")
        if not isinstance(name, str) or not isinstance(digest, str):
            raise Stopped("misconfigured", f"{self._address.shown} does not say at /model which model it has.")
        return Identity(name, digest, {"endpoint": self._address.shown, **self._options})

    def run(self, items: Iterator[Item]) -> Iterator[Done]:
        """Yield what becomes of each of ``items``, in their order; see :class:`Engine`."""
        pool = ThreadPoolExecutor(self._concurrency, thread_name_prefix="mlserverless-batch")
        under_way: deque[Future[list[Done]]] = deque()
        try:
            for group in groups(items, self._per_request):
                under_way.append(pool.submit(self._group, group))
                while under_way and (under_way[0].done() or len(under_way) >= AHEAD * self._concurrency):
                    yield from under_way.popleft().result()
            while under_way:
                yield from under_way.popleft().result()
        finally:
            for left in under_way:
                left.cancel()
            pool.shutdown(wait=False)

    def close(self) -> None:
        """Let go of the connections; what is under way is given up."""
        self._gate.close()
        self._address.close()

    def _group(self, items: Sequence[Item]) -> list[Done]:
        if not items[0].file:
            return self._answers(items, self._ask_urls)
        try:
            image = sources.read(Path(items[0].source), self._max_bytes)
            assert isinstance(image, bytes)
            if len(image) > (most := self._max_bytes):
                raise ImageTooLarge(f"The image has {len(image):,} bytes; at most {most:,} are accepted.")
            if not image:  # which the function would take for a request without one
                raise UndecodableImage("The image is empty: it has 0 bytes.")
        except MlserverlessError as error:
            return [done_of(item, result, 1) for item, result in paired(items, replies.failed(error, items))]
        headers = HEADERS_BYTES | identified(items)
        return self._answers(items, lambda _: self._address.ask("POST", "/predict", self._query, headers, image))

    def _ask_urls(self, items: Sequence[Item]) -> Answer:
        what = {"url": items[0].source} if len(items) == 1 else {"urls": [item.source for item in items]}
        body = json.dumps({**what, **self._options}).encode()
        return self._address.ask("POST", "/predict", {}, HEADERS_JSON | identified(items), body)

    def _answers(self, items: Sequence[Item], ask: Ask, attempts: int = 0) -> list[Done]:
        """Return what ``ask`` gets for ``items``, tried again while it may pass."""
        left, found, busy = list(items), dict[int, Done](), 0
        while left:
            attempts += 1
            reply = self._reply(left, ask)
            busy += reply.busy and busy < PATIENCE
            # One of several may be what the function falls over, or they are too many for it, or for its time.
            apart = reply.whole and not reply.busy and len(left) > 1
            again, longest = list[Item](), 0.0
            for item, result in paired(left, reply):
                pause = self._retry.pause(result, max(1, attempts - busy), reply.asked_s)
                if pause is None and (not apart or result.get("code") in ENDING):
                    found[item.index] = self._settled(done_of(item, result, attempts), reply)
                else:
                    again.append(item)
                    longest = max(longest, pause or 0.0)
            if longest:
                self._gate.rest(longest)
            if apart:
                found |= {done.index: done for item in again for done in self._answers([item], ask, attempts)}
                again = []
            left = again
        return [found[item.index] for item in items]

    def _reply(self, items: Sequence[Item], ask: Ask) -> Reply:
        with self._gate.turn() as began:
            try:
                reply = replies.read(ask(items), items, self._address.shown)
            except ssl.SSLCertVerificationError as error:
                why = error.verify_message
                raise Stopped("misconfigured", f"{self._address.shown} is not who it says: {why}.") from error
            except TimeoutError:
                reply = replies.failed(DeadlineExceeded("The function did not answer in time."), items)
            except (OSError, http.client.HTTPException) as error:
                kind = getattr(error, "strerror", None) or type(error).__name__
                reply = replies.failed(InternalError(f"The function cannot be reached: {kind}."), items)
            if reply.busy:
                self._gate.refused(began, reply.hold_s)
            elif reply.ours:
                self._gate.good()
        return reply

    def _settled(self, done: Done, reply: Reply) -> Done:
        if done.problem in ENDING:
            raise Stopped(done.problem, f"{self._address.shown}: {done.result['detail']}")
        with self._counting:
            self._silent = self._silent + 1 if done.result.get("retryable") and not reply.ours else 0
            if self._silent >= SILENT:
                raise Stopped(done.problem, f"{self._address.shown} does not answer: {done.result['detail']}")
        return done
