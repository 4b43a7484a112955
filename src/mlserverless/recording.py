"""Events: every outcome recorded before its item is acknowledged, and the rest handed back to the platform.

An item is acknowledged once its outcome stands in the sink. Which problems may end there is decided here, once:

- What may pass (``retryable``) is never recorded under its key, where it would stand in the way of the answer that
  a later delivery makes. It is handed back.
- What the deployment is to blame for (settings, the model, rights, the sink) says nothing about the item. It is
  handed back, so that the platform's dead-letter queue has it when the deployment is mended.
- What will never pass is recorded and acknowledged where the sink keeps it. The log keeps nothing, so there it is
  recorded and handed back all the same: the dead-letter queue is its place.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mlserverless.deadline import Deadline
from mlserverless.errors import MlserverlessError
from mlserverless.logs import log
from mlserverless.overlap import each
from mlserverless.serving import Answer, Nothing, Redeliver, Service, Trigger, answer, new_id, problem
from mlserverless.sinks import Sink
from mlserverless.sinks.records import key, key_of, record
from mlserverless.sinks.unread import Unread
from mlserverless.types import Outcome, Problem, Request

NO_HEADERS: dict[str, str] = {}
TOLD = 10  # failures that are named in what the platform is given
WRITE_S, WRITE_SHARE = 3.0, 0.1  # what a prediction leaves of its time for the write, at most and as a share


def serve(
    trigger: Trigger,
    event: Any,
    service: Service,
    deadline: Deadline,
    *,
    sink: Sink | None = None,
    resume: bool = False,
    in_turn: bool = False,
    invocation: str = "",
    headers: Mapping[str, str] = NO_HEADERS,
) -> Any:
    """Answer every item of ``event``, record every outcome, and return the trigger's reply.

    Items are answered side by side, and each is recorded as soon as it is answered: where the process dies over
    one, what was answered before is recorded. With ``in_turn`` each begins when the one before it is recorded.
    ``sink`` is in the place of the service's own, for one invocation. With ``resume`` what is recorded already is
    not predicted again. ``invocation`` is the platform's id of it, and ``headers`` may tell its trace: the log has
    one line an event.
    """
    call = service.signals.begin(getattr(trigger, "faas_trigger", "other"), headers, invocation)
    try:
        items = trigger.split(event)
    except MlserverlessError as error:
        service.signals.end(call, (problem(error, invocation),), invocation)
        raise
    predict = service.predict_member if len(items) > 1 and not in_turn else service.predict

    def one(item: Any) -> tuple[Outcome | None, bool]:
        return _one(trigger, item, service, predict, deadline, sink or _opened(service), resume)

    ended = [(outcome, kept) for outcome, kept in each(one, items, in_turn=in_turn) if outcome is not None]
    outcomes = [outcome for outcome, _ in ended]
    failed = [outcome for outcome, kept in ended if not kept]
    name = invocation or (outcomes[0].request_id if outcomes else new_id())
    service.signals.end(call, [outcome.result for outcome in outcomes], name, handed_back=len(failed))
    return trigger.reply(outcomes, failed)


def hand_back(outcomes: Sequence[Outcome], failed: Sequence[Outcome]) -> None:
    """Raise Redeliver if anything ``failed``, for a platform that takes an event back as a whole."""
    if failed:  # the log has them all
        told = "; ".join(
            f"{outcome.source or 'an item'}: {outcome.result.code}: {outcome.result.detail}"
            for outcome in failed[:TOLD]
            if isinstance(outcome.result, Problem)
        )
        raise Redeliver(f"{len(failed)} of {len(outcomes)} items failed: {told}")


def lasting(result: object) -> bool:
    """Return whether ``result`` is a problem that no redelivery and no mended deployment would change."""
    return isinstance(result, Problem) and not result.retryable and not result.deployment


def _one(
    trigger: Trigger,
    item: Any,
    service: Service,
    predict: Answer,
    deadline: Deadline,
    place: Sink,
    resume: bool,
) -> tuple[Outcome | None, bool]:
    """Return the item's outcome and whether it may be acknowledged; no outcome where it asks for nothing."""

    def decode(item: Any) -> Request:
        deadline.check("the item was read")
        request = trigger.decode(item)
        if request.url and place.owns(request.url):
            raise Nothing
        if resume and place.has(key_of(request, service.model(request)), deadline):
            raise Nothing
        return request

    share = min(WRITE_S, WRITE_SHARE * deadline.remaining()) if place.keeps else 0.0
    try:
        outcome = answer(new_id(), item, decode, predict, deadline.less(share) if share else deadline)
    except Nothing:
        return None, True
    ends = not isinstance(outcome.result, Problem) or (place.keeps and lasting(outcome.result))
    failure = _record(outcome, service, place if ends or not place.keeps else service.log, deadline)
    return (outcome._replace(result=failure), False) if failure else (outcome, ends)


def _opened(service: Service) -> Sink:
    try:
        return service.sink
    except Exception as error:  # noqa: BLE001 - a store's own client may raise anything: no region, no credentials
        return _Broken(error)


class _Broken(Unread):
    """A sink that cannot be opened: nothing is recorded, so everything is handed back."""

    keeps = True

    def __init__(self, error: Exception) -> None:
        self._error = error

    def put(self, key: str, record: dict[str, Any], deadline: Deadline) -> None:  # noqa: ARG002 - the protocol's
        raise self._error


def _record(outcome: Outcome, service: Service, sink: Sink, deadline: Deadline) -> Problem | None:
    """Write ``outcome``; return why that failed, or None."""
    name = key(outcome, model := service.model(outcome.request))
    try:
        sink.put(name, record(outcome, model, name), deadline)
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing was recorded, and the neighbours go on
        told = problem(error, outcome.request_id, outcome.request.url or "")
        log().error("request %s was not recorded: %s", outcome.request_id, told.detail)
        return told
    return None
