"""``mlserverless predict``: what it prints, where, and how it ends."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from helpers import origin
from mlserverless.cli import predict as module
from mlserverless.cli.predict import _print_table, predict
from mlserverless.errors import SourceNotFound
from mlserverless.serving import problem
from mlserverless.types import Box, Detection, Prediction, RawTensor, Score

PHOTOS = Path(__file__).parents[3] / "examples" / "photos"
FLOWER, CHINA = str(PHOTOS / "flower.jpg"), str(PHOTOS / "china.jpg")


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    result = CliRunner().invoke(predict, list(arguments), input=stdin, catch_exceptions=False)
    assert "Traceback" not in result.output
    return result


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_files_are_json_lines_in_order_when_piped() -> None:
    result = run(FLOWER, CHINA, "--top-k", "2")
    assert result.exit_code == 0
    first, second = lines(result)
    assert list(first) == ["source", "model", "sha256", "predictions"]
    assert (first["source"], second["source"]) == (FLOWER, CHINA)
    assert [len(line["predictions"]) for line in (first, second)] == [2, 2]
    assert first["predictions"][0]["label"] == "daisy"
    assert result.stderr == ""


def test_standard_input_is_an_image() -> None:
    (line,) = lines(run("-", stdin=Path(FLOWER).read_bytes()))
    assert line["source"] == "-"
    assert line["predictions"][0]["label"] == "daisy"


def test_standard_input_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLSERVERLESS_MAX_BYTES", "1000")
    result = run("-", stdin=Path(FLOWER).read_bytes())
    assert (result.exit_code, lines(result)[0]["problem"]["code"]) == (1, "image-too-large")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with origin.serving({"/flower.jpg": origin.response(Path(FLOWER).read_bytes())}) as running:
        yield running.url("/flower.jpg")


def test_a_url_is_fetched(address: str) -> None:
    (line,) = lines(run(address, "--allow-private-addresses", "--top-k", "1"))
    assert (line["source"], line["predictions"][0]["label"]) == (address, "daisy")


def test_a_private_address_is_refused_unless_it_is_allowed(address: str) -> None:
    result = run(address)
    assert (result.exit_code, lines(result)[0]["problem"]["code"]) == (1, "source-blocked")


def test_options_choose_the_classes() -> None:
    (line,) = lines(run(FLOWER, "--label", "daisy", "--label", "tench", "--not-label", "tench"))
    assert [score["label"] for score in line["predictions"]] == ["daisy"]
    (line,) = lines(run(FLOWER, "--score-threshold", "0.99"))
    assert line["predictions"] == []


def test_another_model_and_engine_can_be_asked() -> None:
    (line,) = lines(run(FLOWER, "--model", "dogs-vs-cats", "--engine", "litert-python"))
    assert line["model"] == "dogs-vs-cats"


def test_one_image_that_fails_is_told_among_the_others_and_ends_with_1() -> None:
    result = run("no-such.jpg", FLOWER, "data:image/png;base64,AA", "ftp://x.example/a.jpg")
    assert result.exit_code == 1
    told = lines(result)
    assert [line.get("problem", {}).get("code") for line in told] == [
        "source-not-found",
        None,
        "source-blocked",
        "source-blocked",
    ]
    assert told[0]["problem"] == {
        "code": "source-not-found",
        "detail": "The file no-such.jpg cannot be read: No such file or directory.",
        "retryable": False,
    }


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["--top-k", "0"],
            "invalid-request: top_k is 0, which is not accepted: give a whole number from 1 to 1,000.",
        ),
        (
            ["--score-threshold", "nan"],
            "invalid-request: score_threshold is nan, which is not accepted: give a number",
        ),
        (["--top-k", "many"], "Invalid value for '--top-k'"),
        (
            ["--engine", "abacus"],
            "misconfigured: engine is 'abacus', which is not accepted: give one of auto, litert",
        ),
        (["--nonsense"], "No such option"),
    ],
)
def test_a_wrong_command_ends_with_2_before_any_image(arguments: list[str], told: str) -> None:
    result = run(FLOWER, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr


def test_a_wrong_setting_ends_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLSERVERLESS_DECODE", "slow")
    result = run(FLOWER)
    assert (result.exit_code, result.stdout) == (2, "")
    assert (
        "misconfigured: MLSERVERLESS_DECODE is 'slow', which is not accepted: give one of fast, exact"
        in result.stderr
    )


def test_without_a_source_the_command_is_wrong() -> None:
    result = run()
    assert result.exit_code == 2
    assert "Missing argument 'URL|FILE|-…'" in result.stderr


@pytest.mark.parametrize("model", ["no-such-model", str(PHOTOS), FLOWER])
def test_a_model_that_cannot_be_used_ends_with_3(model: str) -> None:
    result = run(FLOWER, "--model", model)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("model-unavailable: ")


def in_a_terminal(*arguments: str) -> tuple[int, str]:
    """Run the command with a terminal of 100 columns as its output; return its exit code and what it showed."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [sys.executable, "-m", "mlserverless", "predict", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    shown = b""
    for _ in range(1000):
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux's way to say that the other side is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    return process.wait(60), shown.decode()


