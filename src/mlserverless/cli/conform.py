"""``mlserverless conform``: does an endpoint, anywhere, keep the wire contract?"""

import http.client
import json
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin, urlsplit

import click

from mlserverless.cli import FAILED, UNUSABLE, completing
from mlserverless.cli.answers import JSON, show, stop
from mlserverless.cli.command import command
from mlserverless.cli.deprecated import Renamed
from mlserverless.cli.progress import QUIET, console, steps
from mlserverless.errors import MlserverlessError
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.testing.http import LIMIT, Answer, Ask, Case, cases, check, encoded, expected_of
from mlserverless.testing.places import Places

TIMEOUT_S = 60.0
Sign = Callable[[str, str, dict[str, str], bytes], dict[str, str]]


@command(
    examples=(
        (
            "An endpoint of Azure's, with its key",
            'mlserverless conform https://flowers.example.net --header "x-functions-key: KEY"',
        ),
        (
            "A Function URL that asks for signatures",
            "mlserverless conform https://fn.example.com --aws-sigv4 eu-central-1",
        ),
        (
            "Byte by byte what the same model answers here",
            "mlserverless conform http://127.0.0.1:8080 --model models/mine --json",
        ),
    ),
    groups={"How it is reached": ("headers", "region"), "What is tried": ("image_url", "model", "limited")},
    answer={
        "endpoint": "the host that was asked",
        "cases": "each: name, method, path, status (null: none), holds, told: what differs, or empty",
        "hold, failed, not_tried": "how many of them",
    },
    exits={
        0: "every case that was tried holds",
        1: "a case does not hold",
        3: "the model to compare with, or a package, is missing",
    },
    pages=("docs/reference/http.md",),
    renamed=(Renamed("--url", "", "the URL alone, after conform", "0.3"),),
)
@click.argument("url")
@click.option("--header", "headers", multiple=True, metavar="NAME: VALUE", help="Sent with every request.")
@click.option("--aws-sigv4", "region", metavar="REGION", help="Sign for Lambda, with the credentials at hand.")
@click.option("--image-url", default="", help="An image that the endpoint can fetch; else no URLs are tried.")
@click.option(
    "--model",
    default="",
    shell_complete=completing.models,
    help="The same model here, to compare the answers with byte by byte.",
)
@click.option("--limited", is_flag=True, help="The endpoint's MAX_BYTES is 400000: try a larger image.")
@JSON
@QUIET
def conform(
    url: str,
    headers: tuple[str, ...],
    region: str | None,
    image_url: str,
    model: str,
    limited: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Ask the endpoint at URL, https://… (or http:// on this machine), the cases of the wire contract.

    A key or a token goes into --header: "x-functions-key: KEY".
    """
    ask = over(url, dict(_header(text) for text in headers), signer(region) if region else None)
    places = Places(image_url, urljoin(image_url, "no-such-image-5f0c.jpg") if image_url else "")
    expected = _expected(model, limited) if model else None
    found: list[dict[str, Any]] = []
    with steps(quiet=quiet) as tell:
        every = list(cases(raw=_raw(ask)))
        tell("", len(every))
        for case in every:
            tell(case.name)
            if not (case.limited and not limited) and all(getattr(places, name) for name in case.needs()):
                status, told = _try(case.at(places), ask, expected)
                path = case.target.partition("?")[0]
                one = {"name": case.name, "method": case.method, "path": path, "status": status}
                found.append(one | {"holds": not told, "told": told})
    hold, endpoint = sum(one["holds"] for one in found), _host(url)
    counted = {"hold": hold, "failed": len(found) - hold, "not_tried": len(every) - len(found)}
    if as_json:
        show({"endpoint": endpoint, "cases": found, **counted})
    else:
        _show(endpoint, found)
        click.echo(f"{hold} of {len(found)} hold, {counted['not_tried']} not tried.")
    if counted["failed"]:
        raise SystemExit(FAILED)


def _host(url: str) -> str:
    """Return the host and port of ``url``, without a user's name and password."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _show(endpoint: str, found: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("case", "request", "status", "holds", title=f"The wire contract at {endpoint}")
    for one in found:
        holds = Text("yes", "green") if one["holds"] else Text("NO", "bold red")
        told = Text(one["told"] or str(one["status"]))
        table.add_row(Text(one["name"]), Text(f"{one['method']} {one['path']}"), told, holds)
    console(width=None).print(table)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise click.BadParameter("a header is written NAME: VALUE", param_hint="--header")
    return name.strip(), value.strip()


def _try(case: Case, ask: Ask, expected: Callable[[Case], bytes] | None) -> tuple[int | None, str]:
    """Return the status, None where there is none, and what does not hold, empty where all does."""
    try:
        return check(case, ask, expected).status, ""
    except AssertionError as error:
        return None, str(error)[:200] or "it does not hold"
    except (OSError, http.client.HTTPException, ValueError) as error:
        return None, f"{type(error).__name__}: {error}"[:200]


def _raw(ask: Ask) -> bool:
    try:
        told = json.loads(ask("GET", "/model", {}).body)
        return isinstance(told, dict) and told.get("task") == "raw"
    except (OSError, http.client.HTTPException, ValueError):  # the cases tell it
        return False


def _expected(model: str, limited: bool) -> Callable[[Case], bytes]:
    try:
        more = {"max_bytes": LIMIT} if limited else {}
        predictor = Predictor(model, allow_private_addresses=True, **more)
        predictor.load()
    except MlserverlessError as error:
        raise stop(error, UNUSABLE, "conform") from error
    return expected_of(Service(lambda: predictor))


def signer(region: str) -> Sign:
    """Return what signs a request for a Function URL in ``region`` (AWS Signature Version 4)."""
    try:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.session import Session
    except ImportError as error:
        told = "--aws-sigv4 needs botocore: pip install botocore"
        raise stop(RuntimeError(told), UNUSABLE, "conform") from error
    credentials = Session().get_credentials()
    if credentials is None:
        told = "--aws-sigv4 found no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID …"
        raise stop(RuntimeError(told), UNUSABLE, "conform")

    def sign(method: str, url: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
        request = AWSRequest(method, url, headers, body or None)
        SigV4Auth(credentials, "lambda", region).add_auth(request)
        return dict(request.headers.items())

    return sign


def over(url: str, extra: dict[str, str], sign: Sign | None = None) -> Ask:
    """Return an ``ask`` that reaches the endpoint at ``url``, with the headers ``extra``, signed by ``sign``."""
    at = urlsplit(url)
    if at.scheme not in ("http", "https") or not at.hostname:
        raise click.BadParameter("the endpoint's URL begins with https:// or http://", param_hint="URL")
    host, port = at.hostname, at.port

    def connect() -> http.client.HTTPConnection:
        if at.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=ssl.create_default_context())

    def ask(method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        connection = connect()
        try:
            path, sent = encoded(at.path.rstrip("/") + target), {**extra, **headers}
            if sign is not None:
                sent = sign(method, f"{at.scheme}://{at.netloc}{path}", sent, body)
            connection.request(method, path, body or None, sent)
            answer = connection.getresponse()
            got = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, got, answer.read())
        finally:
            connection.close()

    return ask
