"""Run a TFLite image classifier on any cloud's functions, in a container, or here: one ``predict(url)``.

Names are imported when first used (PEP 562), so that importing the package costs a cold start next to nothing.
"""

from importlib import import_module

TYPE_CHECKING = False  # type checkers take it for typing's, whose import would be most of this package's
if TYPE_CHECKING:
    from mlserverless.config import Settings
    from mlserverless.deadline import Deadline
    from mlserverless.download import download_image
    from mlserverless.errors import MlserverlessError
    from mlserverless.interpreter import load_lite_model
    from mlserverless.predictor import Predictor, predict
    from mlserverless.prepare import prepare_image
    from mlserverless.preprocess import preprocess_image
    from mlserverless.types import (
        Box,
        Detection,
        Options,
        Outcome,
        Prediction,
        Problem,
        RawTensor,
        Request,
        Score,
    )

__version__ = "0.1.0"

_HOMES = {
    "Box": "types",
    "Deadline": "deadline",
    "Detection": "types",
    "MlserverlessError": "errors",
    "Options": "types",
    "Outcome": "types",
    "Prediction": "types",
    "Predictor": "predictor",
    "Problem": "types",
    "RawTensor": "types",
    "Request": "types",
    "Score": "types",
    "Settings": "config",
    "download_image": "download",
    "load_lite_model": "interpreter",
    "predict": "predictor",
    "prepare_image": "prepare",
    "preprocess_image": "preprocess",
}

__all__ = [
    "Box",
    "Deadline",
    "Detection",
    "MlserverlessError",
    "Options",
    "Outcome",
    "Prediction",
    "Predictor",
    "Problem",
    "RawTensor",
    "Request",
    "Score",
    "Settings",
    "__version__",
    "download_image",
    "load_lite_model",
    "predict",
    "prepare_image",
    "preprocess_image",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
