"""Running a provider's commands with stand-ins for its tool, which write down what they are asked."""

import json
from pathlib import Path

import pytest

from helpers.tools import Tools
from mlserverless.bundle import archive, targets
from mlserverless.bundle.commands import Command
from mlserverless.bundle.deployment import (
    GET,
    TOOLS,
    CommandFailed,
    ToolMissing,
    check_archives,
    default_name,
    model_name,
    run,
    tool,
)
from mlserverless.bundle.package import Package
from mlserverless.bundle.record import digests
from mlserverless.bundle.targets import PROVIDERS
from mlserverless.errors import ModelUnavailable

STEPS = [Command(f"step {i}", ("az", "step", str(i), "a b", "$HOME; exit 1")) for i in range(3)]


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    return Tools(tmp_path / "bin", monkeypatch)


def test_commands_run_in_order_with_their_words_as_they_are(tools: Tools) -> None:
    tools.put("az")
    told: list[str] = []

    def tell(command: Command) -> None:
        told.append(command.does)
        assert len(tools.asked) == len(told) - 1, (
            "each is told before it runs, and after those before it have ended"
        )

    run(STEPS, tell)
    assert tools.asked == [list(step.words) for step in STEPS], "no shell has seen them"
    assert told == ["step 0", "step 1", "step 2"]


def test_the_first_that_fails_stops_the_rest(tools: Tools) -> None:
    tools.put("az", fails_at=2, code=7)
    with pytest.raises(CommandFailed, match=r"az ended with exit code 7\.") as caught:
        run(STEPS, lambda _: None)
    assert tools.asked == [list(step.words) for step in STEPS[:2]]
    assert (caught.value.command, caught.value.code, caught.value.left) == (STEPS[1], 7, (STEPS[2],))


def test_what_the_tool_prints_is_seen_as_it_comes(tools: Tools, capfd: pytest.CaptureFixture[str]) -> None:
    tools.put("az")
    run(STEPS[:1], lambda _: None)
    assert capfd.readouterr() == ("az says step\n", "az warns\n")


def test_a_tool_that_went_away_meanwhile_is_told(tools: Tools) -> None:
    with pytest.raises(ToolMissing, match="az cannot be run: No such file"):
        run(STEPS, lambda _: None)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_missing_tool_is_named_with_how_to_get_it(provider: str, tools: Tools) -> None:
    with pytest.raises(ToolMissing) as caught:
        tool(provider)
    for name in TOOLS[provider]:
        assert name in str(caught.value)
    assert GET[provider] in str(caught.value)
    name = TOOLS[provider][-1]
    tools.put(name)
    assert tool(provider) == str(tools.folder / name)


def test_the_models_name_is_that_of_the_first_in_the_package(tmp_path: Path) -> None:
    for name in ("asters", "roses"):
        site = tmp_path / ".python_packages/lib/site-packages/mlserverless/_models" / name
        site.mkdir(parents=True)
        (site / "model.toml").write_text("")
    package = Package(targets.parse("azure"), tmp_path, tmp_path, None, 1, 1)
    assert model_name("no matter", package._replace(models=("roses", "asters"))) == "roses"
    assert model_name("no matter", package) == "asters"


def test_before_a_build_the_models_name_is_told_by_its_place(tmp_path: Path, models: Path) -> None:
    assert model_name("efficientnet-lite0") == "efficientnet-lite0"
    assert model_name(str(models / "dogs-vs-cats")) == "dogs-vs-cats"
    (tmp_path / "model").symlink_to(models / "dogs-vs-cats")
    (tmp_path / "my flowers.tflite").write_bytes((models / "dogs-vs-cats/model.tflite").read_bytes())
    assert model_name(str(tmp_path / "my flowers.tflite")) == "my-flowers"
    with pytest.raises(ModelUnavailable):
        model_name(str(tmp_path / "none"))


def test_a_projects_own_model_has_the_name_that_it_gives_itself(tmp_path: Path, models: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("model.tflite", "labels.txt"):
        (folder / name).write_bytes((models / "dogs-vs-cats" / name).read_bytes())
    (folder / "model.toml").write_text('name = "My dogs"\nlabels = "labels.txt"\n')
    assert model_name(str(folder)) == "My-dogs"


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("flowers", "flowers"),
        ("My Flowers_2", "my-flowers-2"),
        ("2024-flowers", "flowers"),
        ("…", ""),
        ("a" * 50, "a" * 40),
        ("é" + "b" * 39 + "-c", "b" * 39),
    ],
)
def test_a_projects_folder_gives_the_name(folder: str, name: str, tmp_path: Path) -> None:
    assert default_name(tmp_path / folder) == name


def test_an_archive_is_the_one_that_was_proven(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/app.py").write_text("pass\n")
    archive.write_zip(tmp_path / "root", tmp_path / "function.zip")
    told = {"archives": {"function.zip": {"sha256": archive.sha256(tmp_path / "function.zip")}}}
    told |= {"files": digests(tmp_path)}
    (tmp_path / "build.json").write_text(json.dumps(told))
    check_archives(tmp_path)
    (tmp_path / "template.yaml").write_text("AuthType: NONE\n")
    with pytest.raises(ValueError, match=r"has files that are not what was built, by its build.json: build"):
        check_archives(tmp_path)
    (tmp_path / "template.yaml").unlink()
    with (tmp_path / "function.zip").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ValueError, match=r"function.zip is not what was built and proven, by its build.json"):
        check_archives(tmp_path)
    (tmp_path / "function.zip").unlink()
    with pytest.raises(ValueError, match="build it again"):
        check_archives(tmp_path)
