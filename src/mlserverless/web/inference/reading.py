"""An inference request's body -> what it asks for: JSON, JSON with binary tensors behind it, or one tensor alone.

What a body becomes in memory is bounded before it is parsed: a list of numbers takes up to 17 times the JSON that
it stands in, so commas and brackets are counted first.
"""

import json
import threading
from math import prod
from typing import Any, NoReturn

from mlserverless.errors import ImageTooLarge, InvalidRequest, UnsupportedMediaType
from mlserverless.readers import shown
from mlserverless.web.http import HttpRequest
from mlserverless.web.inference import asking
from mlserverless.web.inference.asking import DOCS, Asked, Output
from mlserverless.web.inference.served import Served

HEADER = "inference-header-content-length"
SPARE = 1000  # commas and brackets that are not the tensor's
TYPES = ("", "application/json", "application/octet-stream", "application/x-www-form-urlencoded", "text/plain")
# One body at a time is as large as it becomes; nobody waits for it longer, since all of that holds Python's lock.
_parsing = threading.Lock()


def read(http: HttpRequest, served: Served, max_bytes: int) -> Asked:
    """Return what ``http`` asks of the model; raise InvalidRequest, UnsupportedMediaType or ImageTooLarge."""
    kind = http.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in TYPES and not kind.endswith("+json"):
        raise UnsupportedMediaType(
            f"The body's type {kind[:60]!r} is not accepted: send tensors, as application/json or "
            f"application/octet-stream. Images go to /predict. See {DOCS}."
        )
    if (coding := http.headers.get("content-encoding", "").strip().lower()) not in ("", "identity"):
        raise UnsupportedMediaType(
            f"The Content-Encoding {coding[:30]!r} is not accepted: send the body as it is."
        )
    if len(http.body) > max_bytes:
        raise ImageTooLarge(
            f"The request's body has more than the {max_bytes:,} bytes that the setting max_bytes accepts. In "
            f"binary a tensor is shorter than in JSON. See {DOCS}."
        )
    if not http.body:
        raise InvalidRequest(f"The request has no body; {asking.accepted(served)}.")
    length = _header_length(http)
    if not length:
        return _alone(http.body, served)
    with _parsing:
        return asking.read(_json(http.body, length, served), memoryview(http.body)[length:], served)


def _header_length(http: HttpRequest) -> int:
    given = http.headers.get(HEADER, str(len(http.body))).strip()
    if not (given.isascii() and given.isdigit() and len(given) < 20) or int(given) > len(http.body):
        raise InvalidRequest(
            f"Inference-Header-Content-Length is {shown(given)}; it is the length of the JSON at the beginning of "
            f"the body, which has {len(http.body):,} bytes."
        )
    return int(given)


def _alone(body: bytes, served: Served) -> Asked:
    # Triton's "raw binary request": the tensor of one run, and every output in binary.
    if len(body) != (wanted := served.loaded.input.bytes):
        raise InvalidRequest(
            f"With Inference-Header-Content-Length: 0 the body is the input of one run, {wanted:,} bytes; this "
            f"one has {len(body):,}."
        )
    outputs = (Output(place, tensor.known_as, binary=True) for place, tensor in served.outputs)
    return Asked(None, [body], tuple(outputs))


def _json(body: bytes, length: int, served: Served) -> Any:
    shape = served.loaded.input.shape
    lists = sum(prod(shape[:depth]) for depth in range(1, len(shape)))
    for letter, what, most in ((b",", "elements", prod(shape)), (b"[", "lists", lists), (b"{", "objects", 0)):
        if (found := body.count(letter, 0, length)) > most * served.most + SPARE:
            raise InvalidRequest(f"The JSON has {found:,} {what} or so, too many; {asking.accepted(served)}.")
    try:
        return json.loads(body[:length], parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        told = error if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise InvalidRequest(f"The body is not valid JSON ({told}); {asking.accepted(served)}.") from error


def _refuse(word: str) -> NoReturn:
    raise InvalidRequest(f"{word} is not JSON: send a tensor that has it in binary. See {DOCS}.")
