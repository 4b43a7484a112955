"""The names of several models in one function."""

from pathlib import Path

import pytest

from helpers.fakes import folder
from mlserverless import naming
from mlserverless.config import Settings
from mlserverless.errors import ModelUnavailable


def test_the_first_model_comes_first_and_each_has_the_name_in_its_folder(tmp_path: Path) -> None:
    flowers = folder(tmp_path / "a", 'name = "flowers"')
    cats = folder(tmp_path / "cats")
    settings = Settings(model=str(flowers), models=(str(cats), "efficientnet-lite0"))
    assert list(naming.names(settings).items()) == [
        ("flowers", str(flowers)),
        ("cats", str(cats)),
        ("efficientnet-lite0", "efficientnet-lite0"),
    ]


@pytest.mark.parametrize(
    ("given", "name", "where"),
    [
        ("b=models/mine", "b", "models/mine"),
        ("models/mine", "", "models/mine"),
        ("https://x.example/m.tflite?sig=a=b", "", "https://x.example/m.tflite?sig=a=b"),
        ("small=https://x.example/m.tflite?sig=a", "small", "https://x.example/m.tflite?sig=a"),
        ("small=", "", "small="),
    ],
)
def test_a_name_stands_before_an_equals_sign(given: str, name: str, where: str) -> None:
    assert naming.split(given) == (name, where)


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("https://x.example/models/small.tflite?sig=a.b/c", "small"),
        ("s3://bucket/models/flowers/", "flowers"),
        ("gs://bucket/big.v2.tflite", "big.v2"),
    ],
)
def test_a_model_at_a_url_has_the_name_of_its_last_part(where: str, name: str) -> None:
    assert naming.name_of(where) == name


def test_a_bare_file_has_its_name_without_the_suffix(tmp_path: Path) -> None:
    mine = folder(tmp_path / "a")
    assert naming.name_of(str(mine / "model.tflite")) == "model"


def test_two_of_one_name_are_refused_and_the_way_out_is_shown(tmp_path: Path) -> None:
    settings = Settings(model=str(folder(tmp_path / "a")))
    (tmp_path / "b").mkdir()
    second = folder(tmp_path / "b" / "a")
    with pytest.raises(ModelUnavailable) as caught:
        naming.names(settings._replace(models=(str(second),)))
    assert str(caught.value) == (
        f"Two models are called 'a': {tmp_path / 'a'} and {second}. Give one another name in the setting models: "
        f"other={second}. See docs/reference/settings.md."
    )
    assert list(naming.names(settings._replace(models=(f"other={second}",)))) == ["a", "other"]


def test_a_signature_is_not_repeated() -> None:
    settings = Settings(
        model="https://x.example/a.tflite?sig=1", models=("https://y.example/a.tflite?sig=secret",)
    )
    with pytest.raises(ModelUnavailable) as caught:
        naming.names(settings)
    assert "secret" not in str(caught.value)


def test_a_password_is_not_repeated() -> None:
    settings = Settings(
        model="https://ann:secret@x.example/a.tflite", models=("https://bob:hidden@y.example/a.tflite#also",)
    )
    with pytest.raises(ModelUnavailable) as caught:
        naming.names(settings)
    assert str(caught.value).startswith(
        "Two models are called 'a': https://x.example/a.tflite and https://y.example/a.tflite."
    )


def test_a_model_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="There is no model 'nothing'"):
        naming.names(Settings(models=("nothing",)))


def test_a_model_toml_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    mine = folder(tmp_path / "a", "name = [")
    with pytest.raises(ModelUnavailable, match=r"model.toml cannot be read"):
        naming.name_of(str(mine))
