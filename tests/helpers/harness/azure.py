"""Azure Functions' HTTP trigger: azure-functions' own request and response."""

import azure.functions as func
from helpers.harness import INVOCATION_ID, Answer, lower

from mlserverless.adapters.azure import FunctionHttp
from mlserverless.serving import Service


class Harness:
    def __init__(self, service: Service) -> None:
        self._http = FunctionHttp(service)

    def ask(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        request = func.HttpRequest(method, f"https://app.example{target}", headers=headers, body=body)
        response = self._http(request, INVOCATION_ID)
        return Answer(response.status_code, lower(response.headers), response.get_body())
