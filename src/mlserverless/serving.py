"""The one seam to every adapter: items in, outcomes out.

Two ports end in the same :func:`answer`: a :class:`Trigger` (events) through :func:`mlserverless.recording.serve`,
and HTTP through :mod:`mlserverless.web`. An adapter decodes and replies; which error is which problem is decided
here.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import mlserverless
from mlserverless import logs
from mlserverless.config import Settings
from mlserverless.deadline import Deadline
from mlserverless.errors import InternalError, InvalidRequest, MethodNotAllowed, MlserverlessError, Overloaded
from mlserverless.logs import log
from mlserverless.net.url import redact
from mlserverless.overlap import Aside, each
from mlserverless.predictor import Predictor
from mlserverless.signals import Signals, since_start
from mlserverless.sinks import Sink, open_sink
from mlserverless.sinks.log import LogSink, print_line, trace
from mlserverless.sinks.records import ModelId
from mlserverless.types import Outcome, Prediction, Problem, Request, told

STORES = ("s3://", "gs://", "az://")
Answer = Callable[[Request, Deadline], Prediction]
ASKED = Request()  # of the first model


class Trigger(Protocol):
    """One kind of event, named by the service's own noun: S3Notification, BlobCreated, StorageFinalized.

    A ``faas_trigger``, if it has one, is what OpenTelemetry calls what brings it: pubsub, datasource, timer.
    """

    def split(self, event: Any) -> Sequence[Any]:
        """Return the items of ``event``; an event may hold none."""

    def decode(self, item: Any) -> Request:
        """Return the request that ``item`` makes; raise InvalidRequest for this item alone."""

    def reply(self, outcomes: Sequence[Outcome], failed: Sequence[Outcome]) -> Any:
        """Return the platform's own answer, or raise Redeliver: ``failed`` are those that it must keep."""


class Redeliver(Exception):
    """Raised to hand an event back to the platform, which delivers it again or dead-letters it."""


class Nothing(Exception):
    """Raised by a trigger's ``decode`` for an item that asks for nothing: it is acknowledged without a record."""


class Service:
    """A predictor and what surrounds it in a function: problems for errors, one log, one sink.

    ``make`` builds the predictor when the first request needs it, so that a wrong setting is answered as a
    problem instead of a crash at import. The sink is the one that the settings name, or ``sink``; ``write`` takes
    the log's lines, and ``tell`` those about requests with their level (a place in signals.lines.NAMES).
    """

    def __init__(
        self,
        make: Callable[[], Predictor] = Predictor,
        sink: Sink | None = None,
        write: Callable[[str], None] = print_line,
        tell: Callable[[int, str], None] | None = None,
    ) -> None:
        self._make, self._given, self._write = make, sink, write
        self._tell = tell or (lambda _, line: write(line))
        self._signals: Signals | None = None
        self._first: list[float | None] = [None]  # see Signals
        self._sink = sink
        self._making = threading.Lock()
        self._predictor: Predictor | None = None

    @property
    def predictor(self) -> Predictor:
        """The predictor, made once; raises ConfigError while the settings are wrong."""
        with self._making:
            if self._predictor is None:
                made = self._make()
                self._signals = self._told_by(made.settings)
                logs.set_level(made.settings.log_level)
                self._predictor = made
            return self._predictor

    @property
    def signals(self) -> Signals:
        """What tells of each request; by the settings' defaults while these are wrong."""
        if self._signals is None:
            try:
                _ = self.predictor
            except Exception:  # noqa: BLE001 - the request finds it, too, and answers it
                return self._told_by(Settings())
        assert self._signals is not None
        return self._signals

    def _told_by(self, settings: Settings) -> Signals:
        return Signals(settings, self._tell, self._engine, self._first, mlserverless.__version__)

    def _engine(self, model: str) -> str:
        loaded = self._predictor.loaded if self._predictor else None
        return getattr(loaded, "engine", "") if loaded and loaded.model.name == model else ""

    @property
    def sink(self) -> Sink:
        """The sink, opened once; raises ConfigError while the settings are wrong."""
        if self._sink is None:
            settings = self.predictor.settings
            with self._making:
                if self._sink is None:
                    self._sink = open_sink(settings.sink, self._write)
        return self._sink

    @property
    def log(self) -> LogSink:
        """The function's log, for what no other sink is to keep."""
        return LogSink(self._write)

    def predict(self, request: Request, deadline: Deadline) -> Prediction:
        """Answer ``request`` within the settings' time; raise a MlserverlessError."""
        predictor = self.predictor
        settings = predictor.settings
        return predictor.answer(request, deadline.within(settings.timeout), queue=settings.queue)

    def predict_member(self, request: Request, deadline: Deadline) -> Prediction:
        """Answer a member of a batch, which waits for the others of it whatever the setting ``queue`` says."""
        predictor = self.predictor
        return predictor.answer(request, deadline.within(predictor.settings.timeout))

    def model(self, request: Request = ASKED) -> ModelId:
        """Return which model answers ``request``; an empty one until it is loaded."""
        try:
            loaded = self.predictor.named(request.options.model).loaded
        except MlserverlessError:
            return ModelId()
        return ModelId(loaded.model.name, loaded.model.sha256) if loaded else ModelId()

    def warm_up(self, *, wait: bool = False) -> None:
        """Do before the first request what it would find undone. A failure is logged; requests tell it, too.

        Certificates and the stores' client are made ready beside the first requests, or with ``wait`` before them:
        where a platform gives this phase more CPU than a request, and freezes what has none.
        """
        with _logged():
            self._prepare(wait=wait)
        if self._first == [None]:
            self._first[:] = [since_start()]

    def suspend(self) -> None:
        """Get ready for a snapshot of this process, of which any number of copies go on with :meth:`resume`.

        What a first request would load is loaded, and what copies cannot share is let go of: connections, and the
        clients of stores and of the sink. Raises a MlserverlessError where the model or a setting cannot be used:
        each copy would fail alike, so that no snapshot is worth taking. No request may be under way.
        """
        from mlserverless import stores

        self._prepare(wait=True)
        stores.prepare()
        _ = self.sink
        self._let_go()

    def resume(self) -> None:
        """Go on as one of the copies: nothing that is unique or that ends is from before the snapshot."""
        self._let_go()
        self._first[:] = [None]
        if random := sys.modules.get("random"):
            random.seed(os.urandom(48))  # SDKs choose by it how long they wait before they try again
        if ssl := sys.modules.get("ssl"):
            ssl.RAND_add(os.urandom(48), 48.0)

    def _prepare(self, *, wait: bool) -> None:
        predictor = self.predictor
        settings = predictor.settings
        named = any(url.startswith(STORES) for url in (settings.sink, settings.schedule_source))
        if wait:
            places = Aside(lambda: _reach(stores=named))  # reads the certificates while the model is read
            predictor.warm_up()
            places.result(Deadline(), "certificates and stores were ready")
        else:
            predictor.warm_up()
            reaching = Aside(_logged()(lambda: _reach(stores=named)))
            if hasattr(os, "register_at_fork"):
                # A server that loads the app and forks then, as gunicorn for functions-framework does: in the
                # fork a lock that this thread holds would be held for ever, and no https request be answered.
                os.register_at_fork(before=reaching.wait)

    def _let_go(self) -> None:
        with self._making:
            self._sink = self._given
        # Only what has been imported holds anything.
        if pool := sys.modules.get("mlserverless.net.pool"):
            pool.clear()
        if stores := sys.modules.get("mlserverless.stores"):
            stores.forget()


