"""What TFLite metadata says, as frozen records. "", (), None: it does not say. The terms are the schema's."""

from mlserverless.named_tuple import NamedTuple


class LabelFile(NamedTuple):
    """A label file in the archive behind the model.

    ``locale`` is an ISO 639-1 code, "de" or "en-US". ``of_values``: a tensor's values are line numbers (a
    detector's classes output); else its last axis has a line for each entry (a classifier's scores).
    """

    name: str
    locale: str = ""
    of_values: bool = False


class Calibration(NamedTuple):
    """How scores are calibrated: the lines of ``file`` hold each class's sigmoid.

    ``transformation`` of a score before its sigmoid: identity, log or inverse logistic. ``default`` is the score
    of a class without a sigmoid, or below its own minimum.
    """

    file: str
    transformation: str = "identity"
    default: float = 0.0


class TensorInfo(NamedTuple):
    """An input or output tensor.

    ``content``: image, feature, bounding box, audio. ``color_space``: rgb, gray. ``mean`` and ``std``, in pixel
    values 0…255, one number or one a channel: a value fed is (x - mean) / std. ``minimum`` and ``maximum`` are
    what such values range over, which is a hint. ``default_size`` is (height, width) in pixels.
    """

    name: str = ""
    description: str = ""
    dimensions: tuple[str, ...] = ()
    content: str = ""
    color_space: str = ""
    default_size: tuple[int, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    minimum: tuple[float, ...] = ()
    maximum: tuple[float, ...] = ()
    labels: tuple[LabelFile, ...] = ()
    score_threshold: float | None = None
    calibration: Calibration | None = None


class Metadata(NamedTuple):
    """What the file says of the model, and of the first graph's inputs and outputs, in the model's order.

    ``files`` are the names of every associated file.
    """

    name: str = ""
    description: str = ""
    version: str = ""
    author: str = ""
    license: str = ""
    min_parser_version: str = ""
    inputs: tuple[TensorInfo, ...] = ()
    outputs: tuple[TensorInfo, ...] = ()
    files: tuple[str, ...] = ()
    present: bool = False
    """Whether the file has metadata at all."""

    @property
    def score_threshold(self) -> float | None:
        """The recommended least score, of the first output that has one."""
        return next(
            (output.score_threshold for output in self.outputs if output.score_threshold is not None), None
        )
