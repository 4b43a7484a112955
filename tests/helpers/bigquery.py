"""A stand-in on 127.0.0.1 for the one call of BigQuery's REST API that is used: tabledata.insertAll."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Tables:
    """Keeps the rows of each table by their insertId, the first one under each.

    ``busy`` is how many calls are answered with 503 before one is taken; ``refused`` is what is said of every row,
    where anything is; ``status`` is what every call is answered with, where it is not 200.
    """

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, dict[str, Any]]] = {}
        self.calls, self.busy, self.status = 0, 0, 200
        self.refused: list[dict[str, Any]] = []
        self.url = ""

    def insert(self, path: str, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return the status and the body with which a POST of ``given`` to ``path`` is answered."""
        self.calls += 1
        words = path.partition("?")[0].split("/")
        # /bigquery/v2/projects/P/datasets/D/tables/T/insertAll
        if (words[1:4:2], words[5::2]) != (["bigquery", "projects"], ["datasets", "tables", "insertAll"]):
            return 404, _error(404, "notFound")
        if self.busy:
            self.busy -= 1
            return 503, _error(503, "backendError")
        if self.status != 200:
            return self.status, _error(self.status, "accessDenied")
        if self.refused:
            told = [{"index": at, "errors": self.refused} for at in range(len(given["rows"]))]
            return 200, {"kind": "bigquery#tableDataInsertAllResponse", "insertErrors": told}
        table = self.rows.setdefault(".".join(words[4:9:2]), {})
        for row in given["rows"]:
            table.setdefault(row["insertId"], row["json"])
        return 200, {"kind": "bigquery#tableDataInsertAllResponse"}


def _error(status: int, reason: str) -> dict[str, Any]:
    return {"error": {"code": status, "message": "told", "errors": [{"reason": reason, "message": "told"}]}}


@contextmanager
def serving() -> Iterator[Tables]:
    """Run the stand-in for the ``with`` block."""
    tables = Tables()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, told = tables.insert(self.path, given)
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    tables.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield tables
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
