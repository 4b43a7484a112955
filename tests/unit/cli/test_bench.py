"""``mlserverless bench``: what it prints and writes, and how it ends."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from helpers import measured
from mlserverless.cli.bench import bench
from mlserverless.errors import ConfigError
from mlserverless.measure import cold, groups
from mlserverless.measure import run as module
from mlserverless.measure.groups import Unavailable
from mlserverless.measure.prices import PricesError
from mlserverless.measure.run import Wanted
from mlserverless.measure.spawn import Died, Refused

FLOWER = str(Path(__file__).parents[3] / "examples" / "photos" / "flower.jpg")


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(bench, list(arguments), catch_exceptions=False)
    assert "Traceback" not in result.output
    return result


@pytest.fixture
def wanted(monkeypatch: pytest.MonkeyPatch) -> list[Wanted]:
    asked: list[Wanted] = []

    def measure(wanted: Wanted, folder: Path, tell: Any) -> Any:
        assert folder.is_dir()
        asked.append(wanted)
        tell("", 2)
        tell("cold starts")
        verdict = measured.report(wanted.budget).verdict if wanted.budget else None
        return measured.report()._replace(verdict=verdict)

    monkeypatch.setattr(module, "measure", measure)
    return asked


def test_it_prints_tables_and_ends_with_0(wanted: list[Wanted]) -> None:
    result = run()
    assert result.exit_code == 0
    assert "Cold start, 3 fresh processes" in result.stdout
    assert result.stderr == ""
    assert wanted == [Wanted()]


def test_what_is_given_is_measured(wanted: list[Wanted], tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.touch()
    run(
        *(
            "mine",
            "--cold",
            "--warm",
            "--memory-sweep",
            "--on",
            "azure",
            "--image",
            FLOWER,
            "--image",
            FLOWER,
        ),
        *("--runs", "3", "--budget", "0.4s", "--target-latency", "200 ms", "--prices", str(prices)),
    )
    images = Path(FLOWER), Path(FLOWER)
    assert wanted == [Wanted("mine", True, True, True, "azure", images, 3, 400.0, 200.0, prices)]


@pytest.mark.parametrize(
    ("budget", "code", "told"), [("100ms", 0, "within the budget"), ("50ms", 1, "over the budget")]
)
def test_a_budget_is_a_gate(wanted: list[Wanted], budget: str, code: int, told: str) -> None:
    result = run("--budget", budget)
    assert result.exit_code == code
    assert result.stderr.startswith(told)


def test_a_budget_measures_the_cold_start_beside_whatever_else_is_wanted(wanted: list[Wanted]) -> None:
    run("--warm", "--budget", "1s")
    run("--budget", "1s")
    assert [(one.cold, one.warm) for one in wanted] == [(True, True), (False, False)]


def test_json_goes_to_a_file_or_alone_to_standard_output(wanted: list[Wanted], tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    assert "Cold start" in run("--out", str(file)).stdout
    printed = run("--json")
    assert json.loads(printed.stdout) == json.loads(file.read_text(encoding="utf-8"))
    assert json.loads(printed.stdout)["model"] == "cats & dogs"


@pytest.mark.parametrize("words", [["--json", "FILE"], ["--json=FILE"]])
def test_json_took_a_file_once(wanted: list[Wanted], tmp_path: Path, words: list[str]) -> None:
    file = tmp_path / "bench.json"
    result = run("mine", *(word.replace("FILE", str(file)) for word in words))
    assert json.loads(file.read_text(encoding="utf-8"))["model"] == "cats & dogs"
    assert "Cold start" in result.stdout
    assert result.stderr.startswith("bench: --json FILE is deprecated, and goes in 0.3: write --out FILE")
    assert wanted[0].model == "mine"


def test_json_to_the_output_was_a_dash_once(wanted: list[Wanted]) -> None:
    result = run("--json", "-")
    assert json.loads(result.stdout)["model"] == "cats & dogs"
    assert "is deprecated" in result.stderr


def test_the_adapter_was_a_provider_once(wanted: list[Wanted]) -> None:
    result = run("--provider", "gcp", "--json", "mine")
    assert (wanted[0].provider, wanted[0].model) == ("gcp", "mine")
    assert result.stderr.startswith("bench: --provider is deprecated, and goes in 0.3: write --on.")


def test_the_page_is_written(wanted: list[Wanted], tmp_path: Path) -> None:
    file = tmp_path / "bench.html"
    assert run("--html", str(file)).exit_code == 0
    assert file.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert run("--html", "-").stdout.startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--budget", "soon"], "'soon' is not a duration: give a number above 0 with its unit, such as 400ms"),
        (["--budget", "0ms"], "'0ms' is not a duration"),
        (["--target-latency", "200ms"], "chooses among the sizes of --memory-sweep"),
        (["--runs", "0"], "0 is not in the range"),
        (["--image", "no-such.jpg"], "does not exist"),
        (["--on", "ibm"], "is not one of"),
        (["--json", "--html", "-"], "can be printed"),
        (["--out", "no-such-folder/x.json"], "there is no folder 'no-such-folder'"),
        (["--html", "no-such-folder/x.html"], "there is no folder 'no-such-folder'"),
    ],
)
def test_a_wrong_command_ends_with_2(wanted: list[Wanted], arguments: list[str], told: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout, wanted) == (2, "", [])
    assert told in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (ConfigError("top_k is 'x'"), 2, "bench: top_k is 'x'"),
        (PricesError("the price file"), 2, "bench: the price file"),
        (Unavailable("no control groups"), 3, "bench: no control groups"),
        (Refused("misconfigured", "DECODE is [slow]"), 2, "misconfigured: DECODE is [slow]"),
        (Refused("model-unavailable", "There is no model"), 3, "model-unavailable: There is no model"),
        (Refused("import", "No module named 'azure'"), 3, "import: No module named 'azure'"),
        (Refused("undecodable-image", "It is broken"), 1, "undecodable-image: It is broken"),
        (Died(-11, ""), 3, "bench: the process was killed by signal 11: nothing was said"),
    ],
)
def test_what_cannot_be_measured_is_told(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, told: str
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(module, "measure", fail)
    result = run()
    assert (result.exit_code, result.stdout, result.stderr.strip()) == (code, "", told)


def test_an_adapter_whose_packages_are_missing_is_told_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> None:
        raise Refused("import", "No module named 'flask'")

    monkeypatch.setattr(module, "measure", fail)
    result = run("--on", "gcp")
    assert result.exit_code == 3
    assert result.stderr == ("import: No module named 'flask'\nIts packages: pip install \"mlserverless[gcp]\"\n")


def test_in_earnest_a_cold_start_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold, "WARM_UPS", 0)
    monkeypatch.setattr(cold, "IMPORT_RUNS", 1)
    result = run("dogs-vs-cats", "--cold", "--runs", "1", "--image", FLOWER, "--json", "-q", "--budget", "1min")
    assert result.exit_code == 0
    body = json.loads(result.stdout)
    assert body["cold"]["total"]["runs"] == 1
    assert body["warm"] is None
    assert body["verdict"]["kept"] is True


def test_in_earnest_a_model_that_is_not_there_ends_with_3() -> None:
    result = run("no-such-model", "--cold", "--image", FLOWER)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("model-unavailable: There is no model 'no-such-model'")


def test_without_control_groups_a_sweep_ends_with_3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    find = groups.find
    monkeypatch.setattr(groups, "find", lambda: find(tmp_path))
    result = run("--memory-sweep")
    assert result.exit_code == 3
    assert "Run it on Linux, as root" in result.stderr


def test_a_terminal_gets_a_bar_and_a_pipe_does_not() -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "mlserverless", "bench", "no-such-model", "--cold", "--image", FLOWER]
    process = subprocess.Popen(
        command,
        env={**os.environ, "COLUMNS": "100", "TERM": "xterm-256color"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux's way to say that the other side is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert process.wait(60) == 3
    assert b"cold starts" in shown
    assert "━".encode() in shown, "a bar"
