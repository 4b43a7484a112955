"""``model.toml``: a wrong key or value is named with what is accepted; label files."""

from pathlib import Path

import pytest

from helpers import modelfile
from helpers.modelfolder import fails, folder
from mlserverless import model_toml, model_values
from mlserverless.model import load


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("colour = 1", "colour is not known; known are name, file, sha256, labels, "),
        ("[input]\nmean = 1", "[input] mean is not known; known are preset, size, channels"),
        ("[output]\nscale = 1", "[output] scale is not known; known are activation, scores"),
        ("input = 3", "input is 3; accepted is a section [input]"),
        ("output = []", "output is []; accepted is a section [output]"),
        ("delegates = 1", "delegates is 1; accepted is [[delegates]], a table each"),
        ("delegates = [1]", "delegates is [1]; accepted is [[delegates]], a table each"),
        ('file = ""', "file is ''; accepted is the name of the model's file, or no such line"),
        ("name = 5", "name is 5; accepted is a text"),
        ("file = [1]", "file is [1]; accepted is a text"),
        ("sha256 = 7", "sha256 is 7; accepted is a text"),
        ('file = "a\\u0000"', "file is 'a\\x00'; accepted is a text without NUL"),
        ('labels = "\\u0000"', "labels is '\\x00'; accepted is a text without NUL"),
        ('labels = ["cat"]', "labels is ['cat']; accepted is a text"),
        (
            '[input]\nresize = "cubic"',
            "input.resize is 'cubic'; accepted are nearest, bilinear, bicubic, lanczos, box",
        ),
        (
            'task = "classify"\n[output]\nboxes = "b"',
            "output.boxes is 'b', but task is classify, which takes only activation, scores, offset and "
            'score_threshold of [output]. Leave it out, or say task = "detect".',
        ),
        ('task = "classify"\n[output]\nclasses = "c"', "output.classes is 'c', but task is classify"),
        ('task = "classify"\n[output]\ncount = "c"', "output.count is 'c', but task is classify"),
        (
            'task = "raw"\n[output]\nactivation = "softmax"',
            "output.activation is 'softmax', but task is raw, which answers the tensors as they are: it takes "
            "nothing of [output]. Leave it out, or say another task.",
        ),
        ('task = "raw"\n[output]\nscores = "s"', "output.scores is 's', but task is raw"),
        ('task = "raw"\n[output]\ncount = "s"', "output.count is 's', but task is raw"),
        ('task = "raw"\n[output]\noffset = -1', "output.offset is -1, but task is raw"),
        ('task = "raw"\n[output]\nscore_threshold = 0.5', "output.score_threshold is 0.5, but task is raw"),
        ('[input]\nfit = ["crop"]', "input.fit is ['crop']; accepted are stretch, crop, cut, pad, centre"),
        ('[input]\nresizer = "opencv"', "input.resizer is 'opencv'; accepted are pillow, tensorflow, torch"),
        (
            '[input]\nresizer = "tensorflow"\nresize = "lanczos"',
            "input.resize is 'lanczos'; accepted is with resizer = \"tensorflow\" one of nearest, bilinear, "
            "bicubic, lanczos3, lanczos5, gaussian, mitchellcubic, area (lanczos is of pillow, torch, "
            "torchvision)",
        ),
        ('[input]\nresizer = "mediapipe"\nresize = "nearest"', 'with resizer = "mediapipe" one of bilinear ('),
        ("[input]\nantialias = false", "input.antialias is False; accepted is true alone for pillow's bilinear"),
        (
            '[input]\nresizer = "torch"\nresize = "area"\nantialias = true',
            "input.antialias is True; accepted is false alone for torch's area",
        ),
        (
            '[input]\nresizer = "torch"\nresize = "lanczos"\nantialias = false',
            "input.antialias is False; accepted is true alone for torch's lanczos",
        ),
        ("[input]\nside = 256", 'input.side is 256; accepted is one with fit = "crop" and without crop'),
        ('[input]\nside = 256\nfit = "crop"\ncrop = 0.9', "input.side is 256; accepted is one with"),
        ('[input]\nside = 0\nfit = "crop"', "input.side is 0; accepted is a whole number from 1 to 65,536"),
        ('[input]\nfit = "pad"\ncrop = 0.9', 'input.crop is 0.9; accepted is none with fit = "pad"'),
        (
            '[input]\nfit = "crop"\nresizer = "tensorflow"',
            "input.fit is 'crop'; accepted is \"cut\" for tensorflow",
        ),
        (
            '[input]\nfit = "pad"\nresizer = "mediapipe"',
            "input.fit is 'pad'; accepted is \"stretch\" without crop for mediapipe",
        ),
        ("[input]\nsize = 224", "input.size is 224; accepted is [height, width] in pixels"),
        ("[input]\nsize = [0, 3]", "input.size is [0, 3]; accepted is [height, width]"),
        ('[input]\nchannels = "grey"', "input.channels is 'grey'; accepted are rgb, bgr, gray, rgba"),
        ('[input]\nlayout = "chw"', "input.layout is 'chw'; accepted are nhwc, nchw, flat"),
        ('[input]\nantialias = "yes"', "input.antialias is 'yes'; accepted is true or false"),
        ("[input]\npreset = 5", "input.preset is 5; accepted is a text"),
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
    assert f"See {model_values.DOCS}." in message


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
        "{ mean = [1, 2, 3, 4, 5], std = 1 }",
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


@pytest.mark.parametrize("name", model_values.RANGES)
def test_every_named_range_is_taken(tmp_path: Path, name: str) -> None:
    assert load(folder(tmp_path / "a", f'[input]\nrange = "{name}"')).input.range == name


@pytest.mark.parametrize(
    ("given", "does"),
    [
        ({}, True),
        ({"resize": "nearest"}, False),
        ({"resizer": "tensorflow"}, False),
        ({"resizer": "tensorflow", "antialias": True}, True),
        ({"resizer": "torch"}, False),
        ({"resizer": "torch", "resize": "lanczos"}, True),
        ({"resizer": "torchvision"}, True),
        ({"resizer": "torchvision", "antialias": False}, False),
        ({"resizer": "torchvision", "resize": "nearest"}, False),
        ({"resizer": "mediapipe"}, False),
    ],
    ids=str,
)
def test_antialiasing_is_as_the_library_does_it(given: dict[str, object], does: bool) -> None:
    assert model_toml.antialiases(model_toml.read_input(given, "model.tflite")) == does


@pytest.mark.parametrize(
    "given",
    [
        {"resizer": resizer, "resize": method}
        for resizer, methods in model_toml.METHODS.items()
        for method in methods
    ],
    ids=str,
)
def test_every_method_of_a_resizer_is_taken(given: dict[str, object]) -> None:
    assert model_toml.read_input(given, "model.tflite").resize == given["resize"]


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


def test_what_a_task_does_not_read_may_be_said_to_be_nothing(tmp_path: Path) -> None:
    """As `init` writes it, and as metadata packs it: nobody asked for it of these tensors."""
    toml = 'task = "raw"\nlabels = ""\n[output]\nactivation = "none"\nscores = ""\noffset = 0\nscore_threshold = 0'
    assert load(folder(tmp_path / "a", toml)).task == "raw"
    packed = load(folder(tmp_path / "b", 'task = "raw"', modelfile.model(modelfile.everything(), modelfile.FILES)))
    assert (bool(packed.labels), packed.output.score_threshold) == (True, 0.25)
