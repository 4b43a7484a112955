"""Azure Functions' HTTP trigger: azure-functions' own request and response."""

from urllib.parse import unquote, urlsplit

import azure.functions as func

from helpers.harness import INVOCATION_ID, Answer, lower
from mlserverless.adapters.azure import FunctionHttp
from mlserverless.serving import Service


class Harness:
    def __init__(self, service: Service) -> None:
        self._http = FunctionHttp(service)

    def ask(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        path = unquote(urlsplit(target).path).removeprefix("/")
        route = {"path": path} if path else {}  # the host leaves out what is empty
        url = f"https://app.example{target}"
        request = func.HttpRequest(method, url, headers=headers, route_params=route, body=body)
        response = self._http(request, INVOCATION_ID)
        return Answer(response.status_code, lower(response.headers), response.get_body())
