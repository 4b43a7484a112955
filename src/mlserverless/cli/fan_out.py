"""Who answers a batch: this machine, a deployed function (--endpoint), a user's own cloud (--engine lithops).

The options that choose, and the engine that they come to.
"""

from collections.abc import Callable
from typing import Any

import click

from mlserverless.batch.engine import Engine
from mlserverless.batch.local import DOWNLOADS, Local
from mlserverless.batch.retry import Retry
from mlserverless.config import Settings
from mlserverless.errors import ConfigError

LITHOPS = "lithops"
HERE, CALLS, REQUESTS = "on this machine", f"with --engine {LITHOPS}", "with --endpoint"
# What is of use in some ways only.
USED = {
    "engine": (HERE, CALLS),
    "workers": (HERE,),
    "downloads": (HERE, CALLS),
    "allow_private_addresses": (HERE, CALLS),
    "concurrency": (CALLS, REQUESTS),
    "chunk": (CALLS,),
    "per_request": (REQUESTS,),
    "headers": (REQUESTS,),
    "header_env": (REQUESTS,),
    "region": (REQUESTS,),
}
NAMES = {"headers": "header", "region": "aws_sigv4"}
GROUPS = {
    "Who answers instead of this machine": ("endpoint", "headers", "header_env", "region", "per_request"),
    "How many at a time": ("concurrency", "chunk"),
}
ENGINE = click.option(
    "--engine",
    help=f"auto, litert, … as for predict; or {LITHOPS}: your own cloud's functions answer, by Lithops.",
)
CHOICES = (
    click.option("--endpoint", metavar="URL", help="A deployed function."),
    click.option(
        "--header", "headers", multiple=True, metavar="NAME: VALUE", help="Sent to it with each request."
    ),
    click.option("--header-env", multiple=True, metavar="NAME=VARIABLE", help="The same, from the environment."),
    click.option("--aws-sigv4", "region", metavar="REGION", help="Sign for Lambda, with the credentials at hand."),
    click.option("--per-request", type=click.IntRange(1, 1000), help="URLs in one request [default: 4]."),
    click.option(
        "--concurrency",
        type=click.IntRange(1, 1000),
        help=f"Requests to --endpoint [default: 8], or calls of {LITHOPS} [default: 64].",
    ),
    click.option("--chunk", type=click.IntRange(1, 10_000), help=f"Images in a call of {LITHOPS} [default: 50]."),
)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give ``command`` the options that choose who answers."""
    for option in reversed(CHOICES):
        command = option(command)
    return command


def engine(settings: dict[str, Any], asked: dict[str, Any], given: dict[str, Any]) -> Engine:
    """Return what answers: ``settings`` are the predictor's, ``asked`` a request's options, ``given`` all others.

    Raises ConfigError for what does not go together.
    """
    way = REQUESTS if given["endpoint"] else CALLS if given["engine"] == LITHOPS else HERE
    for name, ways in USED.items():
        if given[name] not in (None, ()) and way not in ways:
            option = NAMES.get(name, name).replace("_", "-")
            raise ConfigError(f"--{option} is for a batch {' or '.join(ways)}, not {way}: leave it out.")
    retry = Retry(given["retries"])
    if way == REQUESTS:
        return _endpoint(settings, asked, given, retry)
    downloads = given["downloads"] or DOWNLOADS
    if way == CALLS:
        from mlserverless.batch.lithops import Lithops

        return Lithops(settings, asked, **_chosen(given, "chunk", "concurrency"), downloads=downloads, retry=retry)
    return Local(settings, asked, workers=given["workers"] or 0, downloads=downloads, retry=retry)


def _endpoint(settings: dict[str, Any], asked: dict[str, Any], given: dict[str, Any], retry: Retry) -> Engine:
    from mlserverless.batch.address import Address
    from mlserverless.batch.endpoint import Endpoint
    from mlserverless.batch.headers import headers_of

    sign = None
    if given["region"]:
        from mlserverless.cli.conform import signer

        sign = signer(given["region"])
    address = Address(given["endpoint"], headers_of(given["headers"], given["header_env"]), sign)
    return Endpoint(
        address,
        {**asked, "model": settings.get("model")},  # one of the function's, by its name there
        **_chosen(given, "concurrency", "per_request"),
        max_bytes=Settings.load().max_bytes,
        retry=retry,
    )


def _chosen(given: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: given[name] for name in names if given[name] is not None}
