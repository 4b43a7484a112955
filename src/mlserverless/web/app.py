"""The web app: one function from a request to a response, the same behind every provider's HTTP trigger."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from mlserverless.deadline import Deadline
from mlserverless.errors import MethodNotAllowed, NotFound
from mlserverless.serving import Service, answer_each, problem
from mlserverless.signals import trace
from mlserverless.signals.lines import method_of, route_of
from mlserverless.types import Options, Prediction, Problem, Request
from mlserverless.web import answers, body
from mlserverless.web.answers import JSON
from mlserverless.web.http import HttpRequest, HttpResponse

NOT_SHOWN = "?#&=@: "  # a path that is half a URL is repeated up to the first of these
NO_OPTIONS = Options()

Route = Callable[[HttpRequest, str, Deadline], HttpResponse]
# What few requests ask for: the methods, and the module beside this one whose ``answer`` is imported by the first.
# That looks at what is accepted itself; without methods here at the method, too: ``methods(path)`` tells them.
ASIDE: dict[str, tuple[tuple[str, ...], str]] = {
    "/model": (("GET",), "describe"),
    "/openapi.json": (("GET",), "openapi"),
    "/v2": ((), "inference_protocol"),  # and every path below it
}


class WebApp:
    """The routes of the wire contract around one :class:`Service`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._routes: dict[str, tuple[tuple[str, ...], Route]] = {
            "/": (("GET", "POST"), self._predict),
            "/predict": (("GET", "POST"), self._predict),
            "/healthz": (("GET",), self._healthz),
            "/readyz": (("GET",), self._readyz),
        }
        self._paths = (*self._routes, *ASIDE)

    def __call__(
        self, request: HttpRequest, *, platform_id: str = "", deadline: Deadline | None = None
    ) -> HttpResponse:
        """Return the response to ``request``; it never raises.

        The request id is the caller's ``X-Request-Id`` where that is fit to be repeated, else ``platform_id``,
        where that is, else a new one.
        """
        request_id = answers.id_of(request, platform_id)
        signals = self._service.signals
        call = signals.begin("http", request.headers, platform_id)
        if call.kept:  # what is asked of others belongs to a span of ours
            request = request._replace(headers={**request.headers, "traceparent": call.parent.header()})
        response = self._answer(request, request_id, deadline)
        signals.end(
            call,
            response.results,
            request_id,
            method=method_of(request.method),
            route=route_of(request.path, self._paths),
            status=response.status,
            bytes_in=len(request.body),
            bytes_out=len(response.body),
        )
        return response

    def _answer(self, request: HttpRequest, request_id: str, deadline: Deadline | None) -> HttpResponse:
        head = request.method == "HEAD"  # what GET is answered, without its body
        try:
            asked = request._replace(method="GET") if head else request
            response = self._routed(asked, request_id, deadline or Deadline())
        except Exception as error:  # noqa: BLE001 - the boundary: a caller always gets a problem
            response = answers.respond_problem(problem(error, request_id), request_id)
        if head:
            response = response._replace(body=b"", length=len(response.body) or -1)
        if "origin" in request.headers:
            from mlserverless.web import cors  # which only browsers need

            response = cors.share(request, response, self._service)
        return response

    def _routed(self, request: HttpRequest, request_id: str, deadline: Deadline) -> HttpResponse:
        path = request.path.rstrip("/") or "/"
        methods, route = self._routes.get(path) or self._beside(request, path)
        if methods and request.method not in methods:
            told = " and ".join(methods) + (" are." if len(methods) > 1 else " is.")
            refused = MethodNotAllowed(f"{request.method:.20} is not answered at {request.path}; {told}", methods)
            if request.method == "OPTIONS":
                return answers.respond_nothing(request_id, (("Allow", ", ".join(refused.allow)),))
            raise refused
        if path in self._routes:
            asks = path == "/" and request.method == "GET" and not request.query
            page = asks and self._service.predictor.settings.page
            if answers.accepted(request, page=page) == answers.HTML:
                route = self._aside("page")
        return route(request, request_id, deadline)

    def _beside(self, request: HttpRequest, path: str) -> tuple[tuple[str, ...], Route]:
        if found := ASIDE.get("/v2" if path.startswith("/v2/") else path):
            methods, name = found
            if request.method == "OPTIONS" and not methods:
                methods = import_module(f"mlserverless.web.{name}").methods(path)
            return methods, self._aside(name)
        path = request.path
        shown = path[: next((at for at, letter in enumerate(path) if letter in NOT_SHOWN), 100)]
        raise NotFound(f"There is nothing at {shown!r:.100}; there is at {', '.join(self._paths)}.")

    def _aside(self, name: str) -> Route:
        def answer(request: HttpRequest, request_id: str, deadline: Deadline) -> HttpResponse:
            module = import_module(f"mlserverless.web.{name}")
            found: HttpResponse = module.answer(self._service, request, request_id, deadline)
            return found

        return answer

    def _predict(self, request: HttpRequest, request_id: str, deadline: Deadline) -> HttpResponse:
        settings = self._service.predictor.settings
        asked = body.read(request, request_id, max_bytes=settings.max_bytes, max_batch=settings.max_batch)
        deadline = deadline.within(settings.timeout)
        if asked.batch and asked.options != NO_OPTIONS:
            self._service.predictor.check(asked.options, deadline)
        predict = self._service.predict_member if asked.batch else self._service.predict
        decode = asked.decode
        if told := trace.carried(request.headers):

            def decode(item: Any) -> Request:
                return asked.decode(item)._replace(trace=told)

        outcomes = answer_each(asked.items, decode, predict, deadline)
        if not asked.batch:
            result = outcomes[0].result
            if isinstance(result, Problem):
                return answers.respond_problem(result, request_id)
            answer = answers.respond(200, JSON, result.to_dict(), request_id, answers.server_timing([result]))
            return answer._replace(results=(result,))
        results = [outcome.to_dict() for outcome in outcomes]
        made = [outcome.result for outcome in outcomes if isinstance(outcome.result, Prediction)]
        answer = answers.respond(200, JSON, {"results": results}, request_id, answers.server_timing(made))
        return answer._replace(results=tuple(outcome.result for outcome in outcomes))

    def _healthz(self, _: HttpRequest, request_id: str, __: Deadline) -> HttpResponse:
        return answers.respond(200, JSON, {"status": "ok"}, request_id)

    def _readyz(self, _: HttpRequest, request_id: str, __: Deadline) -> HttpResponse:
        self._service.predictor.load()
        return answers.respond(200, JSON, {"status": "ready"}, request_id)
