"""What importing each module of the function may bring in: the budget is a set of modules, never a time.

A cold function pays for every import before it answers. Each module's budget names what it is granted; what that
brings in by itself is measured in the same interpreter, so that the budget holds whatever the Python.
"""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import mlserverless

SRC = Path(mlserverless.__file__).parents[1]
SITE = Path(pytest.__file__).parents[1]
# Not on a function's path, or (Azure) not to be imported without the provider's own package.
ELSEWHERE = (
    "adapters.azure",
    "batch",
    "bundle",
    "certification",
    "conversion",
    "cli",
    "inspection",
    "local",
    "many",
    "measure",
    "testing",
    "__main__",
    "metadata.archive",
    "metadata.schema",
    "metadata.write",
    "signals.otel",
    "signals.prometheus",
)
# What is granted -> the modules that it is granted to.
GRANTED: dict[str, str] = {
    "": "adapters errors metadata metadata.slots net net.answer net.head web web.inference web.negotiation",
    "typing operator": "named_tuple",
    "collections.abc": "deadline pace",
    "collections.abc contextlib": "lock",
    "socket": "net.addresses",
    "typing": (
        "config download events events.objects logs metadata.records model_toml model_values modes net.relative "
        "net.url onnxfile options presets ranges readers sources toml types web.http"
    ),
    "typing re binascii": "headers",
    "typing re binascii contextlib": "formats",
    "typing re binascii contextlib struct": "prepare",
    "typing math": "engines target",
    "struct": "single",
    "typing math array": "postprocess tasks tasks.detect tasks.raw",
    "typing math array struct": "tasks.roles web.inference.elements",  # the first only with a detector
    "typing struct": "fitting metadata.flatbuffer verify",
    "typing math struct": (
        "contradictions engines.signatures metadata.calibration metadata.labels metadata.read metadata.settle "
        "preprocess"
    ),
    "typing hashlib": "certificate web.caching",
    "typing math struct hashlib": "model naming",
    "typing math ctypes functools": "engines.delegates",
    "typing math ctypes": "engines.capi engines.described",
    # Beside numpy, which imports both.
    "typing math ctypes weakref": "engines.native engines.onnx",
    "typing threading contextlib math ctypes weakref": "engines.tflite",
    "typing threading socket contextlib": "net.buffered net.connection net.dial net.response net.timed",
    "typing threading contextlib": "overlap",
    "typing threading contextlib math": "engines.quiet interpreter predictor",
    "typing threading contextlib math struct array hashlib": (
        "loading web.inference.asking web.inference.running web.inference.served web.inference_described"
    ),
    "typing threading contextlib math struct array hashlib re binascii": "inference",
    # What only the model's description, the function's, and the Open Inference Protocol's paths bring in.
    "typing threading contextlib math struct array hashlib json": (
        "web.describe web.inference.reading web.inference.telling web.inference_protocol web.openapi "
        "web.openapi.headers web.openapi.paths web.openapi.problems web.openapi.schemas"
    ),
    "typing threading contextlib math ctypes importlib.machinery": "engines.litert",
    "typing threading socket contextlib atexit": "net.pool net.client",
    # What only a model with another resizer than Pillow's brings in.
    "typing math struct array PIL.Image PIL.ImageMath": "floats",
    "typing math struct array functools PIL.Image PIL.ImageMath": (
        "resampling resampling.filters resampling.sums resampling.tensorflow resampling.torch"
    ),
    # Of the sinks none imports a client before it is used.
    "typing json": (
        "signals signals.cloud signals.emf signals.lines signals.others signals.trace "
        "sinks sinks.bigquery sinks.log sinks.queues sinks.records sinks.unread web.body"
    ),
    "typing json re email.parser": "web.form",
    "typing contextlib json string": "sinks.objects",
    "typing contextlib string": "stores",
    "typing contextlib struct hashlib tempfile": "remote",
    "typing json base64": "events.cloudevent events.envelopes events.message",
    "typing threading contextlib math json": ("events.whole recording serving web.answers web.app web.cors"),
    "typing threading contextlib math json functools hashlib binascii": "web.page",  # which only browsers ask for
    "typing threading contextlib math json base64": (
        "adapters.aws adapters.aws.batches adapters.aws.events adapters.aws.http adapters.aws.snapshots "
        "adapters.aws.trigger events.schedule events.web"
    ),
    "typing threading contextlib math json base64 http": "adapters.wsgi",
    "functions_framework": "adapters.gcp",
}
BUDGET = {
    f"mlserverless.{module}": tuple(granted.split())
    for granted, modules in GRANTED.items()
    for module in modules.split()
}
# In a copy of an interpreter without site for each name: what importing it leaves in sys.modules.
CHILD = """
import io, os, sys
sys.path[:0] = sys.argv[1:3]
before = set(sys.modules)
for name in sys.stdin.read().split():
    sys.stdout.flush()
    if not os.fork():
        try:
            __import__(name)
            print(name, *(set(sys.modules) - before), flush=True)
        finally:
            os._exit(0)
    os.wait()
"""


