"""What ``inspect --json`` prints: one object, its keys fixed, sizes in bytes."""

from typing import Any

from mlserverless.inspection.graph import OPEN
from mlserverless.inspection.kind import layout, task
from mlserverless.inspection.report import Port, Report
from mlserverless.inspection.suggest import model_toml


def to_dict(report: Report) -> dict[str, Any]:
    """Return the report as what JSON can hold; what is not known is null."""
    memory = report.memory
    return {
        "file": report.path,
        "format": report.format,
        "size": report.size,
        "sha256": report.sha256,
        "description": report.description,
        "task": task(report) if report.outputs else None,
        "inputs": [_port(port) for port in report.inputs],
        "outputs": [_port(port) for port in report.outputs],
        "signatures": list(report.signatures),
        "metadata": _plain(report.metadata) if report.metadata.present else None,
        "labels": {"count": len(report.labels), "from": report.labels_from, "labels": list(report.labels)},
        "operators": [use._asdict() for use in report.operators],
        "parameters": {
            "elements": sum(one.elements for one in report.weights),
            "by_dtype": [one._asdict() for one in report.weights],
        },
        "memory": memory and {**memory._asdict(), "total": memory.total, "estimate": True},
        "multiply_adds": report.multiply_adds or None,
        "engines": [verdict._asdict() for verdict in report.engines],
        "unpinned": report.unpinned or None,
        "notes": list(report.notes),
        "model_toml": model_toml(report),
    }


def _port(port: Port) -> dict[str, Any]:
    tensor = port.tensor
    return {
        "name": tensor.name,
        "signature_names": list(port.aliases),
        "shape": [None if size == OPEN else size for size in tensor.shape],
        "dtype": tensor.dtype,
        "scales": list(tensor.scales),
        "zero_points": list(tensor.zero_points),
        "layout": layout(tensor) or None,
    }


def _plain(value: Any) -> Any:
    # Of records in records.
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {key: _plain(inner) for key, inner in value._asdict().items()}
    return list(map(_plain, value)) if isinstance(value, tuple) else value
