"""TensorFlow: Keras models, SavedModels, tf.functions and tf.Modules."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mlserverless.conversion.frameworks import Asked, closed
from mlserverless.conversion.problem import ConversionError, Misused, need
from mlserverless.conversion.source import Source
from mlserverless.engines import Tensor

EXTRA = "convert-keras"
USUAL = "serving_default"


class TensorFlowModel:
    """A function of one tensor, and what keeps its variables alive."""

    labels: tuple[str, ...] = ()

    def __init__(self, tf: Any, call: Callable[[Any], Any], spec: Tensor, owner: Any, framework: str) -> None:
        self._tf, self._owner, self.input, self.framework = tf, owner, spec, framework
        wanted = tf.TensorSpec(spec.shape, spec.dtype, name=spec.name)
        # `TFLiteConverter.from_keras_model` crashes with Keras 3.15 on TensorFlow 2.21: go by a traced function.
        self._function = tf.function(lambda image: tf.nest.flatten(call(image))).get_concrete_function(wanted)
        variables = {id(one): one for one in self._function.graph.variables}
        self.weight = sum(one.dtype.size * one.shape.num_elements() for one in variables.values())

    def run(self, array: Any) -> list[Any]:
        """Return its outputs; of a dictionary in the order of its keys."""
        return [value.numpy() for value in self._function(self._tf.constant(array))]

    def tflite(self, folder: Path, samples: Sequence[Any]) -> bytes:  # noqa: ARG002 - others have a use for them
        """Return what TFLiteConverter makes of it; raise ConversionError, with the operators that TFLite lacks."""
        converter = self._tf.lite.TFLiteConverter.from_concrete_functions([self._function], self._owner)
        # By way of a SavedModel it leaves Keras 3's variables as variables without values (TensorFlow 2.21).
        converter.experimental_lower_to_saved_model = False
        try:
            return bytes(converter.convert())
        except Exception as error:  # its own classes, and MLIR's as plain RuntimeErrors
            raise ConversionError(f"TensorFlow cannot make a TFLite model of it: {_short(error)}") from error

    def onnx(self, folder: Path) -> bytes:  # noqa: ARG002 - others have a use for it
        """Raise Misused: no converter of TensorFlow 2.21 and Keras 3 to ONNX is kept."""
        raise Misused("TensorFlow's models become TFLite, not ONNX: leave --to onnx out.")


def open_source(source: Source, asked: Asked) -> TensorFlowModel:
    """Return the model of ``source``. Raises Missing, Misused, ConversionError."""
    tf = need("tensorflow", EXTRA)
    thing = source.thing
    if source.path is not None and source.path.is_dir():
        return _saved(tf, source.path, asked)
    if source.path is not None:
        thing = _keras(source.path)
    if hasattr(thing, "inputs") and hasattr(thing, "count_params"):
        keras = need("keras", EXTRA)
        if not thing.inputs or len(thing.inputs) != 1:
            count = len(thing.inputs or ())
            raise Misused(f"The Keras model has {count or 'no known'} inputs; a model of images has one.")
        one = thing.inputs[0]
        spec = Tensor(one.name.partition(":")[0], closed(one.shape, asked, source.told), _dtype(tf, one.dtype))
        return TensorFlowModel(tf, lambda x: thing(x, training=False), spec, thing, f"Keras {keras.__version__}")
    return _function(tf, thing, asked, source.told)


def _keras(path: Path) -> Any:
    keras = need("keras", EXTRA)
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # whatever Keras raises for a file that it does not read
        raise ConversionError(f"Keras {keras.__version__} cannot read {path}: {_short(error)}") from error


def _saved(tf: Any, path: Path, asked: Asked) -> TensorFlowModel:
    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as error:  # TensorFlow's own classes, by the kind of damage
        raise ConversionError(f"TensorFlow cannot read {path}: {_short(error)}") from error
    keys = list(loaded.signatures)
    wanted = asked.signature or (USUAL if USUAL in keys else next(iter(keys), ""))
    if wanted not in keys:
        raise Misused(f"{path} has no signature {wanted!r}; it has {', '.join(keys) or 'none'}.")
    signature = loaded.signatures[wanted]
    taken = signature.structured_input_signature[1]
    if len(taken) != 1:
        raise Misused(f"The signature {wanted!r} of {path} has {len(taken)} inputs; a model of images has one.")
    name, spec = next(iter(taken.items()))
    shape = [] if spec.shape.rank is None else spec.shape.as_list()
    tensor = Tensor(name, closed(shape, asked, str(path)), spec.dtype.name)
    return TensorFlowModel(tf, lambda x: signature(**{name: x}), tensor, loaded, f"TensorFlow {tf.__version__}")


def _function(tf: Any, thing: Any, asked: Asked, told: str) -> TensorFlowModel:
    # A tf.function, or a tf.Module by its __call__.
    call = thing if hasattr(thing, "get_concrete_function") else getattr(thing, "__call__", None)  # noqa: B004
    if call is None:
        raise Misused(f"{told} is a {type(thing).__name__} that cannot be called.")
    signature = [one for one in getattr(call, "input_signature", None) or () if hasattr(one, "shape")]
    shape = signature[0].shape.as_list() if signature else []
    dtype = signature[0].dtype.name if signature else "float32"
    tensor = Tensor("image", closed(shape, asked, told), dtype)
    return TensorFlowModel(tf, call, tensor, thing, f"TensorFlow {tf.__version__}")


def _dtype(tf: Any, dtype: Any) -> str:
    return str(tf.as_dtype(dtype).name)


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) < 600 else f"{text[:600]} …"
