"""Each mistake that certify knows, alone and in company: the step, the cause and the line that mends it.

All of them, over every kind of model and real photos, are the figure ``mistakes`` of `make models`.
"""

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers import images
from helpers.certified import NOTEBOOKS, PICTURES, certified, clear, small, turned
from mlserverless.certification.certify import Report, certify
from mlserverless.certification.reference import read_reference

ALL = ("decoded", "resized", "input", "output", "scores", "labels")
SCORES = ("input", "output", "scores")


def told(report: Report) -> list[tuple[str, str]]:
    assert not report.certified
    return [(finding.step, finding.cause) for finding in report.findings]


def mends(report: Report) -> list[str]:
    return [finding.mend for finding in report.findings]


@pytest.mark.parametrize("kind", NOTEBOOKS)
def test_what_is_right_is_certified(tmp_path: Path, kind: str) -> None:
    for keys in (ALL, ("input",), ("output",), ("scores",)):
        report = certified(tmp_path, kind, keys)
        assert report.certified, (keys, report.findings, report.stages)
        assert report.step == ""


@pytest.mark.parametrize(
    ("kind", "notebook", "expected", "mend"),
    [
        ("float", {"order": "bgr"}, ("channels", "order"), 'channels = "bgr"'),
        ("nchw", {"order": "bgr"}, ("channels", "order"), 'channels = "bgr"'),
        ("int8", {"order": "bgr"}, ("channels", "order"), 'channels = "bgr"'),
        ("float", {"range": "caffe", "order": "bgr"}, ("range", "range"), 'range = "caffe"'),
        ("float", {"range": "unit"}, ("range", "range"), 'range = "unit"'),
        ("nchw", {"range": "signed"}, ("range", "range"), 'range = "signed"'),
        ("grey", {"range": "raw"}, ("range", "range"), 'range = "raw"'),
        ("float", {"range": (123.5, 58.5)}, ("range", "range"), "range = { mean = 123.5, std = 58.5 }"),
        ("float", {"arrange": "reshaped"}, ("layout", "reshaped"), "x = x.transpose(0, 2, 3, 1), not reshape"),
        ("nchw", {"arrange": "reshaped"}, ("layout", "reshaped"), "x = x.transpose(0, 3, 1, 2), not reshape"),
        ("float", {"arrange": "transposed"}, ("layout", "transposed"), "x = x.transpose(0, 2, 1, 3)"),
        ("float", {"fit": "crop", "crop": 0.875}, ("resize", "fit"), 'fit = "crop"\ncrop = 0.875'),
        ("float", {"fit": "crop", "crop": 0.82}, ("resize", "fit"), 'fit = "crop"\ncrop = 0.82'),
        ("float", {"fit": "pad"}, ("resize", "fit"), 'fit = "pad"'),
        ("nchw", {"side": 37}, ("resize", "fit"), "side = 37"),
        ("soft", {"fit": "stretch"}, ("resize", "fit"), 'fit = "stretch"\ncrop = 1.0'),
        ("float", {"resize": "nearest"}, ("resize", "method"), 'resize = "nearest"'),
        ("soft", {"resize": "lanczos"}, ("resize", "method"), 'resize = "lanczos"'),
        ("int8", {"quantise": "raw"}, ("quantise", "range"), 'range = "raw"'),
        ("int8", {"range": "signed"}, ("range", "range"), 'range = "signed"'),
        ("uint8", {"quantise": "right", "range": "unit"}, ("quantise", "range"), 'range = "unit"'),
    ],
)
def test_a_mistake_on_the_way_to_the_model_is_found(
    tmp_path: Path, kind: str, notebook: dict[str, Any], expected: tuple[str, str], mend: str
) -> None:
    report = certified(tmp_path, kind, notebook=notebook)
    assert told(report) == [expected]
    assert mends(report) == [mend]
    assert report.step == expected[0]
    assert report.findings[0].proven


def test_pixels_between_four_are_told_from_smoothed_ones(tmp_path: Path) -> None:
    report = certified(tmp_path, "float", notebook={"resize": "opencv"})
    assert told(report) == [("resize", "antialias")]
    assert 'resizer = "t' in mends(report)[0]


