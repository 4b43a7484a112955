"""scikit-learn: estimators that give a probability for each class, to ONNX by skl2onnx."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlserverless.conversion.frameworks import Asked, closed
from mlserverless.conversion.frameworks.onnx import OnnxModel
from mlserverless.conversion.problem import ConversionError, Misused, need
from mlserverless.conversion.source import Source
from mlserverless.engines import Tensor

EXTRA = "convert-sklearn"
INPUT, SCORES = "image", "probabilities"
OPSET = 18  # of ONNX


class SklearnModel:
    """A classifier of rows of numbers, which are an image's pixels one after the other."""

    weight = 0

    def __init__(self, estimator: Any, tensor: Tensor, version: str) -> None:
        self._estimator, self.input = estimator, tensor
        self.framework = f"scikit-learn {version}"
        self.labels = tuple(map(str, estimator.classes_))

    def run(self, array: Any) -> list[Any]:
        """Return the probabilities of the classes, (1, classes)."""
        return [self._estimator.predict_proba(array)]

    def onnx(self, folder: Path) -> bytes:  # noqa: ARG002 - nothing of it is on disk
        """Return what skl2onnx makes of it, with the probabilities alone. Raises ConversionError."""
        skl2onnx = need("skl2onnx", EXTRA)
        types = need("skl2onnx.common.data_types", EXTRA)
        taken = [(INPUT, types.FloatTensorType(list(self.input.shape)))]
        try:
            made = skl2onnx.to_onnx(
                self._estimator, initial_types=taken, options={id(self._estimator): {"zipmap": False}}
            )
        except Exception as error:  # of its own, for an estimator that it does not know
            raise ConversionError(f"skl2onnx cannot make an ONNX model of it: {error}") from error
        return bytes(self._scores(made).SerializeToString())

    def _scores(self, made: Any) -> Any:
        """Return the ONNX model ``made`` without its other output, the label, which may be a text."""
        onnx, helper = need("onnx", EXTRA), need("skl2onnx.helpers.onnx_helper", EXTRA)
        alone = helper.select_model_inputs_outputs(made, outputs=[SCORES])
        # It forgets the output's shape, and the operators' set where none but ONNX-ML's are left.
        shape = [1, len(self.labels)]
        scores = onnx.helper.make_tensor_value_info(SCORES, onnx.TensorProto.FLOAT, shape)
        alone.graph.output[0].CopyFrom(scores)
        if not any(entry.domain in ("", "ai.onnx") for entry in alone.opset_import):
            alone.opset_import.append(onnx.helper.make_opsetid("", OPSET))
        return alone

    def tflite(self, folder: Path, samples: Sequence[Any]) -> bytes:
        """Return what onnx2tf makes of what skl2onnx made; raise ConversionError for operators of ONNX alone."""
        return OnnxModel(self.onnx(folder), Asked(), self.framework).tflite(folder, samples)


def open_source(source: Source, asked: Asked) -> SklearnModel:
    """Return the model of ``source``. Raises Missing, Misused."""
    sklearn = need("sklearn", EXTRA)
    estimator = source.thing
    for wanted, why in (
        ("predict_proba", "gives no probabilities (SVC does with probability=True)"),
        ("classes_", "is not trained"),
    ):
        if not hasattr(estimator, wanted):
            raise Misused(f"{source.told} {why}: it has no {wanted}.")
    shape = closed((1, int(estimator.n_features_in_)), asked, source.told)
    return SklearnModel(estimator, Tensor(INPUT, shape, "float32"), sklearn.__version__)
