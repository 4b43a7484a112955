"""Google's functions-framework with the deploy folder's own main.py, through its test client."""

from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import functions_framework

from helpers.harness import Answer, lower
from mlserverless.adapters import gcp
from mlserverless.serving import Service

MAIN = Path(__file__).parents[3] / "adapters" / "gcp" / "main.py"


@cache
def app(target: str) -> Any:
    """Return the framework's application for a function of main.py."""
    with mock.patch.object(gcp, "warm_up"):
        return functions_framework.create_app(target, str(MAIN))


class Harness:
    def __init__(self, service: Service) -> None:
        self._http = gcp.CloudHttp(service)

    def ask(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        path, _, query = target.partition("?")
        with mock.patch.object(gcp, "_http", self._http):
            response = (
                app("predict")
                .test_client()
                .open(path, method=method, query_string=query, headers=headers, data=body)
            )
        return Answer(response.status_code, lower(response.headers), response.data)
