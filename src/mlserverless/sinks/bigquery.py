"""Results as rows of a BigQuery table, streamed with the key as ``insertId``.

BigQuery drops a row whose insertId it has seen within about a minute (BigQuery documentation, "Streaming data into
BigQuery", best-effort de-duplication); a view over ``key`` finds what came later.
"""

import json
import re
from typing import Any

from mlserverless.deadline import Deadline
from mlserverless.errors import ConfigError, SinkError
from mlserverless.sinks.unread import Unread

TABLE = re.compile(r"bigquery://([\w:.-]+)\.(\w+)\.([\w$-]+)")
NESTED = ("options", "predictions", "detections", "outputs", "problem")  # columns of the type JSON
LONGEST_S = 30.0


class BigQuerySink(Unread):
    """Stream each record into ``bigquery://project.dataset.table`` with Google's own client.

    Its columns: ``key``, ``source``, ``version``, ``request_id``, ``model``, ``sha256`` (STRING), ``time``
    (TIMESTAMP), ``options``, ``predictions``, ``problem`` (JSON); for a model that detects ``detections``, for one
    that answers raw tensors ``outputs`` (JSON) in the place of ``predictions``.
    """

    keeps = True

    def __init__(self, url: str, client: Any = None) -> None:
        found = TABLE.fullmatch(url)
        if not found:
            raise ConfigError("The sink is not of the form bigquery://project.dataset.table.")
        self._table = ".".join(found.groups())
        self._client = client or _client(found[1])

    def put(self, key: str, record: dict[str, Any], deadline: Deadline) -> None:
        """Insert the record's row; return once BigQuery has taken it."""
        row = {name: json.dumps(value) if name in NESTED else value for name, value in record.items()}
        seconds = max(0.1, min(LONGEST_S, deadline.remaining()))
        try:
            refused = self._client.insert_rows_json(
                self._table, [row], row_ids=[key], retry=_retry(seconds), timeout=seconds
            )
        except Exception as error:  # google-api-core has some twenty classes, and transport errors beside them
            raise SinkError(f"BigQuery did not take the result ({type(error).__name__}).") from error
        if refused:
            reasons = sorted({told.get("reason", "") for row in refused for told in row.get("errors", ())})
            raise SinkError(f"BigQuery refused the row ({', '.join(reasons)}): are its columns as documented?")


def _client(project: str) -> Any:
    try:
        from google.cloud import bigquery
    except ImportError as error:
        raise ConfigError(
            'The sink bigquery:// needs its client: pip install "mlserverless[bigquery]".'
        ) from error
    from google.auth.exceptions import GoogleAuthError

    try:
        return bigquery.Client(project=project)
    except GoogleAuthError as error:
        raise ConfigError("The sink bigquery:// finds no credentials of Google's here.") from error


def _retry(seconds: float) -> Any:
    from google.cloud.bigquery import DEFAULT_RETRY

    return DEFAULT_RETRY.with_timeout(seconds)
