"""Write docs/reference/limits.md from what `mlserverless doctor` holds a deployment to.

Usage: python tools/limits_page.py    (a test holds that the page is what this writes)
"""

from collections.abc import Iterable
from pathlib import Path

from mlserverless.bundle import limits
from mlserverless.bundle.limits import Limit

PAGE = Path(__file__).parents[1] / "docs/reference/limits.md"
HEAD = """# Platform limits

What the platforms allow, as `mlserverless doctor` and `mlserverless build` hold a deployment to it. Each value
has the provider's page that it is from, and when that was read; providers change them. This page is written by
`tools/limits_page.py` from `src/mlserverless/bundle/limits.py`, so it says just what is checked. What this package
limits by itself, images and requests, is in the [settings](settings.md).

A megabyte is 2²⁰ bytes here.
"""
# A source's title -> its address.
SOURCES = {
    limits._LAMBDA: "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html",
    limits._SNAPSTART: "https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html",
    limits._GATEWAY: "https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html",
    limits._SQS: "https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html",
    limits._RUNTIMES: "https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html",
    limits._HOSTING: "https://learn.microsoft.com/azure/azure-functions/functions-scale",
    limits._FLEX: "https://learn.microsoft.com/azure/azure-functions/flex-consumption-plan",
    limits.AZURE_PACKAGE.source: "https://learn.microsoft.com/azure/azure-functions/deployment-zip-push",
    limits._LANGUAGES: "https://learn.microsoft.com/azure/azure-functions/supported-languages",
    limits._RUN: "https://cloud.google.com/functions/quotas",
    limits.GCP_CONCURRENCY.source: "https://cloud.google.com/run/docs/about-concurrency",
    limits._SUPPORT: "https://cloud.google.com/functions/docs/runtime-support",
    limits._PYTHON: "https://devguide.python.org/versions/",
}
CLOUDS = {
    "aws": "AWS Lambda",
    "azure": "Azure Functions",
    "gcp": "Google Cloud functions",
    "container": "Container",
}
TABLES: dict[str, dict[str, Limit | tuple[Limit, ...]]] = {
    "aws": {
        "memory": (limits.MEMORY_LEAST, limits.MEMORY_MOST),
        "timeout, at most": limits.TIMEOUT,
        "a request or an answer": limits.PAYLOAD,
        "so an image in a request, which comes in base64": limits.BODIES["aws"],
        "an event": limits.ASYNC_PAYLOAD,
        "zip, uploaded directly": limits.ZIP_DIRECT,
        "function and layers, unpacked": limits.UNPACKED,
        "layers": limits.LAYERS,
        "image": limits.IMAGE,
        "environment variables, names and values": limits.VARIABLES,
        "`/tmp`": (limits.TMP_LEAST, limits.TMP_MOST),
        "SnapStart, from": limits.SNAPSTART_MINOR,
        "SnapStart: `/tmp`, at most": limits.SNAPSTART_TMP,
        "a REST API waits": limits.REST_API_WAITS,
        "an HTTP API waits": limits.HTTP_API_WAITS,
        "a queue's visibility timeout, at least": limits.QUEUE_TIMES,
    },
    "azure": {
        "memory of an instance, Flex Consumption": limits.AZURE_MEMORY,
        "a caller of HTTP waits": limits.AZURE_HTTP_WAITS,
        "timeout, Consumption, at most": limits.AZURE_CONSUMPTION_TIMEOUT,
        "a request": limits.AZURE_REQUEST,
        "package": limits.AZURE_PACKAGE,
    },
    "gcp": {
        "memory": (limits.GCP_MEMORY_LEAST, limits.GCP_MEMORY_MOST),
        "timeout, HTTP": limits.GCP_HTTP_TIMEOUT,
        "timeout, events": limits.GCP_EVENT_TIMEOUT,
        "a request": limits.GCP_REQUEST,
        "requests at a time, an instance": limits.GCP_CONCURRENCY,
        "source, packed (1st generation)": limits.GCP_SOURCE,
        "source, unpacked (1st generation)": limits.GCP_SOURCE_UNPACKED,
    },
}


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for cloud, rows in TABLES.items():
        parts += [f"\n## {CLOUDS[cloud]}\n\n| what | limit | source | read |\n|---|---|---|---|\n"]
        parts += [_row(what, limit if isinstance(limit, Limit) else None, limit) for what, limit in rows.items()]
    parts.append(
        f"\nAzure's Consumption plan for Linux ends on {limits.AZURE_CONSUMPTION_ENDS}: use Flex Consumption.\n"
    )
    parts.append(
        "\n## Pythons\n\nWhen each platform ends its support of a Python, after which deploying may fail.\n\n"
    )
    pythons = sorted({python for ends in limits.ENDS.values() for python in ends}, key=lambda one: int(one[2:]))
    parts.append(_line(("platform", *pythons, "source", "read")) + "|---" * (len(pythons) + 3) + "|\n")
    for cloud, ends in limits.ENDS.items():
        dates = [str(ends[python].on) if python in ends else "" for python in pythons]
        first = next(iter(ends.values()))
        parts.append(_line((CLOUDS[cloud], *dates, _linked(first.source), first.read)))
    return "".join(parts)


def _row(what: str, one: Limit | None, limit: Limit | tuple[Limit, ...]) -> str:
    several = (limit,) if isinstance(limit, Limit) else limit
    if one is limits.SNAPSTART_MINOR:
        shown = f"Python 3.{one.value}"
    elif one:
        shown = f"{one.value:,} bytes" if one.unit == "bytes" and one.value % limits.MB else str(one)
    elif len(several) == 2:
        shown = f"{several[0].value:,} to {several[1]}"
    else:
        shown = ", ".join(f"{each.value:,}" for each in several) + f" {several[0].unit}"
    return _line((what, shown, _linked(several[0].source), several[0].read))


def _linked(source: str) -> str:
    return f"[{source.partition(', ')[2]}]({SOURCES[source]})"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
