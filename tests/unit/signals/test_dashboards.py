"""The dashboards show nothing that is not told: each name in them is one that a request leaves behind."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from helpers.services import PREDICTION, FakeService
from helpers.web import JSON, URL, ask
from mlserverless.errors import Overloaded
from mlserverless.signals import emf
from mlserverless.types import Prediction

ROOT = Path(__file__).parents[3]
STAGES = ("download", "open", "load", "wait", "prepare", "preprocess", "invoke")
MADE = PREDICTION._replace(timings=tuple((stage, 1.0) for stage in STAGES))
# Of CloudWatch's own, of a workbook's own.
INSIGHTS = {
    "fields",
    "filter",
    "stats",
    "sort",
    "limit",
    "by",
    "as",
    "desc",
    "ispresent",
    "count",
    "pct",
    "avg",
    "bin",
}


def read(path: str) -> Any:
    return json.loads((ROOT / "adapters" / path).read_text(encoding="utf-8"))


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a JSON document."""
    if isinstance(value, dict):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(one)


@pytest.fixture(scope="module")
def fields() -> set[str]:
    """Return the name of every field that a line may have, a stage's with a dot before it."""
    names: set[str] = set()
    for answer in (MADE, Overloaded("busy")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793")
            patch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
            for form in ("aws", "gcp", "azure", "json"):
                service = FakeService(answer, request_log=form)
                service._engine = lambda _: "litert"  # type: ignore[method-assign]
                service.warm_up()
                ask(service, "POST", "/predict", "", JSON, URL)
                (line,) = map(json.loads, service.lines)
                names |= set(line) | {f"stages.{stage}" for stage in line.get("stages", {})}
    return names


def test_there_are_the_fields_that_the_documentation_names(fields: set[str]) -> None:
    page = (ROOT / "docs/reference/signals.md").read_text(encoding="utf-8")
    told = {name for name in re.findall(r"^\| `([a-z_]+)` \|", page, re.M) if not name.startswith("mlserverless_")}
    plain = {name for name in fields if re.fullmatch(r"[a-z_]+", name)} - {
        "level",
        "timestamp",
        "severity",
        "time",
    }
    assert told == plain | {"handed_back"}


def test_the_documentation_names_each_metric() -> None:
    page = (ROOT / "docs/reference/signals.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([A-Z]\w+)` \|", page, re.M)) == set(emf.UNITS)
    assert set(re.findall(r"^\| `(mlserverless_\w+)` \|", page, re.M)) == {name for name, _ in scraped()}


def test_cloudwatchs(fields: set[str]) -> None:
    body = read("aws/dashboard.json")
    assert len(json.dumps(body)) < 1_000_000
    shown = []
    for widget in body["widgets"]:
        assert 0 <= widget["x"] <= widget["x"] + widget["width"] <= 24
        told = widget["properties"]
        for namespace, metric, *rest in told.get("metrics", ()):
            if namespace == emf.NAMESPACE:
                assert metric in emf.UNITS
                assert rest[0] == "FunctionName"
                shown.append(metric)
        if "query" in told:
            _, query = told["query"].split(" | ", 1)
            query = re.sub(r"\bas \w+|(?<=sort )requests", "", query)
            names = set(re.findall(r"@?[a-z][\w.]*", query)) - INSIGHTS - {"5m", "m", "@timestamp"}
            assert names <= fields, names - fields
            assert names
    assert set(shown) == set(emf.UNITS)
    for variable in body["variables"]:
        assert variable["id"]
        assert variable["inputType"] in ("select", "input", "radio")


def test_application_insights(fields: set[str]) -> None:
    queries = [one["query"] for one in walk(read("azure/workbook.json")) if "query" in one]
    assert len(queries) >= 6
    for query in queries:
        assert "parse_json(message)" in query
        names = set(re.findall(r"\bline\.([a-z_.0-9]+)", query))
        assert names <= fields, names - fields


def test_googles(fields: set[str]) -> None:
    metrics = {metric["name"]: metric for metric in read("gcp/log-metrics.json")}
    for metric in metrics.values():
        told = json.dumps(metric)
        names = set(re.findall(r"jsonPayload\.([a-z_.]+)", told))
        assert names <= fields, names - fields
        labels = {label["key"] for label in metric["metricDescriptor"].get("labels", ())}
        assert labels == set(metric.get("labelExtractors", {}))
        assert (metric["metricDescriptor"]["valueType"] == "DISTRIBUTION") is ("valueExtractor" in metric)
    shown = set()
    for one in walk(read("gcp/dashboard.json")):
        if found := re.search(r'user/([\w/]+)"', one.get("filter", "")):
            shown.add(found[1])
            labels = {label["key"] for label in metrics[found[1]]["metricDescriptor"].get("labels", ())}
            grouped = one.get("aggregation", {}).get("groupByFields", ())
            assert {re.fullmatch(r'metric\.label\."(\w+)"', name)[1] for name in grouped} <= labels  # type: ignore[index]
    assert shown == set(metrics)


def scraped() -> dict[tuple[str, str], set[str]]:
    """Return the labels of every metric on Prometheus' page, by its family's name and the sample's."""

    def answer(request: Any) -> Prediction:
        if request.url.endswith("2"):
            raise Overloaded("busy")
        return MADE

    service = FakeService(answer, telemetry="prometheus")
    body = json.dumps({"urls": ["https://x.example/1", "https://x.example/2"]}).encode()
    ask(service, "POST", "/predict", "", JSON, body)
    text = service.signals.others["prometheus"].page("")[1].decode()  # type: ignore[attr-defined]
    return {
        (sample.name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum"), sample.name): set(
            sample.labels
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_grafanas() -> None:
    known = {sample: labels for (_, sample), labels in scraped().items()}
    targets = [one for one in walk(read("container/grafana.json")) if "expr" in one]
    shown = set()
    for target in targets:
        (name,) = set(re.findall(r"mlserverless_\w+", target["expr"]))
        shown.add(name)
        grouped = {
            label for group in re.findall(r"by \(([\w, ]+)\)", target["expr"]) for label in group.split(", ")
        }
        filtered = set(re.findall(r"(\w+)(?:=~|!=|=)\"", target["expr"]))
        legend = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert grouped | filtered | legend <= known[name] | {"job", "instance"}, target
        assert legend <= grouped
        assert target["expr"].count("(") == target["expr"].count(")")
    assert shown == {name for name in known if not name.endswith(("_sum", "_count"))}
    identifiers = [panel["id"] for panel in read("container/grafana.json")["panels"]]
    assert len(identifiers) == len(set(identifiers))
