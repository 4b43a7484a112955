"""AWS Lambda: HTTP by four ways in, storage, queues, streams, buses, timers, direct invokes.

``handler`` is what the function's configuration names. It takes the first of ``TRIGGERS`` that accepts the event;
who needs another one makes a handler of their own: ``handler = make_handler(service, (Mine, *TRIGGERS))``. With
SnapStart, a handler's service is in the snapshot, warm.
"""

from collections.abc import Callable, Sequence
from typing import Any

from mlserverless.adapters.aws.batches import KinesisBatch, SqsBatch
from mlserverless.adapters.aws.events import (
    DirectInvoke,
    EventBridgeEvent,
    S3Notification,
    ScheduledEvent,
    SnsNotification,
    WarmUp,
)
from mlserverless.adapters.aws.http import HttpApi, LoadBalancer, RestApi
from mlserverless.adapters.aws.snapshots import register
from mlserverless.adapters.aws.trigger import Event, LambdaTrigger
from mlserverless.deadline import granted
from mlserverless.errors import InvalidRequest
from mlserverless.serving import Service
from mlserverless.signals import place

TRIGGERS: tuple[type[LambdaTrigger], ...] = (
    *(HttpApi, RestApi, LoadBalancer),
    *(S3Notification, SqsBatch, SnsNotification, KinesisBatch),
    *(ScheduledEvent, EventBridgeEvent, WarmUp, DirectInvoke),
)


def make_handler(
    service: Service, triggers: Sequence[type[LambdaTrigger]] = TRIGGERS
) -> Callable[[Event, Any], Any]:
    """Return a Lambda handler that answers with ``service`` through the first of ``triggers`` that accepts."""
    register(service)
    return _handler(service, triggers)


def _handler(service: Service, triggers: Sequence[type[LambdaTrigger]]) -> Callable[[Event, Any], Any]:
    made = [trigger(service) for trigger in triggers]

    def handler(event: Event, context: Any) -> Any:
        deadline = granted(context.get_remaining_time_in_millis() / 1000)
        place[0] = getattr(context, "invoked_function_arn", "")
        for trigger in made:
            if isinstance(event, dict) and trigger.accepts(event):
                return trigger.handle(event, context.aws_request_id, deadline)
        names = ", ".join(trigger.__name__ for trigger in triggers)
        raise InvalidRequest(f"The event is of no kind that is handled here: {names}.")

    return handler


service = Service()
handler = _handler(service, TRIGGERS)  # registered once it is used, lest a handler of one's own have two models


def warm_up() -> None:
    """Load the model of this module's own handler in Lambda's init phase, and have SnapStart keep it."""
    register(service)
    service.warm_up(wait=True)
