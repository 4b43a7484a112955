"""The table that ``inspect`` prints."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlserverless.inspection import trial
from mlserverless.inspection.graph import OPEN, Tensor
from mlserverless.inspection.kind import layout
from mlserverless.inspection.ops import FLEX_TOLD, Use, known, lacks
from mlserverless.inspection.report import Port, Report
from mlserverless.metadata.records import TensorInfo

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

MB, KB = 1_000_000, 1000
FIRST = 5  # labels that are shown
CLIPPED = 160  # columns of what an engine says
SHAPES = {"nhwc": "height × width × channels", "nchw": "channels × height × width"}
COLOURS = {trial.RUNS: "green", trial.LOADS: "yellow", trial.REFUSED: "red", trial.CRASHED: "red"}


def render(report: Report) -> "RenderableType":
    """Return everything that the report holds but the model.toml."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [_facts(report)]
    if report.operators:
        parts += [Text("\noperators", "bold"), _operators(report)]
    parts += [
        Text("\nengines on this machine", "bold"),
        _engines(report) if report.engines else Text("  not tried"),
    ]
    if report.unpinned:
        parts.append(Text(f"\nRefused as long as nothing pins its sha256: {report.unpinned}", "yellow"))
    parts += [Text(f"\n{note}", "yellow") for note in report.notes]
    return Group(*parts)


def _facts(report: Report) -> "Table":
    table = _grid()
    table.add_row("file", report.path)
    table.add_row("size", f"{size_of(report.size)}, {report.size:,} bytes")
    table.add_row("sha256", report.sha256)
    if report.description:
        table.add_row("description", report.description)
    for end, ports in (("input", report.inputs), ("output", report.outputs)):
        for number, port in enumerate(ports, 1):
            table.add_row(f"{end} {number}" if len(ports) > 1 else end, "\n".join(_port(port, end == "input")))
    if report.signatures:
        table.add_row("signatures", ", ".join(report.signatures))
    if report.format == "tflite":
        table.add_row("metadata", "\n".join(_metadata(report)) or "none")
        table.add_row("labels", _labels(report))
    if report.weights:
        table.add_row("parameters", _parameters(report))
    if report.memory:
        weights, activations = report.memory
        told = f"about {size_of(report.memory.total)}, an estimate: weights {size_of(weights)}, activations "
        table.add_row("memory", f"{told}{size_of(activations)}; the engine and the file come on top")
    if report.multiply_adds:
        many = report.multiply_adds
        table.add_row("multiply-adds", f"{many / MB:,.1f} million a run" if many >= MB else f"{many:,} a run")
    return table


def _grid() -> "Table":
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def size_of(count: int) -> str:
    """Return a number of bytes as people read it, in powers of ten."""
    if count >= MB:
        return f"{count / MB:,.1f} MB"
    return f"{count / KB:,.1f} kB" if count >= KB else f"{count} bytes"


def _port(port: Port, image: bool) -> Iterator[str]:
    tensor = port.tensor
    shape = " × ".join("any" if size == OPEN else str(size) for size in tensor.shape) or "one number"
    aliases = f" (signature: {', '.join(port.aliases)})" if port.aliases else ""
    yield f"{tensor.name or 'without a name'}{aliases}: {tensor.dtype}, {shape}"
    if image and (placed := layout(tensor)):
        yield f"layout {placed}: {SHAPES[placed]}"
    if told := quantisation(tensor):
        yield told


def quantisation(tensor: Tensor) -> str:
    """Return in words how a stored value becomes a real one; "" where it is one."""
    if not tensor.scales:
        return ""
    zero = tensor.zero_points[0] if tensor.zero_points else 0
    if len(tensor.scales) > 1:
        return f"quantised with {len(tensor.scales):,} scales, one for each entry of dimension {tensor.along}"
    less = f"(stored {'−' if zero >= 0 else '+'} {abs(zero)})" if zero else "stored"
    return f"quantised: value = {tensor.scales[0]:.6g} × {less}"


def _metadata(report: Report) -> Iterator[str]:
    told = report.metadata
    if told.present:
        yield ", ".join(filter(None, (told.name, told.version, told.author))) or "without a name"
    for end, tensors in (("input", told.inputs), ("output", told.outputs)):
        for tensor in tensors:
            if said := ", ".join(_said(tensor)):
                yield f"{end} {tensor.name}: {said}"


def _said(tensor: TensorInfo) -> Iterator[str]:
    if tensor.content:
        yield " ".join(filter(None, (tensor.content, tensor.color_space)))
    if tensor.mean or tensor.std:
        yield f"mean {_numbers(tensor.mean)}, std {_numbers(tensor.std)}"
    if tensor.score_threshold is not None:
        yield f"score threshold {tensor.score_threshold:g}"
    if tensor.labels:
        files = (f"{one.name} ({one.locale})" if one.locale else one.name for one in tensor.labels)
        yield f"labels in {', '.join(files)}"


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:g}" for value in values) or "none"


def _labels(report: Report) -> str:
    if not report.labels:
        return "none"
    shown = ", ".join(report.labels[:FIRST]) + (", …" if len(report.labels) > FIRST else "")
    return f"{len(report.labels):,}: {shown}\nfrom {report.labels_from}"


def _parameters(report: Report) -> str:
    parts = (f"{one.elements:,} {one.dtype} ({size_of(one.bytes)})" for one in report.weights)
    return f"{sum(one.elements for one in report.weights):,}: {', '.join(parts)}"


def _operators(report: Report) -> "Table":
    table = _grid()
    for use in report.operators:
        version = f"version {use.version}" if report.format == "tflite" else f"opset {use.version}"
        table.add_row(f"  {use.count} × {use.name}", f"{version}{_had(use, report)}")
    return table


def _had(use: Use, report: Report) -> str:
    if report.format != "tflite":
        return ", of a domain of its own" if use.custom else ""
    if use.flex:
        return f", custom: {FLEX_TOLD}"
    engines = known().engines
    without = [f"{engine} {version}" for engine, version in engines.items() if lacks(use, engine)]
    what = ", custom" if use.custom else ""
    if len(without) == len(engines):
        return f"{what}, in no engine that is known here"
    return f"{what}, not in {', '.join(without)}" if without else what


def _engines(report: Report) -> "Table":
    from rich.text import Text

    table = _grid()
    for verdict in report.engines:
        told = f"{verdict.milliseconds:,.1f} ms for the first run" if verdict.status == trial.RUNS else ""
        if verdict.lacks:
            told = f"lacks {', '.join(verdict.lacks)}"
        if verdict.status == trial.MISSING and verdict.lacks:
            told = f"{told}, as of {known().engines[verdict.engine]}"
        status = Text(verdict.status, COLOURS.get(verdict.status, "dim"))
        table.add_row(f"  {verdict.engine}", Text.assemble(status, ": ", told or _clipped(verdict.told)))
    return table


def _clipped(text: str) -> str:
    return text if len(text) <= CLIPPED else f"{text[: CLIPPED - 1]}…"