@contextmanager
def _logged() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - raised at import it would end the function
        known = isinstance(error, MlserverlessError)
        log().error("warm-up failed: %s", error if known else f"{type(error).__name__}: {error}")


def _reach(*, stores: bool) -> None:
    from mlserverless.net import connection

    connection.trust()
    if stores:
        from mlserverless.stores import prepare

        prepare()


def answer_each(
    items: Iterable[tuple[str, Any]], decode: Callable[[Any], Request], predict: Answer, deadline: Deadline
) -> list[Outcome]:
    """Return one outcome for each ``(id, item)``, in order: one that fails does not take the others with it.

    They are answered side by side, by ``predict`` from several threads: see :meth:`Service.predict_member`. The id
    is the request's where ``decode`` finds none in the item, or fails.
    """
    return each(lambda named: answer(*named, decode, predict, deadline), list(items))


def answer(name: str, item: Any, decode: Callable[[Any], Request], predict: Answer, deadline: Deadline) -> Outcome:
    """Return the outcome of one ``item``: whatever happens, it gets one, unless ``decode`` says Nothing."""
    request = Request(name)
    try:
        request = decode(item)
        request = request if request.id else request._replace(id=name)
        result: Prediction | Problem = predict(request, deadline)
    except Nothing:
        raise
    except Exception as error:  # noqa: BLE001 - the boundary
        if isinstance(error, InvalidRequest) and error.about:
            request = request._replace(id=error.about)
        result = problem(error, request.id, request.url or "")
    return Outcome(item, request.id, redact(request.url) if request.url else "", result, request)


def problem(error: Exception, request_id: str, url: str = "") -> Problem:
    """Return what the caller is told of ``error``; an unknown one is told as internal, its trace logged.

    What ``url`` hides is not logged with it.
    """
    if not isinstance(error, MlserverlessError):
        log().error("request %s failed\n%s", request_id, trace(error, url))
        error = InternalError("Something failed inside the function; its log has more under this request's id.")
    headers: tuple[tuple[str, str], ...] = ()
    if isinstance(error, Overloaded):
        headers = (("Retry-After", str(error.retry_after)),)
    if isinstance(error, MethodNotAllowed):
        headers = (("Allow", ", ".join(error.allow)),)
    return told(error)._replace(headers=headers)


def new_id() -> str:
    """Return a fresh request id, for requests that come without one."""
    return os.urandom(16).hex()
