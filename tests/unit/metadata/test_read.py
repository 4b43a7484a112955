"""TFLite metadata, written by the flatbuffers package and read by ours; and what corrupt ones come to."""

import random
import time
from pathlib import Path
from typing import Any

import pytest

from helpers import modelfile
from helpers.modelfile import FEATURE, GRAYSCALE, described, file, normalised, unit
from mlserverless.errors import ModelUnavailable
from mlserverless.metadata import labels
from mlserverless.metadata.read import buffer, image_input, read
from mlserverless.metadata.records import Calibration, LabelFile, Metadata, TensorInfo

PACKED = modelfile.metadata([127.0], [128.0], "labels.txt")
MODEL = modelfile.model(PACKED, {"labels.txt": b"cat\ndog\n"})


def fails(data: bytes) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        read(data)
    assert str(caught.value).startswith("The model's TFLite metadata is corrupt: ")
    assert 'set metadata = "ignore" in model.toml' in str(caught.value)
    return str(caught.value)


def told(*given: Any, **more: Any) -> Metadata:
    return read(modelfile.model(described(*given, **more)))


def test_real_models_metadata(models: Path) -> None:
    found = read((models / "efficientnet-lite0" / "model.tflite").read_bytes())
    (image,), (scores,) = found.inputs, found.outputs
    assert found.name == "EfficientNet-Lite0 image classifier"
    assert (image.name, image.content, image.color_space) == ("image", "image", "rgb")
    assert (image.mean, image.std, image.minimum, image.maximum) == ((127.0,), (128.0,), (0.0,), (255.0,))
    assert (scores.content, scores.labels) == ("feature", (LabelFile("labels.txt"),))
    assert found.files == ("labels.txt",)


def test_model_without_metadata_has_none(models: Path) -> None:
    for data in ((models / "dogs-vs-cats" / "model.tflite").read_bytes(), modelfile.model()):
        assert read(data) == Metadata()
        assert not read(data).present


def test_metadata_that_says_nothing_is_there() -> None:
    assert told() == Metadata(present=True)


def test_what_is_said_of_the_model() -> None:
    about = {0: "mine", 1: "What it does", 2: "v2", 4: "Me", 5: "Apache-2.0", 7: "1.5.0"}
    assert told(about=about)[:6] == ("mine", "What it does", "v2", "Me", "Apache-2.0", "1.5.0")


def test_what_is_said_of_an_input() -> None:
    stats = {0: [1.0, 0.5], 1: [-1.0, -0.5]}
    (found,) = told([{**normalised([1.5, 2.5, 3.5], [0.5, 0.25, 0.125]), 1: "A photo", 5: stats}]).inputs
    assert found == TensorInfo(
        *("image", "A photo", (), "image", "rgb", ()),
        *((1.5, 2.5, 3.5), (0.5, 0.25, 0.125), (-1.0, -0.5), (1.0, 0.5)),
    )


def test_grey_images_and_their_size_and_dimensions() -> None:
    size = {0: ("Uint32", 320), 1: ("Uint32", 240)}
    content = {0: ("Uint8", modelfile.IMAGE), 1: {0: ("Int8", GRAYSCALE), 1: size}}
    (found,) = told([{2: ["batch", "rows"], 3: content}]).inputs
    assert (found.color_space, found.default_size, found.dimensions) == ("gray", (240, 320), ("batch", "rows"))


@pytest.mark.parametrize(
    ("kind", "content"), [(0, ""), (1, "feature"), (3, "bounding box"), (4, "audio"), (9, "")]
)
def test_contents(kind: int, content: str) -> None:
    (found,) = told([{3: {0: ("Uint8", kind), 1: {}}}]).inputs
    assert (found.content, found.color_space) == (content, "")


def test_outputs_of_a_detector_keep_the_models_order() -> None:
    outputs = [
        {0: "location", 3: {0: ("Uint8", modelfile.BOX), 1: {}}},
        {0: "category", 6: [file("map.txt", modelfile.VALUE_LABELS)]},
        {0: "score", 4: [unit(modelfile.THRESHOLDING, {0: ("Float32", 0.5)})]},
        {0: "number of detections", 3: {0: ("Uint8", FEATURE), 1: {}}},
    ]
    found = told([], outputs)
    assert [output.name for output in found.outputs] == ["location", "category", "score", "number of detections"]
    assert [output.content for output in found.outputs] == ["bounding box", "", "", "feature"]
    assert found.outputs[1].labels == (LabelFile("map.txt", "", True),)
    assert [output.score_threshold for output in found.outputs] == [None, None, 0.5, None]
    assert (found.score_threshold, found.files) == (0.5, ("map.txt",))


