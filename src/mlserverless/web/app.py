"""The web app: one function from a request to a response, the same behind every provider's HTTP trigger."""

import json
from collections.abc import Callable
from typing import Any

from mlserverless.deadline import Deadline
from mlserverless.errors import MethodNotAllowed, NotFound
from mlserverless.serving import Service, answer_each, new_id, problem
from mlserverless.types import Prediction, Problem
from mlserverless.web import body
from mlserverless.web.http import HttpRequest, HttpResponse

JSON, PROBLEM = "application/json", "application/problem+json"
ID_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/=+")
ID_LENGTH = 128
NOT_SHOWN = "?#&=@: "  # a path that is half a URL is repeated up to the first of these

Headers = tuple[tuple[str, str], ...]


class WebApp:
    """The routes of the wire contract around one :class:`Service`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._routes: dict[str, tuple[tuple[str, ...], Callable[[HttpRequest, str, Deadline], HttpResponse]]] = {
            "/": (("GET", "POST"), self._predict),
            "/predict": (("GET", "POST"), self._predict),
            "/healthz": (("GET",), self._healthz),
            "/readyz": (("GET",), self._readyz),
            "/model": (("GET",), self._model),
        }

    def __call__(
        self, request: HttpRequest, *, platform_id: str = "", deadline: Deadline | None = None
    ) -> HttpResponse:
        """Return the response to ``request``; it never raises.

        The request id is the caller's ``X-Request-Id`` where that is fit to be repeated, else ``platform_id``,
        where that is, else a new one.
        """
        given = request.headers.get("x-request-id", "")
        request_id = next((name for name in (given, platform_id) if name and _fit(name)), "") or new_id()
        try:
            methods, route = self._route(request.path)
            if request.method not in methods:
                told = " and ".join(methods) + (" are." if len(methods) > 1 else " is.")
                raise MethodNotAllowed(f"{request.method:.20} is not answered at {request.path}; {told}", methods)
            return route(request, request_id, deadline or Deadline())
        except Exception as error:  # noqa: BLE001 - the boundary: a caller always gets a problem
            return respond_problem(problem(error, request_id), request_id)

    def _route(self, path: str) -> tuple[tuple[str, ...], Callable[[HttpRequest, str, Deadline], HttpResponse]]:
        if found := self._routes.get(path.rstrip("/") or "/"):
            return found
        shown = path[: next((at for at, letter in enumerate(path) if letter in NOT_SHOWN), 100)]
        raise NotFound(f"There is nothing at {shown!r:.100}; there is at {', '.join(self._routes)}.")

    def _predict(self, request: HttpRequest, request_id: str, deadline: Deadline) -> HttpResponse:
        settings = self._service.predictor.settings
        asked = body.read(request, request_id, max_bytes=settings.max_bytes, max_batch=settings.max_batch)
        deadline = deadline.within(settings.timeout)
        predict = self._service.predict_member if asked.batch else self._service.predict
        outcomes = answer_each(asked.items, asked.decode, predict, deadline)
        if not asked.batch:
            result = outcomes[0].result
            if isinstance(result, Problem):
                return respond_problem(result, request_id)
            return respond(200, JSON, result.to_dict(), request_id, _server_timing([result]))
        results = [outcome.to_dict() for outcome in outcomes]
        made = [outcome.result for outcome in outcomes if isinstance(outcome.result, Prediction)]
        return respond(200, JSON, {"results": results}, request_id, _server_timing(made))

    def _healthz(self, _: HttpRequest, request_id: str, __: Deadline) -> HttpResponse:
        return respond(200, JSON, {"status": "ok"}, request_id)

    def _readyz(self, _: HttpRequest, request_id: str, __: Deadline) -> HttpResponse:
        self._service.predictor.load()
        return respond(200, JSON, {"status": "ready"}, request_id)

    def _model(self, request: HttpRequest, request_id: str, _: Deadline) -> HttpResponse:
        predictor = self._service.predictor
        loaded = predictor.named(body.chosen(request)).load()
        from mlserverless.web import describe  # who only predicts does without it

        described = describe.model(loaded)
        if predictor.settings.models:
            described["models"] = predictor.names
        return respond(200, JSON, described, request_id)


def respond(status: int, kind: str, value: Any, request_id: str, headers: Headers = ()) -> HttpResponse:
    """Return ``value`` as canonical JSON: no spaces, UTF-8, keys in the order given; NaN is refused."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    common = (
        ("Content-Type", kind),
        ("X-Request-Id", request_id),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    )
    # Half a surrogate pair, which UTF-8 cannot say, leaves as it came: as JSON's own escape.
    return HttpResponse(status, common + headers, text.encode(errors="backslashreplace"))


def respond_problem(told: Problem, request_id: str) -> HttpResponse:
    """Return the RFC 9457 response for a problem."""
    return respond(told.status, PROBLEM, told.to_dict(request_id), request_id, told.headers)


def _fit(request_id: str) -> bool:
    return len(request_id) <= ID_LENGTH and ID_LETTERS.issuperset(request_id)


def _server_timing(made: list[Prediction]) -> Headers:
    spent: dict[str, float] = {}
    for prediction in made:
        for name, milliseconds in prediction.timings:
            spent[name] = spent.get(name, 0.0) + milliseconds
    if not spent:
        return ()
    if len(made) == 1:  # those of several overlap
        spent["total"] = sum(spent.values())
    return (("Server-Timing", ", ".join(f"{name};dur={value:.1f}" for name, value in spent.items())),)
