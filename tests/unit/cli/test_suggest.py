"""What was meant by a word that is none."""

import pytest

from mlserverless.cli.suggest import better, meant, near
from mlserverless.config import Settings
from mlserverless.errors import ConfigError, ModelUnavailable
from mlserverless.model import locate

KNOWN = ("predict", "serve", "build", "bench")


@pytest.mark.parametrize(("word", "found"), [("biuld", ["build"]), ("PREDICT", ["predict"]), ("zzz", [])])
def test_near_words(word: str, found: list[str]) -> None:
    assert near(word, KNOWN) == found


def test_two_may_have_been_meant() -> None:
    assert meant("tast", ("taste", "test")) == " Did you mean 'taste' or 'test'?"
    assert meant("zzz", KNOWN) == ""


def test_a_models_name() -> None:
    with pytest.raises(ModelUnavailable) as caught:
        locate("efficientnet-lite")
    assert better(str(caught.value)).endswith(". Did you mean 'efficientnet-lite0'?")
    with pytest.raises(ModelUnavailable) as caught:
        locate("roses")
    assert better(str(caught.value)) == str(caught.value)


def test_a_variables_name() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.load({"MLSERVERLESS_TOP_KK": "3"})
    assert better(str(caught.value)).endswith(" Did you mean 'MLSERVERLESS_TOP_K'?")


def test_a_settings_name_in_the_file(tmp_path: object) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.load({}, top_kk=3)
    assert better(str(caught.value)).endswith(" Did you mean 'top_k'?")


def test_another_error_is_left_as_it_is() -> None:
    assert better("There is no disk left.") == "There is no disk left."
