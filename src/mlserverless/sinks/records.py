"""What is recorded of an outcome, and under which key."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlserverless.named_tuple import NamedTuple
from mlserverless.types import Outcome, Prediction, Request

if TYPE_CHECKING:
    from datetime import datetime


class ModelId(NamedTuple):
    """Which model a function answers with; empty while it could not be loaded."""

    name: str = ""
    sha256: str = ""


def key(outcome: Outcome, model: ModelId) -> str:
    """Return the key of an outcome's record: that of its request.

    What could not be decoded names no source and was asked of no model; its id alone tells it from another.
    """
    request = outcome.request
    if not (request.url or request.version):
        return key_of(request._replace(version=outcome.request_id), ModelId())
    return key_of(request, model)


def key_of(request: Request, model: ModelId) -> str:
    """Return the SHA-256, in hexadecimal digits, of what was asked of which model.

    Equal for every delivery of an event: source, version, model and options are in it, the request's id and the
    time are not. The whole URL counts, what :func:`~mlserverless.net.url.redact` hides too.
    """
    from hashlib import sha256

    *options, named = request.options
    asked = [request.url or "", request.version, model.sha256, options]
    if named:  # one that is not here has no sha256
        asked.append(named)
    return sha256(json.dumps(asked, separators=(",", ":")).encode()).hexdigest()


def record(
    outcome: Outcome, model: ModelId, name: str, now: "Callable[[], datetime] | None" = None
) -> dict[str, Any]:
    """Return the record of an ``outcome`` under the key ``name``: the source without secrets, what came of it.

    ``predictions``, ``detections`` or ``outputs``, or else ``problem``, as HTTP tells it. ``time`` is when it was
    recorded, in UTC.
    """
    from datetime import UTC, datetime

    result = outcome.result
    if isinstance(result, Prediction):
        model = ModelId(result.model, result.sha256)
        told = result.told()
    else:
        told = {"problem": result.to_dict(outcome.request_id)}
    moment = now() if now else datetime.now(UTC)
    chosen = outcome.request.options._asdict()
    return {
        "key": name,
        "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "source": outcome.source,
        "version": outcome.request.version,
        "request_id": outcome.request_id,
        "model": model.name,
        "sha256": model.sha256,
        "options": {option: value for option, value in chosen.items() if value is not None},
        **told,
    }