def test_a_terminal_gets_a_table() -> None:
    code, shown = in_a_terminal(FLOWER, "no-such.jpg", "--top-k", "1")
    assert code == 1
    assert all(word in shown for word in ("image", "label", "score", "flower.jpg", "daisy", "0.348", "█"))
    assert "\x1b[" in shown, "in colour"
    assert "source-not-found" in shown
    assert '{"source"' not in shown


def test_a_terminal_gets_json_where_it_is_asked_for() -> None:
    code, shown = in_a_terminal(FLOWER, "--top-k", "1", "--json")
    assert code == 0
    assert json.loads(shown)["predictions"][0]["label"] == "daisy"


def table(*results: tuple[str, Any], capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    failed = _print_table(iter(results), len(results))
    return failed, [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_the_table_names_the_image_once_and_draws_the_scores(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    scores = Score("cat", 0, 1.5), Score("dog", 1, 0.5), Score("[bold]owl", 2, -0.25)
    failed, shown = table(("https://x.example/a/cat[red].jpg", Prediction("m", "0", scores)), capsys=capsys)
    assert failed == 0
    assert [line.split() for line in shown] == [
        ["image", "label", "score"],
        ["cat[red].jpg", "cat", "1.500", "█" * module.BAR],
        ["dog", "0.500", "█" * (module.BAR // 2)],
        ["[bold]owl", "-0.250"],
    ]


def test_the_table_tells_of_problems_and_of_no_class(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    gone = problem(SourceNotFound("There is [no] image."), "")
    failed, shown = table(("a/", gone), ("b.jpg", Prediction("m", "0", ())), ("c", gone), capsys=capsys)
    assert failed == 2
    assert "source-not-found" in shown[1]
    assert "There is [no] image." in shown[1]
    assert shown[1].startswith("a/"), "a name that ends with a slash is shown whole"
    assert "no class at or above the threshold" in shown[2]


def test_the_table_tells_where_objects_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    found = Detection("cat", 1, 0.875, Box(0.1, 0.2, 0.3, 0.4)), Detection("dog", 2, 0.5, Box(0, 0, 1, 1))
    seen = Prediction("m", "0", (), task="detect", detections=found)
    _, shown = table(("a/cats.jpg", seen), ("none.jpg", seen._replace(detections=())), capsys=capsys)
    assert [" ".join(line.split()) for line in shown[1:]] == [
        "cats.jpg cat 0.875 20–40 % across, 10–30 % down",
        "dog 0.500 0–100 % across, 0–100 % down",
        "none.jpg no object at or above the threshold",
    ]


def test_the_table_tells_what_raw_tensors_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    outputs = (
        RawTensor("mask", (1, 5), "INT64", (1, 2, 3, 4, 5)),
        RawTensor("m", (1, 2), "FP32", (0.333333343, 1.0)),
    )
    _, shown = table(("a.jpg", Prediction("m", "0", (), task="raw", outputs=outputs)), capsys=capsys)
    assert [" ".join(line.split()) for line in shown[1:]] == [
        "a.jpg mask INT64 1×5 1, 2, 3, 4, … 5 in all",
        "m FP32 1×2 0.333333, 1",
    ]
