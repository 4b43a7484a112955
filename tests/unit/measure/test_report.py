"""The report as a record and as JSON."""

import json
import os

import pytest

import mlserverless
from helpers import measured
from mlserverless.measure import report


def test_json_has_every_figure_under_its_own_name() -> None:
    body = json.loads(json.dumps(report.to_dict(measured.report())))
    assert (body["format"], body["unit"], body["mlserverless"]) == (1, "ms", mlserverless.__version__)
    assert body["cold"]["total"]["median"] == 100
    assert body["cold"]["stages"][1] == {
        "name": "import Pillow",
        "ms": {"median": 9.04, "p95": 9.04, "low": 9.04, "high": 9.04, "mean": 9.04, "runs": 1},
    }
    assert body["warm"]["throughput"] == [[1, 100.0], [2, 190.5]]
    assert body["sweep"]["rows"][0]["warm"] is None
    assert body["sweep"]["prices"]["currency"] == "USD"
    assert body["verdict"]["kept"] is False


def test_a_busy_machine_is_told() -> None:
    busy = measured.report()
    assert busy.notes == (
        "The machine was busy (3.5 processes ran on 2 cores before it began): figures are too high and vary.",
    )
    assert busy._replace(machine=busy.machine._replace(load=0.9)).notes == ()


def test_the_machine_is_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert report.machine().cores >= 1

    def none() -> None:
        raise OSError

    monkeypatch.setattr(os, "getloadavg", none)
    assert report.machine().load == 0
