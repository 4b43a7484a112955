"""``mlserverless inspect``: the table, JSON, the model.toml, and how it ends."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from helpers import specimens
from mlserverless import model, toml
from mlserverless.cli.inspect import inspect
from mlserverless.inspection import table
from mlserverless.inspection.graph import Tensor


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(inspect, list(arguments), catch_exceptions=False, env={"COLUMNS": "80"})
    assert "Traceback" not in result.output
    return result


def made(place: Path, data: bytes) -> str:
    (place / "a.tflite").write_bytes(data)
    return str(place / "a.tflite")


def lines(result: Result) -> list[str]:
    """Return the lines of the output, each run of spaces as one."""
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


def test_table_of_a_bundled_model() -> None:
    result = run("efficientnet-lite0")
    assert (result.exit_code, result.stderr) == (0, "")
    shown = lines(result)
    for line in (
        "size 5.3 MB, 5,284,243 bytes",
        "sha256 d28ff9d2732a7f9382851cf8d97fb1f7c976b4e41349af23d3847662a6a25f19",
        "input image: uint8, 1 × 224 × 224 × 3",
        "layout nhwc: height × width × channels",
        "quantised: value = 0.0078125 × (stored − 127)",
        "output Identity: uint8, 1 × 1000",
        "quantised: value = 0.00390625 × stored",
        "input image: image rgb, mean 127, std 128",
        "labels 1,000: tench, goldfish, great white shark, tiger shark, hammerhead, …",
        "parameters 4,631,000: 4,608,992 int8 (4.6 MB), 22,008 int32 (88.0 kB)",
        "multiply-adds 385.2 million a run",
        "33 × CONV_2D version 3",
        "1 × SOFTMAX version 2",
        'activation = "none"',
        # Whole, though a pipe says nothing of how wide it is.
        "memory about 6.2 MB, an estimate: weights 4.7 MB, activations 1.5 MB; "
        "the engine and the file come on top",
    ):
        assert line in shown
    assert any(line.startswith("litert runs: ") for line in shown)
    assert any(line.startswith("litert-python runs: ") for line in shown)


def test_operator_that_engines_lack_is_told_where_it_stands_and_with_them(tmp_path: Path) -> None:
    shown = lines(run(made(tmp_path, specimens.dense_of_version(12))))
    assert "1 × FULLY_CONNECTED version 12, not in tflite-runtime 2.14.0" in shown
    assert any(
        "tflite-runtime" in line and "lacks FULLY_CONNECTED version 12 (it has up to 10)" in line for line in shown
    )


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("FlexErf", "custom: needs TensorFlow's Flex delegate"),
        ("TransformLandmarks", "custom, in no engine that is known here"),
        ("Convolution2DTransposeBias", "custom, not in tflite-runtime 2.14.0"),
    ],
)
def test_custom_operators_are_named(name: str, told: str, tmp_path: Path) -> None:
    shown = lines(run(made(tmp_path, specimens.custom(name)), "--no-try"))
    assert f"1 × {name} version 1, {told}" in shown
    assert "not tried" in shown


def test_signatures_open_sizes_and_variables_are_told(tmp_path: Path) -> None:
    shown = lines(run(made(tmp_path, specimens.planes()), "--no-try"))
    assert "signatures serve, embed" in shown
    assert "input x (signature: picture): float32, 1 × 3 × 8 × 8" in shown
    assert "layout nchw: channels × height × width" in shown
    assert "output 2 z (signature: same): float32, 1 × 3 × 8 × 8" in shown
    shown = lines(run(made(tmp_path, specimens.open_size()), "--no-try"))
    assert "input image: float32, any × any × any × 3" in shown


def test_problem_is_noted_under_the_table(tmp_path: Path) -> None:
    def change(held: object) -> None:
        held.subgraphs[0].operators.reverse()  # type: ignore[attr-defined]

    result = run(made(tmp_path, specimens.edited(specimens.classifier(), change)), "--no-try")
    assert result.exit_code == 0
    assert "which none before it has written" in " ".join(lines(result))


def test_json_holds_all_of_it(tmp_path: Path) -> None:
    result = run(made(tmp_path, specimens.classifier()), "--json")
    told = json.loads(result.stdout)
    assert told["inputs"][0]["shape"] == [1, 4, 4, 3]
    statuses = {one["engine"]: one["status"] for one in told["engines"]}
    assert statuses["litert"] == statuses["litert-python"] == "runs"
    assert toml.loads(told["model_toml"])["file"] == "a.tflite"


def test_toml_alone_can_be_saved_and_loaded(tmp_path: Path) -> None:
    result = run(made(tmp_path, specimens.classifier()), "--toml")
    (tmp_path / "model.toml").write_text(result.stdout)
    assert model.load(str(tmp_path)).task == "classify"


@pytest.mark.parametrize("data", [b"no model", b"\x1c\0\0\0TFL3" + b"\xff" * 60])
def test_file_that_is_no_model_is_a_line_and_exit_code_1(data: bytes, tmp_path: Path) -> None:
    result = run(made(tmp_path, data))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("inspect: ")
    assert result.stderr.count("\n") == 1


def test_two_forms_at_once_are_refused(tmp_path: Path) -> None:
    assert run(made(tmp_path, specimens.classifier()), "--json", "--toml").exit_code == 2


@pytest.mark.parametrize(
    ("scales", "zeros", "told"),
    [
        ((), (), ""),
        ((0.5,), (), "quantised: value = 0.5 × stored"),
        ((0.5,), (-128,), "quantised: value = 0.5 × (stored + 128)"),
        ((0.1, 0.2), (0, 0), "quantised with 2 scales, one for each entry of dimension 3"),
    ],
)
def test_quantisation_is_told_in_words(scales: tuple[float, ...], zeros: tuple[int, ...], told: str) -> None:
    assert table.quantisation(Tensor("", (1,), "int8", scales, zeros, 3)) == told


@pytest.mark.parametrize(("count", "told"), [(5, "5 bytes"), (1500, "1.5 kB"), (2_340_000, "2.3 MB")])
def test_sizes_are_told_as_people_read_them(count: int, told: str) -> None:
    assert table.size_of(count) == told


def test_brackets_are_shown_as_they_are(tmp_path: Path) -> None:
    def described(model: Any) -> None:
        model.description = b"a [/b] :cat: [red]"

    path = made(tmp_path, specimens.edited(specimens.classifier(), described))
    assert "description a [/b] :cat: [red]" in lines(run(path, "--no-try"))


def test_model_toml_of_wrong_values_is_refused_as_when_it_is_served(tmp_path: Path) -> None:
    made(tmp_path, specimens.classifier())
    for text, told in (
        ("[input]\nsize = 5", "input.size is 5; accepted is [height, width] in pixels"),
        ("[input]\nrange = 3", "input.range is 3; accepted are raw, unit"),
        ("[output]\nactivation = 4", "output.activation is 4; accepted are none, softmax, sigmoid"),
        ('task = "sort"', "task is 'sort'; accepted are classify, detect, raw"),
        ('labels = "a\\u0000"', "labels is 'a\\x00'; accepted is a text"),
    ):
        (tmp_path / "model.toml").write_text(f'file = "a.tflite"\n{text}\n')
        result = run(str(tmp_path), "--no-try")
        assert result.exit_code == 1
        assert told in result.stderr