@pytest.mark.parametrize(
    ("kind", "quantise", "cause"),
    [
        ("int8", "cast", "cast"),
        ("int8", "wrapped", "wrapped"),
        ("int8", "no-zero-point", "no-zero-point"),
    ],
)
def test_quantising_wrongly_is_the_notebooks_to_mend(tmp_path: Path, kind: str, quantise: str, cause: str) -> None:
    report = certified(tmp_path, kind, notebook={"quantise": quantise})
    assert told(report) == [("quantise", cause)]
    assert report.findings[0].where == "notebook"
    assert "zero_point" in mends(report)[0]


def test_a_zero_point_without_the_scale_is_found(tmp_path: Path) -> None:
    def edit(saved: dict[str, Any]) -> None:
        real = NOTEBOOKS["int8"]._replace(dtype="float32")
        values = np.stack([real.tensor(pixels) for pixels in saved["resized"]])
        saved["input"] = np.clip(np.round(values) - 4, -128, 127).astype(np.int8)

    assert told(certified(tmp_path, "int8", ("input",), edit=edit)) == [("quantise", "no-scale")]


@pytest.mark.parametrize(
    ("toml", "expected", "mend"),
    [
        ({"input": {"channels": "bgr"}}, ("channels", "order"), 'channels = "rgb"'),
        ({"input": {"range": "caffe"}}, ("range", "range"), 'range = "imagenet"'),
        ({"input": {"fit": "crop"}}, ("resize", "fit"), 'fit = "stretch"'),
        ({"input": {"resizer": "tensorflow"}}, ("resize", "antialias"), 'resizer = "pillow"'),
        ({"input": {"resize": "box"}}, ("resize", "method"), 'resize = "bilinear"'),
        ({"output": {"activation": "sigmoid"}}, ("activation", "activation"), 'activation = "softmax"'),
        ({"output": {"activation": "none"}}, ("activation", "activation"), 'activation = "softmax"'),
        ({"labels": ["x", *"abcdef"]}, ("labels", "texts"), "ant, bee, cat, … : the notebook's 7 labels"),
    ],
)
def test_a_mistake_in_model_toml_is_found(
    tmp_path: Path, toml: dict[str, Any], expected: tuple[str, str], mend: str
) -> None:
    report = certified(tmp_path, "float", (*SCORES, "labels"), toml=toml)
    assert told(report) == [expected]
    assert mend in mends(report)[0]


def test_a_range_that_would_turn_the_channels_says_their_order_too(tmp_path: Path) -> None:
    report = certified(
        tmp_path, "float", notebook={"order": "bgr", "range": "unit"}, toml={"input": {"range": "caffe"}}
    )
    assert told(report) == [("range", "range")]
    assert mends(report) == ['range = "unit"\nchannels = "bgr"']
    assert report.findings[0].proven


def test_several_mistakes_are_told_in_the_order_of_the_steps(tmp_path: Path) -> None:
    wrong = {"order": "bgr", "range": "unit", "fit": "crop"}
    report = certified(tmp_path, "float", notebook=wrong)
    assert told(report) == [("resize", "fit"), ("channels", "order"), ("range", "range")]
    assert all(finding.proven for finding in report.findings)


@pytest.mark.parametrize("keys", [("decoded", "input"), ("input",), ("resized",)])
def test_an_orientation_that_is_ignored_is_found(tmp_path: Path, keys: tuple[str, ...]) -> None:
    pictures = [turned(PICTURES[0]), PICTURES[1]]
    report = certified(tmp_path, "float", keys, notebook={"exif": False}, pictures=pictures)
    assert told(report) == [("decode", "exif")]
    assert "exif_transpose" in mends(report)[0]


@pytest.mark.parametrize(
    ("ground", "mend"), [("black", "MLSERVERLESS_BACKGROUND=black"), ("drop", "MLSERVERLESS_BACKGROUND=drop")]
)
def test_transparency_on_another_ground_is_found(tmp_path: Path, ground: str, mend: str) -> None:
    pictures = [clear(PICTURES[0]), PICTURES[1]]
    for keys in (("decoded", "input"), ("input",)):
        report = certified(tmp_path, "float", keys, notebook={"ground": ground}, pictures=pictures)
        assert (told(report), mends(report)) == ([("decode", "alpha")], [mend])
    report = certified(
        tmp_path, "float", notebook={"ground": ground}, pictures=pictures, background=mend.partition("=")[2]
    )
    assert report.certified


