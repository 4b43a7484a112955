"""Microsoft's own Python worker runtime, driven in this process as the Functions host drives it over gRPC.

Needs Python 3.13 or later with azure-functions, azure-functions-runtime and protobuf; imported by the worker
process alone.
"""

import asyncio
import importlib
import json
import os
import sys
import threading
import traceback
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from mlserverless.local.azure.messages import Typed, plain

_PACKAGE = "_azure_functions_protos"


class Function(NamedTuple):
    """One function of the app, as the runtime indexed it."""

    name: str
    id: str
    trigger: dict[str, Any]


class Answer(NamedTuple):
    """What a function returned, a TypedData message, and what it wrote to its output bindings, by name."""

    returned: Any
    outputs: dict[str, Any]


class FunctionFailed(Exception):
    """A function raised: the text is the runtime's own, ``stack`` the traceback it kept."""

    def __init__(self, message: str, stack: str) -> None:
        super().__init__(message)
        self.stack = stack


class AzureRuntime:
    """A loaded function app. ``functions`` lists what it holds; ``invoke`` may be called from many threads.

    Raises RuntimeError, with the runtime's own words, where the app does not load.
    """

    def __init__(self, app_dir: Path, messages: Path) -> None:
        _prefer_app(app_dir)
        self._protos = load_messages(messages)
        # Typed as Any: the package ships no types. Imported after the path is set: the app's own SDK wins.
        self._runtime: Any = importlib.import_module("azure_functions_runtime")
        self._runtime.start_threadpool_executor()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._run, name="azure-worker", daemon=True).start()
        self.functions = self._load(app_dir)

    def invoke(self, function: Function, data: Typed, metadata: Mapping[str, Typed], traceparent: str) -> Answer:
        """Run ``function`` on trigger ``data`` and return its answer.

        Raises FunctionFailed where the function raised.
        """
        answer = self._ask(
            "invocation_request",
            invocation_id=str(uuid.uuid4()),
            function_id=function.id,
            input_data=[{"name": function.trigger["name"], "data": data}],
            trigger_metadata={name: self._protos.TypedData(**value) for name, value in metadata.items()},
            trace_context={"trace_parent": traceparent},
        )
        if answer.result.status != self._protos.StatusResult.Success:
            raise FunctionFailed(answer.result.exception.message, answer.result.exception.stack_trace)
        return Answer(answer.return_value, {item.name: plain(item.data) for item in answer.output_data})

    def close(self) -> None:
        """Let the running functions end, then stop."""
        self._runtime.stop_threadpool_executor()

    def _run(self) -> None:
        try:
            self._loop.run_forever()
        except BaseException:  # noqa: BLE001 - a function's sys.exit() ends the real worker too, and its callers wait
            traceback.print_exc()
            os._exit(1)

    def _load(self, app_dir: Path) -> tuple[Function, ...]:
        folder = str(app_dir)
        started = self._ask("worker_init_request", function_app_directory=folder)
        self._check(started, "it does not load")
        listed = self._ask("functions_metadata_request", function_app_directory=folder)
        functions = []
        for metadata in listed.function_metadata_results:
            loaded = self._ask("function_load_request", function_id=metadata.function_id, metadata=metadata)
            self._check(loaded, f"function {metadata.name!r} does not load")
            bindings = [json.loads(binding) for binding in metadata.raw_bindings]
            trigger = next(item for item in bindings if str(item["type"]).lower().endswith("trigger"))
            functions.append(Function(metadata.name, metadata.function_id, trigger))
        if not functions:
            raise RuntimeError(f"{app_dir} holds no functions: a function_app.py with a FunctionApp is wanted")
        return tuple(functions)

    def _check(self, answer: Any, what: str) -> None:
        if answer.result.status != self._protos.StatusResult.Success:
            print(answer.result.exception.stack_trace, file=sys.stderr)
            raise RuntimeError(f"{what}: {answer.result.exception.message}")

    def _ask(self, name: str, **fields: Any) -> Any:
        kind = "".join(word.capitalize() for word in name.split("_"))
        message = self._protos.StreamingMessage(**{name: getattr(self._protos, kind)(**fields)})
        request = _Request(message, {"host": "127.0.0.1", "protos": self._protos})
        return asyncio.run_coroutine_threadsafe(getattr(self._runtime, name)(request), self._loop).result()


class _Request(NamedTuple):
    request: Any
    properties: dict[str, Any]


def load_messages(folder: Path) -> Any:
    """Return the compiled protobuf messages in ``folder`` as the one namespace that the runtime asks for."""
    # Their own package also imports the gRPC stubs, and with them grpcio, which nothing here uses: make the
    # package by hand from its two message modules.
    package = ModuleType(_PACKAGE)
    package.__path__ = [str(folder)]
    sys.modules[_PACKAGE] = package
    for name in ("FunctionRpc_pb2", "shared.NullableTypes_pb2"):
        module = importlib.import_module(f"{_PACKAGE}.{name}")
        vars(package).update({key: value for key, value in vars(module).items() if not key.startswith("_")})
    return package


def _prefer_app(app_dir: Path) -> None:
    """Put the app and its own packages before the worker's, as on a dedicated or premium plan."""
    packages = app_dir / ".python_packages" / "lib" / "site-packages"
    folders = [folder for folder in (app_dir, packages) if folder.is_dir()]
    sys.path[:0] = map(str, folders)
    if any((folder / "mlserverless").is_dir() for folder in folders):
        # This process has imported its own copy already; the app must find the one that it was shipped with.
        for name in [key for key in sys.modules if key.partition(".")[0] == "mlserverless"]:
            del sys.modules[name]
