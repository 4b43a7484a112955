"""From a trained model to a model folder: ``mlserverless convert``, and the same from Python.

    from mlserverless.conversion import convert

    report = convert("a.keras", "models/a", quantize="int8", calibrate="photos", input={"range": "unit"})

Nothing here is on a function's path. TensorFlow, PyTorch, ONNX and scikit-learn are imported by their own modules
in ``frameworks``, and only for a source that needs them.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlserverless.conversion.report import Report
    from mlserverless.conversion.run import convert

__all__ = ["Report", "convert"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from mlserverless.conversion import report, run

        return {"convert": run.convert, "Report": report.Report}[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