def test_label_files_have_locales_and_others_are_no_labels() -> None:
    files = [file("words.txt", 5), file("labels_en.txt", locale="en"), file("labels_de.txt", locale="de-AT")]
    found = told([], [{6: files}])
    assert found.outputs[0].labels == (LabelFile("labels_en.txt", "en"), LabelFile("labels_de.txt", "de-AT"))
    assert found.files == ("words.txt", "labels_en.txt", "labels_de.txt")


def test_what_the_graph_says_of_all_tensors_yields_to_what_one_says_itself() -> None:
    graph = {
        4: [file("all.txt")],
        5: [unit(modelfile.NORMALIZATION, {0: [1.0], 1: [2.0]})],
        6: [unit(modelfile.THRESHOLDING, {0: ("Float32", 0.25)})],
    }
    outputs = [{0: "a"}, {6: [file("own.txt")], 4: [unit(modelfile.THRESHOLDING, {0: ("Float32", 0.75)})]}]
    found = told([{0: "plain"}, normalised([127.0], [128.0])], outputs, graph, {6: [file("whole.txt")]})
    assert [(image.mean, image.std) for image in found.inputs] == [((1.0,), (2.0,)), ((127.0,), (128.0,))]
    assert [output.labels[0].name for output in found.outputs] == ["all.txt", "own.txt"]
    assert [output.score_threshold for output in found.outputs] == [0.25, 0.75]
    assert found.files == ("whole.txt", "all.txt", "own.txt")


def test_calibration_names_its_file() -> None:
    options = {0: ("Uint8", 2), 1: ("Float32", 0.25)}
    files = [file("labels.txt"), file("curves.csv", modelfile.AXIS_CALIBRATION)]
    found = told([], [{4: [unit(modelfile.CALIBRATION, options)], 6: files}])
    assert found.outputs[0].calibration == Calibration("curves.csv", "inverse logistic", 0.25)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ({4: [unit(modelfile.CALIBRATION, {})]}, "wants scores calibrated and names no file that says how"),
        (
            {4: [unit(modelfile.CALIBRATION, {0: ("Uint8", 3)})]},
            "its score transformation is 3; known are 0, 1 and 2",
        ),
        ({4: [unit(modelfile.THRESHOLDING, {0: ("Float32", float("nan"))})]}, "its score threshold is nan"),
    ],
)
def test_scores_that_cannot_be_worked_out_are_told(output: Any, said: str) -> None:
    assert said in fails(modelfile.model(described([], [output])))


def test_process_unit_that_is_not_known_or_empty_is_passed_over() -> None:
    (found,) = told([{4: [unit(6, {}), {0: ("Uint8", 1)}]}]).inputs
    assert found == TensorInfo()


@pytest.mark.parametrize(
    ("mean", "std"),
    [([1.5, 2.5, 3.5], [0.5, 0.25, 0.125]), ([0.0], [1.0]), ([1.0], []), ([], [2.0]), ([1.0, 2.0], [1.0])],
)
def test_mean_and_std_are_read_as_they_are(mean: list[float], std: list[float]) -> None:
    (found,) = read(modelfile.model(modelfile.metadata(mean, std))).inputs
    assert (found.mean, found.std) == (tuple(mean), tuple(std))


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        ([1.0], [0.0]),
        ([1.0] * 3, [1.0, 0.0, 1.0]),
        ([float("nan")], [1.0]),
        ([1.0], [float("inf")]),
        ([1.0] * 3, [1.0] * 4),
    ],
)
def test_normalisation_that_is_none_is_told(mean: list[float], std: list[float]) -> None:
    assert "are no normalisation of a tensor's channels" in fails(modelfile.model(modelfile.metadata(mean, std)))


def test_image_is_the_first_input_that_is_one() -> None:
    assert image_input(told([{0: "mask"}, normalised([1.0], [2.0])]).inputs).mean == (1.0,)  # type: ignore[union-attr]
    assert image_input((TensorInfo("a"), TensorInfo("b"))) == TensorInfo("a")
    assert image_input(()) is None


