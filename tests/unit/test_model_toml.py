"""``model.toml``: a wrong key or value is named with what is accepted; label files."""

from pathlib import Path

import pytest

from helpers.modelfolder import fails, folder
from mlserverless import model_toml
from mlserverless.model import load


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("colour = 1", "colour is not known; known are name, file, sha256, labels, task, signature, input"),
        ("[input]\nmean = 1", "[input] mean is not known; known are preset, size, channels"),
        ("[output]\nscale = 1", "[output] scale is not known; known are activation, scores"),
        ("input = 3", "[input] input is not known; known are preset"),
        ("name = 5", "name is 5; accepted is a text"),
        ("file = [1]", "file is [1]; accepted is a text"),
        ("sha256 = 7", "sha256 is 7; accepted is a text"),
        ('labels = ["cat"]', "labels is ['cat']; accepted is a text"),
        (
            '[input]\nresize = "cubic"',
            "input.resize is 'cubic'; accepted are nearest, bilinear, bicubic, lanczos, box",
        ),
        ('[input]\nfit = ["crop"]', "input.fit is ['crop']; accepted are stretch, crop, pad"),
        ("[input]\ncrop = 0", "input.crop is 0; accepted is a share above 0 and up to 1"),
        ("[input]\ncrop = 1.01", "input.crop is 1.01; accepted is a share"),
        ("[input]\ncrop = nan", "input.crop is nan; accepted is a share"),
        ("[input]\ncrop = true", "input.crop is True; accepted is a share"),
        ('[input]\ncrop = "1"', "input.crop is '1'; accepted is a share"),
        ('[output]\nactivation = "relu"', "output.activation is 'relu'; accepted are none, softmax, sigmoid"),
    ],
)
def test_wrong_key_or_value_names_what_is_accepted(tmp_path: Path, toml: str, said: str) -> None:
    message = fails(folder(tmp_path / "a", toml))
    assert said in message
    assert f"See {model_toml.DOCS}." in message


@pytest.mark.parametrize(
    "value",
    [
        '"0..1"',
        "5",
        '["raw"]',
        "{ mean = 1 }",
        "{ mean = 1, std = 0 }",
        "{ mean = 1, std = [1, 0, 1] }",
        '{ mean = "1", std = 1 }',
        "{ mean = [], std = 1 }",
        "{ mean = [1, 2], std = 1 }",
        "{ mean = [1, 2, 3, 4], std = 1 }",
        "{ mean = nan, std = 1 }",
        "{ mean = 1, std = inf }",
        "{ mean = true, std = 1 }",
        "{ mean = 1, std = 1, max = 2 }",
    ],
)
def test_wrong_range_names_the_ranges(tmp_path: Path, value: str) -> None:
    said = fails(folder(tmp_path / "a", f"[input]\nrange = {value}"))
    assert "input.range is " in said
    assert "accepted are raw, unit, signed, imagenet, caffe or { mean = …, std = … } in pixel values" in said


@pytest.mark.parametrize("name", model_toml.RANGES)
def test_every_named_range_is_taken(tmp_path: Path, name: str) -> None:
    assert load(folder(tmp_path / "a", f'[input]\nrange = "{name}"')).input.range == name


@pytest.mark.parametrize("text", [b"name = ", b"\xff\xfe", b"[input"])
def test_broken_toml_is_named(tmp_path: Path, text: bytes) -> None:
    where = folder(tmp_path / "a")
    (tmp_path / "a" / "model.toml").write_bytes(text)
    assert fails(where).startswith(f"{tmp_path}/a/model.toml cannot be read: ")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        (b"cat\ndog", ("cat", "dog")),
        (b"cat\ndog\n", ("cat", "dog")),
        (b"cat\r\ndog\r\n", ("cat", "dog")),
        (b" cat \n\ndog\n", ("cat", "", "dog")),  # a line is a class, an empty one too
        ("Bär\n".encode(), ("Bär",)),
    ],
)
def test_label_files(tmp_path: Path, text: bytes, labels: tuple[str, ...]) -> None:
    assert load(folder(tmp_path / "a", 'labels = "labels.txt"', labels=text)).labels == labels


@pytest.mark.parametrize(("name", "text"), [("none.txt", b"cat"), ("labels.txt", b"\xff\xfe\xff")])
def test_label_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: bytes) -> None:
    said = fails(folder(tmp_path / "a", f'labels = "{name}"', labels=text))
    assert said.startswith(f"The label file {tmp_path}/a/{name} cannot be read: ")
