"""MLServer's custom runtime: an interpreter a worker, the image as base64 in a BYTES tensor."""

import numpy as np
from classifier import Classifier as Model
from mlserver import MLModel
from mlserver.codecs import Base64Codec, NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Classifier(MLModel):
    """An interpreter a worker."""

    async def load(self) -> bool:
        """Load the model."""
        self._model = Model()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the class of the image."""
        image = Base64Codec.decode_input(payload.inputs[0])[0]
        found = np.array([self._model(image)])
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("index", found)])
