"""Tensors through an interpreter of the model's pool, one run after the other, and joined."""

import os
from collections.abc import Sequence
from math import prod
from time import perf_counter

from mlserverless.deadline import Deadline
from mlserverless.engines import Interpreter, Tensor
from mlserverless.errors import InvalidRequest
from mlserverless.named_tuple import NamedTuple
from mlserverless.tasks.raw import LEAST, MAX_BYTES
from mlserverless.web.inference.asking import DOCS, Asked
from mlserverless.web.inference.served import Served

# Of an answer in binary. A Lambda function's has at most 6 MB in base64, of Cloud Run's at most 32 MB by HTTP/1.
LAMBDA_BYTES, MOST_BYTES = 4_500_000, 30_000_000

Results = dict[int, tuple[Tensor, bytes]]  # by an output's place


class Ran(NamedTuple):
    """``outputs`` by their place, joined, with the shapes they have then; ``timings`` in milliseconds."""

    outputs: Results
    timings: tuple[tuple[str, float], ...]


def run(served: Served, asked: Asked, deadline: Deadline, queue: float) -> Ran:
    """Return what the model answers to ``asked``; one interpreter does all of its runs.

    Raises Overloaded, DeadlineExceeded and ModelUnavailable, and InvalidRequest where the answer would be too long
    or outputs of several runs cannot be joined.
    """
    begun = perf_counter()

    def work(interpreter: Interpreter) -> tuple[list[Results], float]:
        waited, ran = perf_counter(), list[Results]()
        for item in asked.items:
            deadline.check("the model ran")
            answered = interpreter.run(item)
            pairs = list(zip(interpreter.outputs, answered, strict=True))
            ran.append({output.place: pairs[output.place] for output in asked.outputs})
            if len(ran) == 1:
                _check_length(served, asked, ran[0])
        return ran, waited

    ran, waited = served.loaded.pool.run(work, deadline, queue)
    joined = {output.place: _joined(output.name, [one[output.place] for one in ran]) for output in asked.outputs}
    ended = perf_counter()
    return Ran(joined, (("wait", 1000 * (waited - begun)), ("invoke", 1000 * (ended - waited))))


def _joined(name: str, runs: Sequence[tuple[Tensor, bytes]]) -> tuple[Tensor, bytes]:
    tensor, data = runs[0]
    if len(runs) == 1:
        return tensor, data
    if any(other.shape != tensor.shape for other, _ in runs) or tensor.shape[:1] != (1,):
        raise InvalidRequest(
            f"The output {name!r} has another shape each time, so that {len(runs)} cannot be joined: send one at "
            "a time."
        )
    return tensor._replace(shape=(len(runs), *tensor.shape[1:])), b"".join(data for _, data in runs)


def _check_length(served: Served, asked: Asked, first: Results) -> None:
    # Before the other runs, so that what is held never becomes much more than may be sent.
    most = LAMBDA_BYTES if "AWS_LAMBDA_FUNCTION_MEMORY_SIZE" in os.environ else MOST_BYTES
    in_binary = in_json = 0
    for output in asked.outputs:
        tensor, data = first[output.place]
        if output.binary and not output.classes:
            in_binary += len(data) * len(asked.items)
        else:  # classes are chosen from the same numbers
            in_json += LEAST[tensor.dtype] * prod(tensor.shape) * len(asked.items)
    if in_json > MAX_BYTES:
        too_long(f"at least {in_json:,} bytes of JSON", MAX_BYTES, served)
    if in_binary > most:
        too_long(f"{in_binary:,} bytes of tensors", most, served)


def too_long(found: str, most: int, served: Served) -> None:
    """Raise InvalidRequest for an answer that is longer than may be sent."""
    raise InvalidRequest(
        f"The answer of {served.name} has {found}; at most {most:,} are sent. Ask for fewer outputs, for a "
        f"smaller batch, or in binary, which is a third of the JSON. See {DOCS}."
    )
