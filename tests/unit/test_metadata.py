"""TFLite metadata, written by the flatbuffers package and read by ours; and what corrupt ones come to."""

import io
import random
import time
import zipfile
from pathlib import Path

import pytest

from helpers import modelfile
from mlserverless import metadata
from mlserverless.errors import ModelUnavailable
from mlserverless.metadata import Metadata, parse_labels, read

PACKED = modelfile.metadata([127.0], [128.0], "labels.txt")
MODEL = modelfile.model(PACKED, {"labels.txt": b"cat\ndog\n"})


def fails(data: bytes) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        read(data)
    assert str(caught.value).startswith("The model's TFLite metadata is corrupt: ")
    return str(caught.value)


def test_real_models_metadata_is_its_range_and_labels(models: Path) -> None:
    data = (models / "efficientnet-lite0" / "model.tflite").read_bytes()
    labels = (models / "efficientnet-lite0" / "labels.txt").read_text().splitlines()
    assert read(data) == Metadata((127.0,), (128.0,), tuple(labels))


def test_model_without_metadata_has_none(models: Path) -> None:
    assert read((models / "dogs-vs-cats" / "model.tflite").read_bytes()) == Metadata()
    assert read(modelfile.model()) == Metadata()


def test_what_another_writer_wrote_is_read() -> None:
    assert read(MODEL) == Metadata((127.0,), (128.0,), ("cat", "dog"))


@pytest.mark.parametrize(
    ("mean", "std"), [([1.5, 2.5, 3.5], [0.5, 0.25, 0.125]), ([0.0], [1.0]), ([1.0], []), ([], [2.0])]
)
def test_mean_and_std_are_read_as_they_are(mean: list[float], std: list[float]) -> None:
    assert read(modelfile.model(modelfile.metadata(mean, std))) == Metadata(tuple(mean), tuple(std))


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        ([1.0], [0.0]),
        ([1.0] * 3, [1.0, 0.0, 1.0]),
        ([float("nan")], [1.0]),
        ([1.0], [float("inf")]),
        ([1.0, 2.0], [1.0]),
        ([1.0], [1.0] * 4),
    ],
)
def test_normalisation_that_is_none_is_told(mean: list[float], std: list[float]) -> None:
    assert "are no normalisation of RGB pixels" in fails(modelfile.model(modelfile.metadata(mean, std)))


def test_empty_metadata_says_nothing() -> None:
    assert read(modelfile.model(modelfile.metadata())) == Metadata()


def test_other_identifier_is_told() -> None:
    assert "identifier is b'M002', not M001" in fails(modelfile.model(modelfile.metadata(identifier=b"M002")))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "the label file 'labels.txt' that it names cannot be read"),
        ({"other.txt": b"cat"}, "the label file 'labels.txt' that it names cannot be read"),
        ({"labels.txt": b"\xff\xfe"}, "codec can't decode"),
    ],
)
def test_labels_that_cannot_be_read_are_told(files: dict[str, bytes], said: str) -> None:
    assert said in fails(modelfile.model(PACKED, files))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 97])
def test_labels_packed_in_another_way_are_told_before_they_are_unpacked(method: int) -> None:
    # LZMA's own header says how much memory is taken, up to 4 GB, and its errors are of no class caught here.
    data = bytearray(MODEL)
    at = data.index(b"PK\x01\x02")
    data[at + 10 : at + 12] = method.to_bytes(2, "little")
    assert f"it is packed by method {method}, not stored or deflated" in fails(bytes(data))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_labels_that_are_stored_or_deflated_are_read(method: int) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", method) as out:
        out.writestr("labels.txt", "cat\ndog\n" * 100)
    assert read(modelfile.model(PACKED) + archive.getvalue()).labels == ("cat", "dog") * 100


def test_label_file_is_not_read_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "MAX_LABELS_BYTES", 7)
    assert "the label file 'labels.txt' is larger than 7 bytes" in fails(MODEL)
    monkeypatch.setattr(metadata, "MAX_LABELS_BYTES", 8)
    assert read(MODEL).labels == ("cat", "dog")


def test_name_of_a_file_has_a_limit() -> None:
    packed = modelfile.metadata(labels="x" * 1001)
    assert "a name in it has 1,001 bytes, more than 1,000" in fails(modelfile.model(packed))


def test_vector_that_announces_too_much_is_told() -> None:
    packed = bytearray(PACKED)
    place = PACKED.index(bytes.fromhex("00000043")) - 4  # the length before the std, 128.0 as float32
    packed[place : place + 4] = (100_001).to_bytes(4, "little")
    assert "announces 100,001 entries, more than 100,000" in fails(modelfile.model(bytes(packed)))


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("a\nb", ("a", "b")),
        ("a\nb\n", ("a", "b")),
        (" a \r\nb\r\n", ("a", "b")),
        ("a\n\nb", ("a", "", "b")),
        ("", ("",)),
    ],
)
def test_label_lines(text: str, labels: tuple[str, ...]) -> None:
    assert parse_labels(text) == labels


def survives(data: bytes) -> bool:
    """Return whether ``data`` could be read; anything but ModelUnavailable fails the test."""
    try:
        read(data)
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
    packed = metadata._metadata_buffer(data)
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
