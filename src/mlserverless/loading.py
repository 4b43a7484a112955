"""A model made ready to answer: its file read, an engine chosen, its tensors checked, a pool around it."""

from collections.abc import Callable
from typing import NamedTuple

from mlserverless import engines, model, postprocess, preprocess
from mlserverless.config import Settings, vcpus
from mlserverless.deadline import Deadline
from mlserverless.engines import Interpreter, Tensor
from mlserverless.errors import ModelUnavailable
from mlserverless.interpreter import Pool
from mlserverless.model_toml import DOCS, RANGES
from mlserverless.readers import shown


class Loaded(NamedTuple):
    """A model that is ready to answer: its file, its engine's name, its tensors, its pool."""

    model: model.Model
    engine: str
    input: Tensor
    output: Tensor
    pool: Pool


def load(
    settings: Settings, deadline: Deadline | None = None, spare: Callable[[], bool] = lambda: False
) -> Loaded:
    """Return the model that ``settings`` name, ready to answer, its first interpreter loaded.

    Where there is time to ``spare`` then, it is run once: the first run takes twice as long. A remote model is
    downloaded before the ``deadline``. Raises ModelUnavailable where the file, the engine, the tensors, the labels
    and the settings do not fit.
    """
    share = max(1, round(vcpus()))
    engine = engines.select(settings.engine)
    found = _read(settings, deadline or Deadline())
    model.trust(engine.name, found)

    wanted = engines.Wanted(found.signature, found.input.size, found.delegates)

    def interpreter(threads: int) -> Interpreter:
        return engine.load(found.data, threads, wanted)

    size = settings.concurrency or share
    wide, narrow = settings.threads or share, settings.threads or max(1, share // size)
    pool = Pool(interpreter, size, wide=wide, narrow=narrow)
    tensors = pool.run(lambda first: (_image_input(first, found), _scores_output(first, found)), Deadline())
    # A range or a dtype that cannot be served is told now, not by the first request.
    preprocess.tensor_bytes(b"", found.input.range, tensors[0])
    postprocess.scores(b"", tensors[1], "none")
    labels = found.labels or tuple(map(str, range(tensors[1].shape[-1])))
    if unknown := [x for x in (*settings.labels_allow, *settings.labels_deny) if x not in labels]:
        raise ModelUnavailable(
            f"The settings name the label {shown(unknown[0])}, which {found.name} does not have."
        )
    if spare():
        pool.run(lambda first: first.run(bytes(tensors[0].bytes)), Deadline())
    return Loaded(found._replace(labels=labels), engine.name, *tensors, pool)


def _read(settings: Settings, deadline: Deadline) -> model.Model:
    if "://" not in settings.model:
        return model.load(settings.model, settings.model_sha256)
    from mlserverless import remote  # only a model at a URL pays for it

    deadline = deadline.within(settings.model_timeout)
    folder = remote.fetch(settings, deadline)
    try:
        return model.load(folder, settings.model_sha256)
    except ModelUnavailable:  # what was kept has been damaged since: once more, from the source
        remote.forget(folder)
        return model.load(remote.fetch(settings, deadline), settings.model_sha256)


def _image_input(interpreter: Interpreter, found: model.Model) -> Tensor:
    if len(interpreter.inputs) != 1:
        raise ModelUnavailable(f"{found.name} has {len(interpreter.inputs)} inputs; an image classifier has one.")
    tensor = interpreter.inputs[0]
    if len(tensor.shape) != 4 or tensor.shape[::3] != (1, 3) or min(tensor.shape) < 1:
        raise ModelUnavailable(f"{found.name} takes {tensor.shape}; read is (1, height, width, 3), an RGB image.")
    if tensor.dtype == "float32" and not found.input.range:
        raise ModelUnavailable(
            f"Nothing says which range {found.name} wants its float pixels in: set range in [input] of its "
            f"model.toml to {', '.join(RANGES)} or a mean and std. See {DOCS}."
        )
    return tensor


def _scores_output(interpreter: Interpreter, found: model.Model) -> Tensor:
    tensor = interpreter.outputs[0] if interpreter.outputs else Tensor("", (), "")
    if len(interpreter.outputs) != 1 or not tensor.shape or tensor.shape[-1] < 1 or set(tensor.shape[:-1]) - {1}:
        shapes = ", ".join(str(output.shape) for output in interpreter.outputs) or "nothing"
        raise ModelUnavailable(f"{found.name} answers {shapes}; read is one output of shape (1, classes).")
    if found.labels and len(found.labels) != tensor.shape[-1]:
        raise ModelUnavailable(
            f"{found.name} has {len(found.labels):,} labels, but its output has {tensor.shape[-1]:,} classes."
        )
    return tensor
