"""What the model answered -> the inference response: JSON, or JSON with the outputs' bytes behind it."""

import struct
from math import prod
from typing import Any

from mlserverless.engines import Tensor
from mlserverless.tasks.raw import DATATYPES, MAX_BYTES
from mlserverless.types import Prediction
from mlserverless.web.answers import JSON, respond, server_timing
from mlserverless.web.http import HttpResponse
from mlserverless.web.inference import elements
from mlserverless.web.inference.asking import Asked, Output
from mlserverless.web.inference.running import Ran, too_long
from mlserverless.web.inference.served import Served

OCTETS = "application/octet-stream"


def respond_ran(served: Served, asked: Asked, ran: Ran, request_id: str) -> HttpResponse:
    """Return the response; raises InvalidRequest for what JSON cannot say, and an answer that is too long."""
    told: dict[str, Any] = {"model_name": served.name, "model_version": served.version}
    told |= {} if asked.id is None else {"id": asked.id}
    outputs, behind = list[dict[str, Any]](), list[bytes]()
    for output in asked.outputs:
        tensor, data = ran.outputs[output.place]
        shape, datatype = tensor.shape, DATATYPES[tensor.dtype]
        words = list[str]()
        if output.classes:
            shape, words = _classes(served, output, tensor, data, len(asked.items))
            datatype = "BYTES"
        one = {"name": output.name, "datatype": datatype, "shape": shape}
        if output.binary:
            data = b"".join(map(_counted, words)) if output.classes else data
            outputs.append(one | {"parameters": {"binary_data_size": len(data)}})
            behind.append(data)
        else:
            outputs.append(one | {"data": words if output.classes else elements.numbers(tensor, data)})
    made = Prediction(served.loaded.model.name, served.loaded.model.sha256, (), ran.timings)
    kind, value = OCTETS if behind else JSON, told | {"outputs": outputs}
    answer = respond(200, kind, value, request_id, server_timing([made]))._replace(results=(made,))
    if len(answer.body) > MAX_BYTES:
        too_long(f"{len(answer.body):,} bytes of JSON", MAX_BYTES, served)
    if not behind:
        return answer
    length = ("Inference-Header-Content-Length", str(len(answer.body)))
    return answer._replace(headers=(*answer.headers, length), body=b"".join((answer.body, *behind)))


def _classes(
    served: Served, output: Output, tensor: Tensor, data: bytes, runs: int
) -> tuple[tuple[int, ...], list[str]]:
    # Triton's classification extension: the highest elements, "value:index[:label]" each, best first.
    values = elements.numbers(tensor, data)
    size = prod(tensor.shape) // runs
    count = min(output.classes, size)
    loaded, words = served.loaded, list[str]()
    labels = loaded.model.labels if loaded.task == "classify" and output.place == loaded.places[0] else ()
    for begin in range(0, size * runs, size or 1):
        best = sorted(range(size), key=lambda at, begin=begin: -values[begin + at])[:count]  # type: ignore[misc]
        for at in best:
            place = at - loaded.model.output.offset
            label = f":{labels[place]}" if 0 <= place < len(labels) else ""
            words.append(f"{values[begin + at]}:{at}{label}")
    return ((runs, count) if served.most > 1 else (count,)), words


def _counted(word: str) -> bytes:
    data = word.encode(errors="backslashreplace")
    return struct.pack("<I", len(data)) + data
