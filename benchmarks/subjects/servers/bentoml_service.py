"""BentoML's service: two workers, one request at a time each, the image as the body."""

from pathlib import Path
from typing import Annotated

import bentoml
from bentoml.validators import ContentType
from classifier import Classifier as Model


@bentoml.service(workers=2, threads=1)
class Classifier:
    """An interpreter a worker."""

    def __init__(self) -> None:
        self._model = Model()

    @bentoml.api
    def predict(self, image: Annotated[Path, ContentType("image/jpeg")], /) -> dict[str, int]:
        """Return the class of the image."""
        return {"index": self._model(image.read_bytes())}
