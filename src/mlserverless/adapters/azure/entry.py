"""A function as Azure's worker wants it: parameters that are the bindings' names, with their types.

With the setting ``sink`` at ``queue:`` every event function has one binding more, the queue that takes the
results.
"""

import os
import typing
from collections.abc import Callable
from typing import Any

import azure.functions as func

from mlserverless.sinks import Sink
from mlserverless.sinks.queues import OutputSink

BOUND = os.environ.get("MLSERVERLESS_SINK", "").lower() == "queue:"
Handle = Callable[[Any, func.Context, Sink | None], None]


class OutputQueue(OutputSink):
    """The sink of one invocation whose results the host writes to the bound queue when the function returns."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        super().__init__(self.lines.append)


def entry(kind: Any) -> Callable[[Handle], Callable[..., None]]:
    """Return a decorator that makes an entry of a handler whose event is of the type ``kind``."""

    def decorate(handle: Handle) -> Callable[..., None]:
        def run(event: Any, context: func.Context) -> None:
            handle(event, context, None)

        def run_bound(event: Any, context: func.Context, results: Any) -> None:
            sink = OutputQueue()
            handle(event, context, sink)
            results.set(sink.lines)

        chosen: Any = run_bound if BOUND else run
        chosen.__name__, chosen.__doc__ = handle.__name__, handle.__doc__
        chosen.__annotations__ = {"event": _spelled(kind), "context": func.Context}
        if BOUND:
            chosen.__annotations__["results"] = func.Out[_spelled(list[str])]  # type: ignore[misc]
        return chosen  # type: ignore[no-any-return]

    return decorate


def _spelled(kind: Any) -> Any:
    # Azure's worker loads a function with typing.List[X] and refuses list[X], "invalid non-type annotation".
    listed: Any = typing.List  # noqa: UP006
    return listed[typing.get_args(kind)] if typing.get_origin(kind) is list else kind


def results(blueprint: func.Blueprint) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that binds the queue of results to a function of ``blueprint``, where it is wanted."""
    if not BOUND:
        return lambda function: function
    bind: Callable[[Callable[..., Any]], Any] = blueprint.queue_output(
        arg_name="results",
        queue_name=os.environ.get("MLSERVERLESS_RESULTS_QUEUE", "results"),
        connection=os.environ.get("MLSERVERLESS_RESULTS_CONNECTION", "AzureWebJobsStorage"),
    )
    return bind
