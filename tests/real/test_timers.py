"""Timers and pings in the providers' own runtimes: a function is kept warm, or a list is classified."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from helpers.runtimes import REASONS
from helpers.shapes import payload
from helpers.shapes.real import APPS, post
from mlserverless.local import aws, azure, deploy, gcp, wsgi
from mlserverless.testing.world import World

pytestmark = pytest.mark.real
Tick = Callable[[Any, str], bool]  # a running function and when the timer is due -> whether it is done


@pytest.fixture
def world() -> Iterator[World]:
    with World() as running:
        yield running


def by_rule(function: Any, due: str) -> bool:
    return not function.invoke(payload("aws/eventbridge_schedule") | {"time": due}).function_error


def by_scheduler(function: Any, due: str) -> bool:
    return not function.invoke(payload("aws/scheduler") | {"time": due}).function_error


def by_timer(function: Any, due: str) -> bool:
    return bool(function.invoke("scheduled", "", {"Next": due}).status == 202)


def by_cloud_scheduler(function: Any, due: str) -> bool:
    headers = payload("gcp/scheduler_http")["headers"] | {"X-CloudScheduler-ScheduleTime": due}
    return post(function, "/", headers, b"") == 204


def through_pubsub(function: Any, due: str) -> bool:
    event = payload("gcp/scheduler_pubsub")
    event["data"]["message"] |= {"publishTime": due, "publish_time": due}
    return post(function, "/", {"content-type": "application/cloudevents+json"}, json.dumps(event).encode()) == 204


def by_ping_source(function: Any, due: str) -> bool:
    event = payload("cloudevents/knative_ping")
    return post(function, "/", event["headers"] | {"ce-time": due}, event["body"].encode()) == 204


def by_anything(function: Any, due: str) -> bool:
    return post(function, "/schedule", {"ce-time": due}, b"") == 204


WAYS: dict[str, tuple[str, Tick]] = {
    "EventBridge rule": ("aws", by_rule),
    "EventBridge Scheduler": ("aws", by_scheduler),
    "timer trigger": ("azure", by_timer),
    "Cloud Scheduler": ("gcp", by_cloud_scheduler),
    "Cloud Scheduler through Pub/Sub": ("gcp", through_pubsub),
    "Knative PingSource": ("wsgi", by_ping_source),
    "a call of /schedule": ("wsgi", by_anything),
}


def start(cloud: str, environment: dict[str, str]) -> Any:
    if cloud == "aws":
        return aws.start(handler="app.handler", app_dir=deploy.folder("aws"), environment=environment)
    if cloud == "azure":
        return azure.start(app_dir=APPS / "azure", environment=environment)
    if cloud == "gcp":
        return gcp.start(target="scheduled", environment=environment)
    return wsgi.start(environment=environment)


@pytest.mark.parametrize("way", WAYS)
def test_a_timer_classifies_its_list_once_a_tick(
    way: str, world: World, need: Callable[[str | None], None]
) -> None:
    """Three images, of which one is missing for good; a second delivery adds nothing, a later tick scores anew."""
    cloud, tick = WAYS[way]
    need(REASONS[cloud]())
    settings = {"MLSERVERLESS_SINK": world.sink, "MLSERVERLESS_SCHEDULE_SOURCE": "s3://images/list.txt"}
    with start(cloud, {**world.environment(), **settings}) as function:
        assert tick(function, "2026-11-25T02:00:00Z")
        records = list(world.records().values())
        assert sorted(record["source"].rpartition("/")[2] for record in records) == [
            "missing",
            "photo-1",
            "photo-2",
        ]
        assert {record["version"] for record in records} == {"2026-11-25T02:00:00Z"}
        assert ["problem" in record for record in sorted(records, key=lambda one: one["source"])] == [1, 0, 0]
        assert tick(function, "2026-11-25T02:00:00Z")
        assert len(world.records()) == 3
        assert tick(function, "2026-11-25T03:00:00Z")
        assert len(world.records()) == 6


@pytest.mark.parametrize("way", WAYS)
def test_without_a_list_it_keeps_the_function_warm(
    way: str, world: World, need: Callable[[str | None], None]
) -> None:
    cloud, tick = WAYS[way]
    need(REASONS[cloud]())
    with start(cloud, {**world.environment(), "MLSERVERLESS_SINK": world.sink}) as function:
        assert tick(function, "2026-11-25T02:00:00Z")
    assert world.records() == {}


@pytest.mark.parametrize("name", ["warmup_plugin", "lambda_warmer", "eventbridge_schedule", "scheduler"])
def test_a_ping_warms_lambda_up(name: str, need: Callable[[str | None], None]) -> None:
    need(aws.available())
    with aws.start(handler="app.handler", app_dir=deploy.folder("aws")) as function:
        done = function.invoke(payload(f"aws/{name}"))
    assert (json.loads(done.payload), done.function_error) == ({"warm": True}, False)
