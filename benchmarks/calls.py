"""The functions that one warm request passes through, in order, in every adapter, and whether one works twice.

A function works twice where it is called again in the same request with equal arguments: texts, numbers and bytes
by value, all else by identity. Those that ask for the time do so anew by design.
"""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

import mlserverless
from benchmarks import origins
from benchmarks.batches import Context
from benchmarks.children import PHOTOS, model
from helpers.figures import Figure, Scale, skip
from mlserverless import Predictor
from mlserverless.serving import Service

OURS = str(Path(mlserverless.__file__).parent) + "/"
INVOKE = "LiteRtInterpreter.run"
# By design more than once: the clock is asked anew by each stage; what is there already is looked up; and Pillow's
# errors are caught where it opens and where it decodes.
TIMED = (
    *("Deadline.remaining", "Deadline.check", "Deadline.less", "Deadline.within", "time_left"),
    *("Service.predictor", "guarded"),
)
PARTS_OF_ONE = ("<listcomp>", "<genexpr>", "<dictcomp>", "<setcomp>")  # of the function that they stand in
BY_VALUE = (str, bytes, int, float, bool, type(None))


class Call(NamedTuple):
    """One call: the function's qualified name, where it stands, what it was given (comparable)."""

    name: str
    where: str
    given: tuple[Any, ...]


class Recorder:
    """Notes the calls of functions whose file begins with ``folder``, in the order in which they begin."""

    def __init__(self, folder: str = OURS) -> None:
        self._folder = folder
        self.calls: list[Call] = []
        self._kept: dict[int, Any] = {}  # alive until the end, so that no identity is used again

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        """Note one event of the profiler."""
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(self._folder) or id(frame) in self._kept:
            return  # a generator that goes on is the frame that it was
        if code.co_name in PARTS_OF_ONE:
            return
        self._kept[id(frame)] = frame
        names = code.co_varnames[: _arguments(code)]
        given = tuple(self._comparable(frame.f_locals.get(name)) for name in names)
        where = f"{code.co_filename.removeprefix(self._folder)}:{code.co_firstlineno}"
        self.calls.append(Call(code.co_qualname, where, given))

    def _comparable(self, value: Any) -> Any:
        if isinstance(value, BY_VALUE):
            return type(value), value
        if isinstance(value, tuple):
            return tuple(map(self._comparable, value))
        self._kept[id(value)] = value
        return id(value)

    @contextmanager
    def on(self) -> Iterator[None]:
        """Note what happens in the ``with`` block, in this thread and in those that it starts."""
        threading.setprofile(self)
        sys.setprofile(self)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)


def twice(calls: list[Call]) -> list[str]:
    """Return what is called again with equal arguments: "name (file:line) n ×"."""
    counts: dict[Call, int] = {}
    for call in calls:
        if call.name not in TIMED:
            counts[call] = counts.get(call, 0) + 1
    return [f"{call.name} ({call.where}) {count} ×" for call, count in counts.items() if count > 1]


def measure(scale: Scale) -> list[Figure]:  # noqa: ARG001 - one request is one request
    """Return a figure for each adapter that can be imported here."""
    predictor = Predictor(model(), allow_private_addresses=True, top_k=1)
    with origins.served(PHOTOS) as origin:
        url = f"{origin}/rocket.jpg"
        right = predictor.predict(url).to_dict()
        return [_of(name, make, predictor, url, right) for name, make in ADAPTERS.items()]


def _of(
    name: str, make: Callable[[Service, str], Callable[[], Any]], predictor: Predictor, url: str, right: Any
) -> Figure:
    told, bar = f"functions between the entry of {name} and invoke", "counted; nothing twice"
    try:
        ask = make(Service(lambda: predictor), url)
    except ImportError as error:
        return skip(told, bar, f"{error}")
    ask()
    recorder = Recorder()
    with recorder.on():
        answer = ask()
    assert json.loads(answer) == right, answer
    names = [call.name for call in recorder.calls]
    before = recorder.calls[: names.index(INVOKE)]
    again = twice(recorder.calls)
    different = len({(call.name, call.where) for call in before})
    return Figure(
        told,
        bar,
        f"{different} functions in {len(before)} calls, then {len(names) - len(before)} calls with invoke and the "
        f"answer; twice: {', '.join(again) or 'nothing'}, but for the clock, a look-up and a guard",
        not again,
        {
            "calls": [f"{call.name} ({call.where})" for call in recorder.calls],
            "before": len(before),
            "twice": again,
        },
    )


def _arguments(code: CodeType) -> int:
    stars = bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)  # inspect.CO_VARARGS, CO_VARKEYWORDS
    return code.co_argcount + code.co_kwonlyargcount + stars


def _aws(service: Service, url: str) -> Callable[[], Any]:
    from mlserverless.adapters.aws import make_handler

    handler = make_handler(service)
    http = {"method": "POST", "path": "/predict"}
    event = {
        "version": "2.0",
        "rawPath": "/predict",
        "requestContext": {"http": http, "stage": "$default"},
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"url": url}),
        "isBase64Encoded": False,
    }
    return lambda: handler(event, Context())["body"]


def _wsgi(service: Service, url: str) -> Callable[[], Any]:
    from mlserverless.adapters.wsgi import Wsgi

    application, body = Wsgi(service), json.dumps({"url": url}).encode()
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/predict", "QUERY_STRING": ""}
    environ |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body))}
    return lambda: b"".join(application({**environ, "wsgi.input": BytesIO(body)}, lambda *_: None))


def _gcp(service: Service, url: str) -> Callable[[], Any]:
    import flask

    from mlserverless.adapters.gcp import CloudHttp

    binding, app = CloudHttp(service), flask.Flask("bench")

    def ask() -> bytes:
        with app.test_request_context("/predict", method="POST", json={"url": url}):
            return binding(flask.request).get_data()

    return ask


def _azure(service: Service, url: str) -> Callable[[], Any]:
    import azure.functions as func

    from mlserverless.adapters.azure.http import FunctionHttp

    binding = FunctionHttp(service)
    request = func.HttpRequest(
        method="POST",
        url="http://localhost/api/predict",
        headers={"content-type": "application/json"},
        route_params={"path": "predict"},
        body=json.dumps({"url": url}).encode(),
    )
    return lambda: binding(request, "bench").get_body()


ADAPTERS: dict[str, Callable[[Service, str], Callable[[], Any]]] = {
    "AWS Lambda (HttpApi)": _aws,
    "WSGI": _wsgi,
    "Google Cloud functions": _gcp,
    "Azure Functions": _azure,
}
