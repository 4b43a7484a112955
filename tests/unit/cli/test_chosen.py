"""Which models `build`, `deploy` and `doctor` take, and that they are told so alike."""

from pathlib import Path

import click
import pytest

from mlserverless.cli.build import build
from mlserverless.cli.chosen import settings_models
from mlserverless.cli.deploy import deploy
from mlserverless.cli.doctor import doctor
from mlserverless.errors import ConfigError


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_models_are_those_of_the_settings_the_environments_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_models() == ("efficientnet-lite0",)
    Path("mlserverless.toml").write_text('model = "a"\nmodels = ["b", "c"]\n')
    assert settings_models() == ("a", "b", "c")
    monkeypatch.setenv("MLSERVERLESS_MODELS", "d=e")
    assert settings_models() == ("a", "d=e")


def test_a_setting_that_is_not_accepted_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLSERVERLESS_TOP_K", "many")
    with pytest.raises(ConfigError, match="MLSERVERLESS_TOP_K is 'many'"):
        settings_models()


@pytest.mark.parametrize("command", [build, deploy, doctor])
def test_a_model_may_be_given_several_times(command: click.Command) -> None:
    (option,) = (one for one in command.params if one.name == "models")
    assert isinstance(option, click.Option)
    assert (option.opts, option.multiple) == (["--model"], True)
