"""An .onnx file, as ONNX Runtime and the package ``onnx`` tell it; each is used where it is installed.

Both read the file in a process of its own, as engines are tried. ONNX Runtime tells inputs, outputs and metadata,
the package ``onnx`` operators and weights, which ONNX Runtime has no call for.
"""

import json
import subprocess
import sys
from collections import Counter
from importlib import import_module
from math import prod
from typing import TYPE_CHECKING, Any

from mlserverless.engines.onnx import NAMES
from mlserverless.errors import ModelUnavailable
from mlserverless.inspection.graph import OPEN, Tensor
from mlserverless.inspection.memory import Weights
from mlserverless.inspection.ops import Use

if TYPE_CHECKING:
    from mlserverless.inspection.report import Report

SECONDS = 120.0
RUNTIME = 'Its inputs and outputs are not told: pip install "mlserverless[onnx]".'
PACKAGE = "Its operators and weights are not told: pip install onnx."


def fill(base: "Report", notes: list[str]) -> "Report":
    """Return ``base`` with what the file holds; raise ModelUnavailable where it is no ONNX model.

    What is missing to tell all of it goes to ``notes``.
    """
    from mlserverless.inspection.report import Port

    told = _asked(base.path)
    if "inputs" not in told:
        notes.append(RUNTIME)
    if "operators" not in told:
        notes.append(PACKAGE)
    ports = [
        tuple(Port(Tensor(one["name"], tuple(one["shape"]), one["dtype"])) for one in told.get(end, ()))
        for end in ("inputs", "outputs")
    ]
    return base._replace(
        format="onnx",
        description=told.get("description", ""),
        inputs=ports[0],
        outputs=ports[1],
        operators=tuple(Use(*one) for one in told.get("operators", ())),
        weights=tuple(Weights(*one) for one in told.get("weights", ())),
    )


def _asked(path: str) -> dict[str, Any]:
    from mlserverless.inspection.trial import environment

    try:
        done = subprocess.run(  # noqa: S603 - our own words
            [sys.executable, "-P", "-m", "mlserverless.inspection.onnx", path],
            capture_output=True,
            env=environment(),
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        why = f"no answer within {SECONDS:.0f} s"
        raise ModelUnavailable(f"{path} is no ONNX model that could be read: {why}.") from error
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines() or [f"code {done.returncode}"]
        raise ModelUnavailable(f"{path} is no ONNX model that could be read: {last[-1][:300]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def describe(path: str) -> dict[str, Any]:
    """Return what the packages that are installed tell of the .onnx file at ``path``."""
    found: dict[str, Any] = {}
    if runtime := _package("onnxruntime"):
        options = runtime.SessionOptions()
        options.log_severity_level = 4
        session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        found["inputs"] = [_port(argument) for argument in session.get_inputs()]
        found["outputs"] = [_port(argument) for argument in session.get_outputs()]
        found["description"] = session.get_modelmeta().description or session.get_modelmeta().producer_name
    if package := _package("onnx"):
        held = package.load(path, load_external_data=False)
        versions = {one.domain or "ai.onnx": one.version for one in held.opset_import}
        own = ("ai.onnx", "ai.onnx.ml")
        uses = Counter((node.op_type, node.domain or "ai.onnx") for node in held.graph.node)
        found["operators"] = [
            (name, versions.get(domain, 0), many, domain not in own) for (name, domain), many in uses.most_common()
        ]
        elements, sizes = Counter[str](), Counter[str]()
        for one in held.graph.initializer:
            dtype = package.helper.tensor_dtype_to_np_dtype(one.data_type)
            elements[str(dtype)] += prod(one.dims)
            sizes[str(dtype)] += prod(one.dims) * dtype.itemsize
        found["weights"] = [(dtype, elements[dtype], size) for dtype, size in sizes.most_common()]
    return found


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


def _port(argument: Any) -> dict[str, Any]:
    inner = argument.type.removeprefix("tensor(").removesuffix(")")
    shape = [size if isinstance(size, int) else OPEN for size in argument.shape or ()]
    return {"name": argument.name, "shape": shape, "dtype": NAMES.get(inner, inner)}


if __name__ == "__main__":
    print(json.dumps(describe(sys.argv[1])))
