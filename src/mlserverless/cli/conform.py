"""``mlserverless conform``: does an endpoint, anywhere, keep the wire contract?"""

import http.client
import json
import ssl
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

import click
from rich.console import Console
from rich.table import Table

from mlserverless.errors import MlserverlessError
from mlserverless.predictor import Predictor
from mlserverless.serving import Service
from mlserverless.testing.http import LIMIT, Answer, Ask, Case, cases, check, encoded, expected_of
from mlserverless.testing.places import Places

TIMEOUT_S = 60.0
Sign = Callable[[str, str, dict[str, str], bytes], dict[str, str]]


@click.command(epilog='Example: mlserverless conform --url https://… --header "x-functions-key: KEY"')
@click.option("--url", required=True, help="The endpoint, https://… (or http:// on this machine).")
@click.option("--header", "headers", multiple=True, metavar="NAME: VALUE", help="Sent with every request.")
@click.option("--aws-sigv4", "region", metavar="REGION", help="Sign for Lambda, with the credentials at hand.")
@click.option("--image-url", default="", help="An image that the endpoint can fetch; else no URLs are tried.")
@click.option("--model", default="", help="The same model here, to compare the answers with byte by byte.")
@click.option("--limited", is_flag=True, help="The endpoint's MAX_BYTES is 400000: try a larger image.")
def conform(
    url: str, headers: tuple[str, ...], region: str | None, image_url: str, model: str, limited: bool
) -> None:
    """Ask an endpoint the cases of the wire contract and print what it answers.

    Exits with 1 where a case fails. A key or a token goes into --header: "x-functions-key: KEY".
    """
    ask = over(url, dict(_header(text) for text in headers), signer(region) if region else None)
    places = Places(image_url, urljoin(image_url, "no-such-image-5f0c.jpg") if image_url else "")
    expected = _expected(model, limited) if model else None
    table = Table("case", "request", "status", "holds", title=f"The wire contract at {urlsplit(url).netloc}")
    failed = left_out = 0
    for case in cases(raw=_raw(ask)):
        if (case.limited and not limited) or any(not getattr(places, name) for name in case.needs()):
            left_out += 1
            continue
        told, holds = _try(case.at(places), ask, expected)
        failed += not holds
        table.add_row(case.name, f"{case.method} {case.target.partition('?')[0]}", told, "yes" if holds else "NO")
    console = Console()
    console.print(table)
    console.print(f"{table.row_count - failed} of {table.row_count} hold, {left_out} not tried.")
    if failed:
        raise SystemExit(1)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise click.BadParameter("a header is written NAME: VALUE", param_hint="--header")
    return name.strip(), value.strip()


def _try(case: Case, ask: Ask, expected: Callable[[Case], bytes] | None) -> tuple[str, bool]:
    try:
        return str(check(case, ask, expected).status), True
    except AssertionError as error:
        return str(error)[:200], False
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"{type(error).__name__}: {error}"[:200], False


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
        raise click.ClickException(str(error)) from error
    return expected_of(Service(lambda: predictor))


def signer(region: str) -> Sign:
    """Return what signs a request for a Function URL in ``region`` (AWS Signature Version 4)."""
    try:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.session import Session
    except ImportError as error:
        raise click.ClickException("--aws-sigv4 needs botocore: pip install botocore") from error
    credentials = Session().get_credentials()
    if credentials is None:
        raise click.ClickException("--aws-sigv4 found no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID …")

    def sign(method: str, url: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
        request = AWSRequest(method, url, headers, body or None)
        SigV4Auth(credentials, "lambda", region).add_auth(request)
        return dict(request.headers.items())

    return sign


def over(url: str, extra: dict[str, str], sign: Sign | None = None) -> Ask:
    """Return an ``ask`` that reaches the endpoint at ``url``, with the headers ``extra``, signed by ``sign``."""
    at = urlsplit(url)
    if at.scheme not in ("http", "https") or not at.hostname:
        raise click.BadParameter("the endpoint's URL begins with https:// or http://", param_hint="--url")
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
