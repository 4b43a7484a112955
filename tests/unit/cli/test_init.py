"""``mlserverless init``: what it writes, what it prints, and how it ends."""

import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mlserverless.cli.init import init, tree


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(init, list(arguments), catch_exceptions=False)
    assert "Traceback" not in result.output
    return result


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_shows_what_it_wrote_and_what_comes_next() -> None:
    result = run("my flowers", "--cloud", "aws", "--model", "dogs-vs-cats")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "my flowers"
    assert "├── aws/" in lines
    assert "│   ├── app.py" in lines
    assert [line.strip() for line in lines[lines.index("Ready. Next:") + 1 :]] == [
        "cd 'my flowers'",
        "mlserverless predict photo.jpg",
        "mlserverless doctor aws",
        "mlserverless deploy aws --dry-run",
    ]
    assert Path("my flowers/aws/app.py").is_file()
    assert not Path("my flowers/azure").exists()


def test_without_words_it_is_every_cloud_in_this_folder() -> None:
    result = run()
    assert result.exit_code == 0
    assert "cd " not in result.stdout
    assert {"aws", "azure", "gcp", "container", "model"} < set(os.listdir())
    assert "efficientnet-lite0" in Path("model/model.toml").read_text()


def test_a_bare_model_file_leaves_things_to_do(models: Path) -> None:
    shutil.copyfile(models / "dogs-vs-cats/model.tflite", "flowers.tflite")
    result = run("project", "--cloud", "gcp", "--model", "flowers.tflite")
    assert result.exit_code == 0
    assert result.stdout.count("To do: ") == 3
    assert "\nNext:\n" in result.stdout


def test_what_is_there_is_listed_and_left() -> None:
    Path("README.md").write_text("mine")
    result = run("--cloud", "aws", "--model", "dogs-vs-cats")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Nothing was written" in result.stderr
    assert result.stderr.splitlines()[1:] == ["  README.md"]
    assert os.listdir() == ["README.md"]
    assert run("--cloud", "aws", "--model", "dogs-vs-cats", "--force").exit_code == 0
    assert Path("README.md").read_text() != "mine"


def test_a_model_that_is_none_is_told() -> None:
    result = run("--model", "roses")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "There is no model 'roses'" in result.stderr
    assert os.listdir() == []


def test_a_folder_that_cannot_be_written_to_is_named() -> None:
    Path("taken").write_text("a file")
    result = run("taken/project", "--cloud", "aws", "--model", "dogs-vs-cats")
    assert result.exit_code == 2
    assert "The project cannot be written: taken" in result.stderr


def test_a_cloud_that_there_is_not_is_wrong() -> None:
    result = run("--cloud", "heroku")
    assert result.exit_code == 2
    assert "'heroku' is not one of 'aws', 'azure', 'gcp', 'container'" in result.stderr


def test_a_tree_has_each_folder_once() -> None:
    drawn = tree("root", ["a/b/c", "a/b/d", "a/e", "f"])
    (a, f) = drawn.children
    assert [str(child.label) for child in (a, f)] == ["a/", "f"]
    assert [str(child.label) for child in a.children] == ["b/", "e"]
    assert [str(child.label) for child in a.children[0].children] == ["c", "d"]
