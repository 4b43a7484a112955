"""The one seam to every adapter: items in, outcomes out, and nothing acknowledged that was not recorded.

Two ports end in the same :func:`answer_each`: a :class:`Trigger` (events) through :func:`serve`, and HTTP through
:mod:`mlserverless.web`. An adapter decodes and replies; which error is which problem and what is retried is
decided here.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from mlserverless.deadline import Deadline
from mlserverless.errors import InternalError, MethodNotAllowed, MlserverlessError, Overloaded
from mlserverless.net.url import redact
from mlserverless.predictor import Predictor
from mlserverless.sinks import LogSink, trace
from mlserverless.types import Outcome, Prediction, Problem, Request

log = logging.getLogger("mlserverless")
Answer = Callable[[Request, Deadline], Prediction]


class Trigger(Protocol):
    """One kind of event, named by the service's own noun: S3Notification, BlobCreated, StorageFinalized."""

    def split(self, event: Any) -> Sequence[Any]:
        """Return the items of ``event``; an event may hold none."""

    def decode(self, item: Any) -> Request:
        """Return the request that ``item`` makes; raise InvalidRequest for this item alone."""

    def reply(self, outcomes: Sequence[Outcome]) -> Any:
        """Return the platform's own answer, or raise Redeliver."""


class Redeliver(Exception):
    """Raised to hand an event back to the platform, which delivers it again or dead-letters it."""


class Service:
    """A predictor and what surrounds it in a function: problems for errors, one log, one sink.

    ``make`` builds the predictor when the first request needs it, so that a wrong setting is answered as a
    problem instead of a crash at import.
    """

    def __init__(self, make: Callable[[], Predictor] = Predictor, sink: LogSink | None = None) -> None:
        self._make, self.sink = make, sink or LogSink()
        self._making = threading.Lock()
        self._predictor: Predictor | None = None

    @property
    def predictor(self) -> Predictor:
        """The predictor, made once; raises ConfigError while the settings are wrong."""
        with self._making:
            if self._predictor is None:
                self._predictor = self._make()
                log.setLevel(self._predictor.settings.log_level.upper())
            return self._predictor

    def predict(self, request: Request, deadline: Deadline) -> Prediction:
        """Answer ``request`` within the settings' time; raise a MlserverlessError."""
        predictor, settings = self.predictor, self.predictor.settings
        return predictor.answer(request, deadline.within(settings.timeout), queue=settings.queue)

    def warm_up(self) -> None:
        """Load and run the model before the first request. A failure is logged; requests will tell it, too."""
        try:
            self.predictor.warm_up()
        except MlserverlessError as error:
            log.error("warm-up failed: %s", error)


def serve(trigger: Trigger, event: Any, service: Service, deadline: Deadline) -> Any:
    """Answer every item of ``event``, record every outcome, and return the trigger's reply."""
    named = [(new_id(), item) for item in trigger.split(event)]
    outcomes = answer_each(named, trigger.decode, service.predict, deadline)
    for outcome in outcomes:
        service.sink.put(outcome)
    return trigger.reply(outcomes)


def answer_each(
    items: Iterable[tuple[str, Any]], decode: Callable[[Any], Request], predict: Answer, deadline: Deadline
) -> list[Outcome]:
    """Return one outcome for each ``(id, item)``, in order: one that fails does not take the others with it.

    The id is the request's where ``decode`` finds none in the item, or fails.
    """
    return [_answer(name, item, decode, predict, deadline) for name, item in items]


def _answer(
    name: str, item: Any, decode: Callable[[Any], Request], predict: Answer, deadline: Deadline
) -> Outcome:
    request = Request(name)
    try:
        request = decode(item)
        request = request if request.id else request._replace(id=name)
        result: Prediction | Problem = predict(request, deadline)
    except Exception as error:  # noqa: BLE001 - the boundary: whatever happens, the item gets an outcome
        result = problem(error, request.id, request.url or "")
    return Outcome(item, request.id, redact(request.url) if request.url else "", result)


def problem(error: Exception, request_id: str, url: str = "") -> Problem:
    """Return what the caller is told of ``error``; an unknown one is told as internal, its trace logged.

    What ``url`` hides is not logged with it.
    """
    if not isinstance(error, MlserverlessError):
        log.error("request %s failed\n%s", request_id, trace(error, url))
        error = InternalError("Something failed inside the function; its log has more under this request's id.")
    headers: tuple[tuple[str, str], ...] = ()
    if isinstance(error, Overloaded):
        headers = (("Retry-After", str(error.retry_after)),)
    if isinstance(error, MethodNotAllowed):
        headers = (("Allow", ", ".join(error.allow)),)
    return Problem(error.status, error.code, error.title, str(error), error.retryable, headers)


def acknowledge(outcomes: Sequence[Outcome]) -> None:
    """Raise Redeliver if any outcome is a problem: the log keeps no work, so the platform must.

    It delivers again what may pass, and dead-letters what does not.
    """
    failed = [(outcome.source, outcome.result) for outcome in outcomes if isinstance(outcome.result, Problem)]
    if failed:
        told = "; ".join(f"{source or 'an item'}: {result.code}: {result.detail}" for source, result in failed)
        raise Redeliver(f"{len(failed)} of {len(outcomes)} items failed: {told}")


def new_id() -> str:
    """Return a fresh request id, for requests that come without one."""
    return os.urandom(16).hex()