def test_other_identifier_is_told() -> None:
    assert "identifier is b'M002', not M001" in fails(modelfile.model(modelfile.metadata(identifier=b"M002")))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({0: "x" * 1001}, "a text in it has 1,001 bytes, more than 1,000"),
        ({5: "x" * 100_001}, "a text in it has 100,001 bytes, more than 100,000"),
    ],
)
def test_texts_have_limits(fields: Any, said: str) -> None:
    assert said in fails(modelfile.model(described(about=fields)))


def test_long_licence_is_read() -> None:
    assert told(about={5: "x" * 100_000}).license == "x" * 100_000


def test_vector_that_announces_too_much_is_told() -> None:
    packed = bytearray(PACKED)
    place = PACKED.index(bytes.fromhex("00000043")) - 4  # the length before the std, 128.0 as float32
    packed[place : place + 4] = (100_001).to_bytes(4, "little")
    assert "announces 100,001 entries, more than 100,000" in fails(modelfile.model(bytes(packed)))


def test_metadata_that_is_too_large_is_not_copied() -> None:
    data = bytearray(modelfile.model(bytes(16_000_001)))
    assert "it has 16,000,001 bytes, more than 16,000,000" in fails(bytes(data))


def test_table_that_very_many_outputs_share_is_refused_soon() -> None:
    """A small file that would take long: each of its outputs is the same one, of a thousand process units."""
    units = [unit(modelfile.NORMALIZATION, {0: [1.0], 1: [2.0]})] * 1000
    data = modelfile.model(modelfile.repeated(60_000, {4: units}))
    assert len(data) < 400_000
    begun = time.perf_counter()
    assert "it leads to more tables, numbers and texts than any model has" in fails(data)
    assert time.perf_counter() - begun < 5


def test_as_many_outputs_as_a_model_has_are_read() -> None:
    assert len(read(modelfile.model(modelfile.repeated(1000, {0: "scores"}))).outputs) == 1000


def test_metadata_behind_the_flatbuffer_is_read() -> None:
    """As in a file of more than 2 GB: the buffer says where in the file it is, and how long."""
    whole = modelfile.model_with_outside(PACKED)
    assert read(whole).inputs[0].mean == (127.0,)
    assert "its identifier is b'', not M001" in fails(whole[: -len(PACKED) + 3])


def survives(data: bytes) -> bool:
    """Return whether ``data`` could be read; anything but ModelUnavailable fails the test."""
    try:
        for output in read(data).outputs:
            for named in output.labels:
                labels.packed(data, named.name)
    except ModelUnavailable:
        return False
    return True


def test_every_truncation_and_every_byte_of_a_small_model() -> None:
    refused = sum(not survives(MODEL[:length]) for length in range(len(MODEL)))
    assert refused > len(MODEL) / 2
    for place in range(len(MODEL)):
        for value in (0x00, 0x01, 0x7F, 0x80, 0xFF, MODEL[place] ^ 0x10):
            survives(MODEL[:place] + bytes([value]) + MODEL[place + 1 :])


def test_pairs_of_changed_bytes_of_a_small_model() -> None:
    dice = random.Random(11)
    for _ in range(20_000):
        mutant = bytearray(MODEL)
        for _ in range(dice.randrange(2, 9)):
            mutant[dice.randrange(len(mutant))] = dice.choice((0, 1, 4, 127, 128, 255, dice.randrange(256)))
        survives(bytes(mutant))


def test_metadata_of_the_real_model_truncated_and_changed(models: Path) -> None:
    data = (models / "efficientnet-lite0" / "model.tflite").read_bytes()
    packed = buffer(data)
    start, dice, slowest = data.index(packed), random.Random(3), 0.0
    assert packed[4:8] == b"M001"
    for number in range(600):
        mutant = bytearray(data)
        if number % 3 == 0:  # the file's own root, tables and metadata entries stand at its two ends
            mutant[dice.choice((dice.randrange(4096), dice.randrange(-65_536, 0)))] ^= 1 << dice.randrange(8)
        elif number % 3 == 1:
            mutant[start + dice.randrange(len(packed))] ^= 1 << dice.randrange(8)
        else:
            del mutant[dice.choice((dice.randrange(len(data)), start + dice.randrange(len(packed)))) :]
        begun = time.perf_counter()
        survives(bytes(mutant))
        slowest = max(slowest, time.perf_counter() - begun)
    assert slowest < 2


def test_nothing_but_noise() -> None:
    dice = random.Random(2)
    for length in (0, 1, 3, 4, 7, 8, 64, 500):
        for _ in range(200):
            survives(dice.randbytes(length))