def test_transparency_and_a_crop_are_found_together(tmp_path: Path) -> None:
    wrong = {"ground": "drop", "fit": "crop"}
    report = certified(tmp_path, "float", notebook=wrong, pictures=[clear(PICTURES[0]), PICTURES[1]])
    assert told(report) == [("decode", "alpha"), ("resize", "fit")]


@pytest.mark.parametrize(
    ("notebook", "edit", "expected"),
    [
        ({"order": "bgr"}, None, [("channels", "order")]),
        ({"range": "unit"}, None, [("range", "range")]),
        ({"range": "caffe", "order": "bgr"}, None, [("range", "range")]),
        ({"fit": "crop"}, None, [("resize", "fit")]),
        ({}, lambda saved: saved.update(output=saved["output"][::-1]), [("model", "unknown")]),
    ],
)
def test_what_is_not_saved_is_inferred_from_the_output(
    tmp_path: Path, notebook: dict[str, Any], edit: Any, expected: list[tuple[str, str]]
) -> None:
    report = certified(tmp_path, "float", ("output",), notebook=notebook, edit=edit or (lambda _: None))
    assert told(report) == expected


def test_it_is_inferred_from_the_scores_too(tmp_path: Path) -> None:
    report = certified(tmp_path, "float", ("scores",), notebook={"order": "bgr"})
    assert told(report) == [("channels", "order")]
    pictures = [clear(PICTURES[0]), PICTURES[1]]
    report = certified(tmp_path, "float", ("scores",), notebook={"ground": "black"}, pictures=pictures)
    assert told(report) == [("decode", "alpha")]


def test_bgr_is_found_in_grey_pictures_by_its_means(tmp_path: Path) -> None:
    report = certified(tmp_path, "float", ("input",), notebook={"order": "bgr"}, pictures=[small("camera.png")])
    assert told(report) == [("channels", "order")]


GREY = [small("camera.png")]


