"""What runs in a measured process: here in this one, and once in one of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import pytest

from mlserverless import engines, model
from mlserverless.measure import child
from mlserverless.measure.spawn import CODE

INSIDE = ("download", "open", "prepare", "preprocess", "invoke")


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLSERVERLESS_MODEL", "dogs-vs-cats")
    monkeypatch.setenv("MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES", "true")


def names(stages: list[tuple[str, float]]) -> list[str]:
    return [name for name, _ in stages]


def test_a_cold_start_is_start_import_and_first_request(url: str) -> None:
    now = perf_counter()
    told = child.cold("", [url, ""], now, now - 1)
    assert names(told["stages"]) == ["interpreter start", "import", "first request"]
    assert told["stages"][0][1] == pytest.approx(1000)
    assert told["total"] == pytest.approx(sum(ms for _, ms in told["stages"])), "nothing is left out"
    assert {name for name, _ in told["inside"]} >= set(INSIDE)


def test_an_adapter_has_an_init_phase_after_which_less_cpu_is_granted(url: str, tmp_path: Path) -> None:
    quota = tmp_path / "quota=odd"
    told = child.cold("mlserverless.adapters.aws", [url, f"{quota}=5000 20000"], 0.0, 0.0)
    assert names(told["stages"]) == ["interpreter start", "import", "init: load, first run", "first request"]
    assert quota.read_text() == "5000 20000"


def test_explained_are_the_parts_of_the_load_and_of_the_request(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((engines, "select"), (model, "load")):
        monkeypatch.setattr(module, name, getattr(module, name))  # put back what it wraps
    begun = perf_counter()
    told = child.explain("", [url], begun, begun)
    found = names(told["stages"])
    assert found[:4] == ["interpreter start", "import Pillow", "import the function", "import http client"]
    assert found[4:8] == ["model: read, sha256", "engine library", "model: compile", "model: checks"]
    assert set(INSIDE) <= set(found)
    assert found[-1] == "rest of the request"
    assert "load" not in found
    assert sum(ms for _, ms in told["stages"]) == pytest.approx(told["total"], rel=0.02)


@pytest.mark.parametrize("entry", ["", "mlserverless.adapters.aws"])
def test_a_warm_process_is_asked_for_every_url_and_with_more_threads(url: str, entry: str) -> None:
    told = child.warm(entry, ["4", "2", url, url], 0.0, 0.0)
    assert [len(answers) for answers in told["images"]] == [4, 4]
    first = told["images"][0][0]
    assert first["total"] >= sum(ms for _, ms in first["stages"]) > 0
    assert [threads for threads, _ in told["throughput"]] == [1, 2]
    assert all(rate > 0 for _, rate in told["throughput"])


def test_what_is_used_is_told_of_this_process() -> None:
    used = child.used()
    assert used["modules"] == pytest.approx(len(sys.modules), abs=20)
    assert used["module_bytes"] > 100_000
    assert 5e6 < used["peak"] < 1e11


def test_without_proc_the_peak_is_what_the_kernel_counts_otherwise(tmp_path: Path) -> None:
    assert 5e6 < child.peak(str(tmp_path / "none")) < 1e11
    empty = tmp_path / "status"
    empty.write_text("Name:\tpython\n")
    assert child.peak(str(empty)) == child.peak(str(tmp_path / "none"))


def alone(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", CODE, *words, "0.0", str(perf_counter())],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_on_its_own_it_writes_one_json_object_and_says_when_it_has_answered(url: str) -> None:
    done = alone("cold", "", url, "")
    told = json.loads(done.stdout)
    assert told["stages"][0][0] == "interpreter start"
    assert 0 < told["stages"][0][1] < told["total"]
    assert told["cpu_ms"] > 0
    assert done.stderr.endswith(child.ANSWERED)


@pytest.mark.parametrize(
    ("words", "setting", "problem"),
    [
        (("cold", "", "http://127.0.0.1:1/", ""), {"MLSERVERLESS_MODEL": "no-such-model"}, "model-unavailable"),
        (("cold", "", "http://127.0.0.1:1/", ""), {"MLSERVERLESS_TOP_K": "many"}, "misconfigured"),
        (("cold", "mlserverless.adapters.none", "http://127.0.0.1:1/", ""), {}, "import"),
    ],
)
def test_what_it_cannot_do_is_told(words: tuple[str, ...], setting: dict[str, str], problem: str) -> None:
    done = alone(*words, **setting)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["problem"] == problem


def test_a_fault_of_ours_ends_it_with_a_traceback() -> None:
    done = alone("nonsense", "")
    assert done.returncode == 1
    assert "KeyError: 'nonsense'" in done.stderr
