"""LitServe's server, asked as in its own guides: the image as base64 in JSON. Usage: HOST PORT WORKERS"""

import base64
import sys

import litserve
from classifier import Classifier


class Api(litserve.LitAPI):
    """An interpreter a worker."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe calls it by name
        """Load the model."""
        self._model = Classifier()

    def decode_request(self, request):  # type: ignore[no-untyped-def]  # an annotation would choose another parser
        """Return the image's bytes."""
        return base64.b64decode(request["image_data"])

    def predict(self, x: bytes) -> int:
        """Return its class."""
        return self._model(x)

    def encode_response(self, output: int) -> dict[str, int]:
        """Return the answer."""
        return {"index": output}


if __name__ == "__main__":
    host, port, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    server = litserve.LitServer(Api(), accelerator="cpu", workers_per_device=workers)
    server.run(host=host, port=port, log_level="warning", generate_client_file=False)
