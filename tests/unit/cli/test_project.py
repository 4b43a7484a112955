"""The settings file of a project, handed to a runtime that runs in another folder."""

from pathlib import Path

import pytest

from mlserverless.cli.project import variables
from mlserverless.config import Settings
from mlserverless.errors import ConfigError


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("model", "birds"):
        (tmp_path / name).mkdir()


def test_nothing_where_there_is_no_file() -> None:
    assert variables() == {}


def test_a_projects_settings_are_told_with_its_models_whole_paths(tmp_path: Path) -> None:
    Path("mlserverless.toml").write_text(
        'model = "model"\nmodels = ["b=birds", "dogs-vs-cats"]\ntop_k = 1\npage = false\n'
        'formats = ["jpeg", "png"]\n'
    )
    told = variables()
    assert told == {
        "MLSERVERLESS_MODEL": str(tmp_path / "model"),
        "MLSERVERLESS_MODELS": f"b={tmp_path / 'birds'},dogs-vs-cats",
        "MLSERVERLESS_TOP_K": "1",
        "MLSERVERLESS_PAGE": "false",
        "MLSERVERLESS_FORMATS": "jpeg,png",
    }
    assert Settings.load(told, folder="/nowhere").top_k == 1


def test_a_variable_of_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mlserverless.toml").write_text("top_k = 1\n")
    monkeypatch.setenv("MLSERVERLESS_TOP_K", "2")
    assert variables() == {}


def test_a_wrong_setting_is_refused() -> None:
    Path("mlserverless.toml").write_text('top_k = "many"\n')
    with pytest.raises(ConfigError, match="top_k"):
        variables()
