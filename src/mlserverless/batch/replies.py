"""What an endpoint's answer means for the items that were asked for: the function's own, or its platform's."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mlserverless.batch.address import Answer
from mlserverless.batch.engine import Item, Stopped
from mlserverless.batch.retry import ASKED_MOST_S, retry_after
from mlserverless.errors import (
    DeadlineExceeded,
    ImageTooLarge,
    InternalError,
    InvalidRequest,
    MlserverlessError,
    Overloaded,
)
from mlserverless.named_tuple import NamedTuple
from mlserverless.serving import problem

BUSY = (429, 503)
# Of a platform, before the function was asked. Every other status below 500 says the same of every item.
OF_THE_ITEM: dict[int, type[MlserverlessError]] = {400: InvalidRequest, 413: ImageTooLarge}
MAY_PASS: dict[int, type[MlserverlessError]] = {
    408: DeadlineExceeded,
    425: InternalError,
    429: Overloaded,
    503: Overloaded,
    504: DeadlineExceeded,
}
# The function's own problems that mean the address, not the image.
NO_FUNCTION = ("not-found", "method-not-allowed")


class Reply(NamedTuple):
    """What came of one request: a ``result`` for each of its items.

    ``whole`` where one problem is told of all of them; ``ours`` where the function itself answered; ``busy`` where
    the answer was that there were too many requests; ``asked_s`` is what a Retry-After asked for, ``hold_s`` what
    it asked of everybody.
    """

    results: list[dict[str, Any]]
    whole: bool = False
    ours: bool = True
    busy: bool = False
    asked_s: float | None = None
    hold_s: float = 0.0


def read(answer: Answer, items: Sequence[Item], shown: str) -> Reply:
    """Return what ``answer`` means for ``items``: of one a prediction or a problem, of several ``results``.

    ``shown`` is the endpoint for people. Raises Stopped for what every item would be answered.
    """
    told = _json(answer.body)
    asked_s = retry_after(answer.headers.get("retry-after"))
    if answer.status == 200 and told is not None:
        results = [told] if len(items) == 1 else told.get("results")
        if isinstance(results, list) and len(results) == len(items) and all(isinstance(r, dict) for r in results):
            return Reply([_named(result, item) for result, item in zip(results, items, strict=True)])
    if told is not None and isinstance(told.get("code"), str) and answer.status >= 400:
        if told["code"] in NO_FUNCTION:
            raise Stopped("misconfigured", f"{shown} answers {told['code']}: is it the function's URL?")
        reply = Reply([_named(told, item) for item in items], whole=True)
    else:
        reply = failed(_platforms(answer, shown), items)
    # 429 is of whoever asks, and for all that it asks; 503 may be of one instance of several.
    hold_s = min(asked_s or 0.0, ASKED_MOST_S) if answer.status == 429 else 0.0
    return reply._replace(busy=answer.status in BUSY, asked_s=asked_s, hold_s=hold_s)


def failed(error: MlserverlessError, items: Sequence[Item]) -> Reply:
    """Return the reply that is no answer of the function: ``error`` for each of ``items``."""
    return Reply([problem(error, str(item.index)).to_dict(str(item.index)) for item in items], True, ours=False)


def _platforms(answer: Answer, shown: str) -> MlserverlessError:
    kind = OF_THE_ITEM.get(answer.status) or MAY_PASS.get(answer.status)
    if kind is None and answer.status >= 500:
        kind = InternalError
    if kind is None:
        raise Stopped("misconfigured", _foreign(answer, shown))
    return kind(f"The function's platform answered {answer.status}, in words that are not the function's own.")


def _json(body: bytes) -> dict[str, Any] | None:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _named(result: Mapping[str, Any], item: Item) -> dict[str, Any]:
    return {**result, "instance": str(item.index)} if "code" in result else dict(result)


def _foreign(answer: Answer, shown: str) -> str:
    if answer.status in (401, 403):
        return (
            f"{shown} answers {answer.status}: it lets nobody in without a key, a token or a signature, or not "
            "with this one. Give it with --header, --header-env or --aws-sigv4."
        )
    if 300 <= answer.status < 400:
        return (
            f"{shown} answers {answer.status}, a redirect, which is not followed: give the URL that it leads to."
        )
    return (
        f"{shown} answers {answer.status}, and not as this package's functions do: is it the function's URL? "
        "`mlserverless conform URL` tells more."
    )