@pytest.mark.parametrize(
    ("kind", "notebook", "expected"),
    [
        ("soft", {"fit": "stretch"}, [("resize", "fit")]),
        ("soft", {"resize": "nearest"}, [("resize", "method")]),
        ("soft", {"range": "signed"}, [("range", "range")]),
        ("float", {"fit": "crop", "crop": 0.8}, [("resize", "fit")]),
        ("float", {"range": "unit"}, [("range", "range")]),
        ("float", {"range": (123.5, 58.5)}, [("range", "range")]),
        ("float", {"range": "caffe", "order": "bgr"}, [("range", "range")]),
    ],
)
def test_channels_are_not_blamed_where_all_pictures_are_grey(
    tmp_path: Path, kind: str, notebook: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    report = certified(tmp_path, kind, ("input",), notebook=notebook, pictures=GREY)
    assert told(report) == expected
    assert "channels" not in "".join(mends(report))
    assert report.findings[0].proven


@pytest.mark.parametrize("scale", ["unit", (120.5, 60.25)])
def test_grey_pictures_do_not_keep_the_order_of_a_range_that_was_wrong(tmp_path: Path, scale: Any) -> None:
    wrong = {"input": {"range": "caffe"}}  # which makes BGR of colours
    report = certified(tmp_path, "soft", ("input",), notebook={"range": scale}, toml=wrong, pictures=GREY)
    assert told(report) == [("range", "range")]
    assert "channels" not in mends(report)[0]
    assert report.findings[0].proven


def test_channels_of_grey_pictures_are_not_guessed_by_the_output(tmp_path: Path) -> None:
    report = certified(tmp_path, "soft", ("output",), notebook={"range": (120.5, 60.25)}, pictures=GREY)
    assert "channels" not in [step for step, _ in told(report)]


def sized(side: int) -> list[bytes]:
    """Return pictures of the model's size, which nothing resizes."""
    return [
        images.encode(Image.open(BytesIO(data)).convert("RGB").resize((side, side)), "PNG") for data in PICTURES
    ]


@pytest.mark.parametrize(
    ("notebook", "mend"),
    [
        ({"range": (0.0, 15.9375)}, "range = { mean = 0.0, std = 15.9375 }"),
        ({"range": (0.0, 253.72)}, "range = { mean = 0.0, std = 253.72 }"),
        ({"range": (0.0, 255.05)}, "range = { mean = 0.0, std = 255.05 }"),
        ({"range": (127.53, 127.47), "order": "bgr"}, "range = { mean = 127.53, std = 127.47 }"),
        (
            {"range": ((123.67512, 116.281, 103.5), (58.39512, 57.1, 57.425))},
            "range = { mean = [123.6751, 116.281, 103.5], std = [58.3951, 57.1, 57.425] }",
        ),
    ],
)
def test_a_range_is_told_with_the_digits_that_it_takes(
    tmp_path: Path, notebook: dict[str, Any], mend: str
) -> None:
    plain = {"resize": "bilinear", "fit": "stretch", "crop": 1.0}
    pictures = sized(32)
    toml = {"input": {"fit": "stretch", "crop": "", "resize": ""}}
    report = certified(tmp_path, "soft", ("input",), notebook={**plain, **notebook}, toml=toml, pictures=pictures)
    assert mends(report)[-1] == mend
    assert all(finding.proven for finding in report.findings)
    where = tmp_path / "model" / "model.toml"
    pasted = "".join(f"{one}\n" for one in mends(report))
    where.write_text(re.sub(r"\nrange = .*\n", f"\n{pasted}", where.read_text()))
    assert certify(str(where.parent), read_reference(tmp_path / "notebook.npz"), {}).certified


@pytest.mark.parametrize("std", [255.05, 255.2])
def test_a_range_is_held_to_a_rounding_where_nothing_is_resized(tmp_path: Path, std: float) -> None:
    plain = {"resize": "bilinear", "fit": "stretch", "crop": 1.0}
    toml = {"input": {"fit": "stretch", "crop": "", "resize": ""}}
    right = certified(tmp_path, "soft", ("input",), notebook=plain, toml=toml, pictures=sized(32))
    stage = next(stage for stage in right.stages if stage.name == "input")
    assert (stage.verdict, stage.tolerance) == ("equal", 1e-6)
    wrong = certified(
        tmp_path, "soft", ("input",), notebook={**plain, "range": (0.0, std)}, toml=toml, pictures=sized(32)
    )
    assert told(wrong) == [("range", "range")]


def test_a_level_is_allowed_where_something_is_resized_or_made_grey(tmp_path: Path) -> None:
    report = certified(tmp_path, "soft", ("input",), pictures=[*sized(32), PICTURES[0]])
    assert report.stages[2].tolerance == pytest.approx(1.05 / 255, rel=1e-3)
    report = certified(tmp_path, "grey", ("input",), pictures=sized(28))
    assert report.stages[2].tolerance == pytest.approx(1.05 / 255, rel=1e-3)
    grey = [images.encode(Image.open(BytesIO(data)).convert("L"), "PNG") for data in sized(28)]
    report = certified(tmp_path, "grey", ("input",), pictures=grey)
    assert (report.certified, report.stages[2].tolerance) == (True, 1e-6)


def test_the_tolerance_that_is_told_of_a_decoder_is_enough_for_every_picture(tmp_path: Path) -> None:
    random = np.random.default_rng(4)

    def edit(saved: dict[str, Any]) -> None:
        for i, most in enumerate((2, 5, 3)):
            noise = (most + 0.4) * random.uniform(-1, 1, saved["decoded"][i].shape) ** 5
            saved["decoded"][i] = saved["decoded"][i].astype(np.float32) + noise.astype(np.float32)

    report = certified(tmp_path, "soft", ("decoded", "output"), edit=edit)
    (finding,) = report.findings
    assert (finding.step, finding.cause) == ("decode", "decoder")
    name, _, value = finding.mend.removeprefix("--tolerance ").partition("=")
    reference = read_reference(tmp_path / "notebook.npz")
    assert certify(str(tmp_path / "model"), reference, {name: float(value)}).certified


def test_each_image_in_a_range_of_its_own_is_told(tmp_path: Path) -> None:
    def edit(saved: dict[str, Any]) -> None:
        saved["input"] = np.stack([(x - x.mean()) / x.std() for x in saved["resized"]]).astype(np.float32)

    assert told(certified(tmp_path, "float", ("input",), edit=edit)) == [("range", "per-image")]


def test_resized_pixels_that_are_scaled_already_are_told(tmp_path: Path) -> None:
    def edit(saved: dict[str, Any]) -> None:
        saved["resized"] = [pixels / 255 for pixels in saved["resized"]]

    assert told(certified(tmp_path, "float", ("resized",), edit=edit)) == [("resize", "scaled")]


@pytest.mark.parametrize("key", ["resized", "input"])
def test_a_tensor_of_another_size_is_told(tmp_path: Path, key: str) -> None:
    def edit(saved: dict[str, Any]) -> None:
        saved[key] = np.stack(saved[key])[:, :30, :30]

    report = certified(tmp_path, "float", (key,), edit=edit)
    assert told(report) == [("resize", "size")]
    assert "30 × 30 × 3; the model's file takes 32 × 32 × 3 (rgb)" in report.findings[0].told


def test_noise_is_explained_by_nothing(tmp_path: Path) -> None:
    def edit(saved: dict[str, Any]) -> None:
        saved["input"] = np.random.default_rng(3).normal(size=saved["input"].shape).astype(np.float32)

    report = certified(tmp_path, "float", ("input",), edit=edit)
    assert [cause for _, cause in told(report)] == ["unknown"]


def shaken(saved: dict[str, Any]) -> None:
    """Decode with another decoder, up to two levels off."""
    random, notebook = np.random.default_rng(1), NOTEBOOKS["soft"]
    noise = [random.integers(-2, 3, pixels.shape) for pixels in saved["decoded"]]
    pairs = zip(saved["decoded"], noise, strict=True)
    saved["decoded"] = [np.clip(pixels.astype(int) + off, 0, 255).astype(np.uint8) for pixels, off in pairs]
    saved["resized"] = [notebook.resized(pixels) for pixels in saved["decoded"]]
    saved["input"] = np.stack([notebook.tensor(pixels) for pixels in saved["resized"]])


def test_another_decoder_is_told_with_the_tolerance_that_lets_it_pass(tmp_path: Path) -> None:
    keys, pictures = ("decoded", "resized", "input"), [PICTURES[0], PICTURES[2]]
    report = certified(tmp_path, "soft", keys, edit=shaken, pictures=pictures)
    assert (told(report), mends(report)) == ([("decode", "decoder")], ["--tolerance decode=2"])
    assert certified(tmp_path, "soft", keys, edit=shaken, pictures=pictures, tolerances={"decode": 2}).certified


def test_a_decoded_image_that_is_another_is_told(tmp_path: Path) -> None:
    def cut(saved: dict[str, Any]) -> None:
        saved["decoded"][0] = saved["decoded"][0][:20]

    def other(saved: dict[str, Any]) -> None:
        saved["decoded"][0] = 255 - saved["decoded"][0]

    assert told(certified(tmp_path, "float", ("decoded",), edit=cut)) == [("decode", "size")]
    assert told(certified(tmp_path, "float", ("decoded",), edit=other)) == [("decode", "unknown")]


def test_pixels_that_opencv_decoded_are_right_if_the_model_gets_rgb(tmp_path: Path) -> None:
    def edit(saved: dict[str, Any]) -> None:
        for key in ("decoded", "resized"):
            saved[key] = [pixels[..., ::-1] for pixels in saved[key]]

    report = certified(tmp_path, "float", ALL, edit=edit)
    assert report.certified
    assert [stage.note for stage in report.stages[:2]] == [
        "the notebook has it in BGR order, as OpenCV decodes",
        "the notebook has it in BGR order",
    ]


def test_planes_first_in_the_notebook_are_right_for_a_model_that_has_them_last(tmp_path: Path) -> None:
    def edit(saved: dict[str, Any]) -> None:
        saved["input"] = saved["input"].transpose(0, 3, 1, 2)

    report = certified(tmp_path, "float", edit=edit)
    assert report.certified
    assert "channels in another place" in report.stages[2].note


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_real_values_are_compared_with_what_is_quantised(tmp_path: Path, kind: str) -> None:
    def real(saved: dict[str, Any]) -> None:
        notebook = NOTEBOOKS[kind]._replace(dtype="float32")
        saved["input"] = np.stack([notebook.tensor(pixels) for pixels in saved["resized"]])

    assert certified(tmp_path, kind, ("input", "output"), edit=real).certified


def test_pixels_themselves_may_be_the_images(tmp_path: Path) -> None:
    def edit(saved: dict[str, Any]) -> None:
        saved["images"] = saved["decoded"]

    assert certified(tmp_path, "float", SCORES, edit=edit).certified
