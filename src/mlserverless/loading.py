"""A model made ready to answer: its file read, an engine chosen, its tensors checked, a pool around it."""

from collections.abc import Callable

from mlserverless import engines, model, preprocess, tasks
from mlserverless.config import Settings, vcpus
from mlserverless.deadline import Deadline
from mlserverless.engines import Engine, EngineMissing, Interpreter, Tensor, Wanted
from mlserverless.errors import ModelUnavailable
from mlserverless.interpreter import Pool
from mlserverless.logs import log
from mlserverless.named_tuple import NamedTuple
from mlserverless.readers import shown
from mlserverless.target import ORDERS, Target


class Loaded(NamedTuple):
    """A model that is ready to answer: its file, its engine's name, its tensors, its pool.

    ``input`` is fed with images that become ``target``; ``task`` is classify, detect or raw, and its outputs are
    at ``places`` among the ``outputs``, see :class:`mlserverless.tasks.Task`.
    """

    model: model.Model
    engine: str
    input: Tensor
    outputs: tuple[Tensor, ...]
    pool: Pool
    target: Target
    task: str = "classify"
    places: tuple[int, ...] = (0,)

    @property
    def output(self) -> Tensor:
        """The first of the task's outputs: a classifier's scores."""
        return self.outputs[self.places[0]]


def load(
    settings: Settings, deadline: Deadline | None = None, spare: Callable[[], bool] = lambda: False
) -> Loaded:
    """Return the model that ``settings`` name, ready to answer, its first interpreter loaded.

    Where there is time to ``spare`` then, it is run once: the first run takes twice as long. A remote model is
    downloaded before the ``deadline``. Raises ModelUnavailable where the file, the engine, the tensors, the labels
    and the settings do not fit.
    """
    share = max(1, round(vcpus()))
    found = _read(settings, deadline or Deadline())
    wanted = _wanted(found)
    size = settings.concurrency or share
    wide, narrow = settings.threads or share, settings.threads or max(1, share // size)

    def pooled(engine: Engine) -> Pool:
        model.trust(engine.name, found)
        pool = Pool(lambda threads: engine.load(found.data, threads, wanted), size, wide=wide, narrow=narrow)
        pool.run(lambda _: None, Deadline())  # its first interpreter is made
        return pool

    engine, pool = _first(settings.engine, engines.order(found.data, wanted), pooled)

    def check(first: Interpreter) -> tuple[Tensor, Target, tuple[Tensor, ...], tasks.Task]:
        image = _image_input(first, found)
        target = preprocess.check(found.input, image)
        task = tasks.choose(found, first.outputs, lambda: first.run(bytes(image.bytes)))
        return image, target, tuple(first.outputs), task

    image, target, outputs, task = pool.run(check, Deadline())
    loaded = Loaded(found, engine.name, image, outputs, pool, target, task.name, task.places)
    classes = tasks.classes(loaded.output) if task.name == "classify" else 0
    if found.metadata.present:
        from mlserverless import contradictions  # a file without metadata contradicts nothing

        contradictions.check(found, image, target.channels, classes, task.name)
    labels = found.labels or tuple(map(str, range(classes)))
    _check_settings(settings, found.name, task.name, labels)
    if spare():
        pool.run(lambda first: first.run(bytes(image.bytes)), Deadline())
    return loaded._replace(model=found._replace(labels=labels))


def _wanted(found: model.Model) -> Wanted:
    said = found.output
    return Wanted(
        found.signature,
        found.input.size,
        found.delegates,
        found.input.layout,
        len(ORDERS.get(found.input.channels, ())),
        tuple(filter(None, (said.scores, said.boxes, said.classes, said.count))),
    )


def _first(name: str, order: tuple[str, ...], pooled: Callable[[Engine], Pool]) -> tuple[Engine, Pool]:
    """Return the first engine of ``order`` that can run the model, and what ``pooled`` makes of it.

    One that is installed may lack what this model needs. Raises ModelUnavailable where the setting ``engine``,
    called ``name``, says just that one, or none is left.
    """
    while True:
        engine = engines.select(name, order)
        try:
            return engine, pooled(engine)
        except EngineMissing as error:
            order = order[order.index(engine.name) + 1 :] if engine.name in order else ()
            if name != "auto" or not order:
                raise ModelUnavailable(f"{error} The setting engine = auto takes another engine.") from error
            log().warning("not using the engine %s (%s)", engine.name, error)


def _check_settings(settings: Settings, name: str, task: str, labels: tuple[str, ...]) -> None:
    wanted = (*settings.labels_allow, *settings.labels_deny)
    if wanted and task == "raw":
        raise ModelUnavailable(f"The settings name the label {shown(wanted[0])}, and {name} answers raw tensors.")
    # A detector without labels may answer any number.
    unknown = [label for label in wanted if label not in labels and (labels or not label.isdecimal())]
    if unknown:
        raise ModelUnavailable(f"The settings name the label {shown(unknown[0])}, which {name} does not have.")


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
        raise ModelUnavailable(f"{found.name} has {len(interpreter.inputs)} inputs; a model of images has one.")
    return interpreter.inputs[0]