def imported() -> dict[str, set[str]]:
    """Return what importing each module, and each that is granted, brings in."""
    names = {"mlserverless", *BUDGET, *(name for granted in BUDGET.values() for name in granted)}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", CHILD, str(SRC), str(SITE)],
        input=" ".join(sorted(names)),
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    lines = [line.split() for line in done.stdout.splitlines()]
    assert {name for name, *_ in lines} == names, done.stderr
    # What begins with an underscore is the C half of another.
    return {name: {module for module in found if module[0] != "_"} for name, *found in lines}


@pytest.fixture(scope="module")
def found() -> dict[str, set[str]]:
    return imported()


def beyond(module: str, granted: tuple[str, ...], found: Mapping[str, set[str]]) -> set[str]:
    """Return what ``module`` brings in that is neither granted nor brought in by what is."""
    allowed = set[str]().union(found["mlserverless"], granted, *(found[name] for name in granted))
    return {name for name in found[module] if name.partition(".")[0] != "mlserverless"} - allowed


@pytest.mark.parametrize("module", BUDGET)
def test_importing_it_brings_in_what_it_is_granted(module: str, found: dict[str, set[str]]) -> None:
    more = sorted(beyond(module, BUDGET[module], found))
    assert not more, (
        f"Importing {module} now brings in {', '.join(more)}. Every cold start pays for that: measure it with "
        f"`python -X importtime -c 'import {module}'`, import it in the function that needs it, or, where it is "
        f"worth its time, add it to GRANTED in {Path(__file__).name}."
    )


@pytest.mark.parametrize("module", BUDGET)
def test_nothing_is_granted_that_it_does_without(module: str, found: dict[str, set[str]]) -> None:
    spare = set(BUDGET[module]) - found[module]
    assert not spare, f"{module} no longer imports {', '.join(sorted(spare))}: take it out of GRANTED."


def test_every_module_of_the_function_has_a_budget() -> None:
    modules = set()
    for path in (SRC / "mlserverless").rglob("*.py"):
        name = ".".join(path.relative_to(SRC / "mlserverless").with_suffix("").parts).removesuffix(".__init__")
        if name != "__init__" and not f"{name}.".startswith(tuple(f"{other}." for other in ELSEWHERE)):
            modules.add(f"mlserverless.{name}")
    assert modules == set(BUDGET)


def test_no_module_of_the_function_makes_typings_named_tuples() -> None:
    for module in set(BUDGET) - {"mlserverless.named_tuple"}:
        path = SRC / module.replace(".", "/")
        source = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()
        theirs = re.search(r"from typing import .*\bNamedTuple\b", source)
        assert not theirs, f"{module}: mlserverless.named_tuple makes them in a sixth of the time"


def test_a_module_that_brings_in_more_is_found(found: dict[str, set[str]]) -> None:
    assert beyond("mlserverless.predictor", ("typing", "threading", "math"), found) == set()
    assert beyond("mlserverless.predictor", ("typing", "math"), found) == {"threading"}
    grown = {**found, "mlserverless.predictor": found["mlserverless.predictor"] | {"ssl", "mlserverless.stores"}}
    assert beyond("mlserverless.predictor", ("typing", "threading", "math"), grown) == {"ssl"}
