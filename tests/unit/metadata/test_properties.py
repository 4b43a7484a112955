"""TFLite metadata: what is written is read, and whatever is damaged is read or refused, never anything else."""

import struct
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from helpers import graphs, modelfile
from helpers.described import whole
from helpers.graphs import Graph, T
from mlserverless.errors import ModelUnavailable
from mlserverless.metadata import calibration
from mlserverless.metadata.labels import choose, listed, packed, parse
from mlserverless.metadata.read import read
from mlserverless.metadata.records import LabelFile, Metadata
from mlserverless.metadata.write import write

PACKED = modelfile.everything()
MODEL = modelfile.model(PACKED, modelfile.FILES)
BARE = graphs.build(
    Graph(
        [T("x", (1, 2)), T("two", (1,), value=np.float32([2])), T("y", (1, 2))],
        [graphs.multiply("x", "two", "y")],
        ["x"],
        ["y"],
    )
)

names = st.lists(
    st.text(st.characters(codec="utf-8", blacklist_categories=("Cc", "Z")), min_size=1, max_size=8),
    min_size=1,
    max_size=20,
)
means = st.floats(width=32, allow_nan=False, allow_infinity=False)
stds = means.filter(lambda number: number != 0)
normalisations = st.sampled_from([1, 3, 4]).flatmap(
    lambda n: st.tuples(st.lists(means, min_size=n, max_size=n), st.lists(stds, min_size=n, max_size=n))
)
texts = st.text(st.characters(codec="utf-8"), max_size=40)
locales = st.from_regex(r"[a-z]{2}(-[A-Z]{2})?", fullmatch=True)
edits = st.lists(
    st.tuples(
        st.integers(0, len(MODEL) - 1),
        st.one_of(
            st.binary(min_size=1, max_size=8),
            st.sampled_from([0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 100_000]).map(lambda n: struct.pack("<I", n)),
        ),
    ),
    min_size=1,
    max_size=5,
)


def outcome(data: bytes) -> Metadata:
    """Return what is read of ``data``, empty where it is refused; every other exception fails the test."""
    try:
        return whole(data)
    except ModelUnavailable:
        return Metadata()


@given(normalisations, names)
def test_what_another_writer_wrote_is_read(scale: tuple[list[float], list[float]], labels: list[str]) -> None:
    buffer = modelfile.metadata(*scale, "labels.txt")
    text = "\n".join(labels).encode()
    data = modelfile.model(buffer, {"labels.txt": text})
    (image,) = read(data).inputs
    assert (image.mean, image.std) == (tuple(scale[0]), tuple(scale[1]))
    assert packed(data, "labels.txt") == tuple(labels)
    assert listed(data, "labels.txt", text)


@given(
    st.lists(texts, min_size=5, max_size=5),
    normalisations,
    names,
    st.sets(locales, max_size=3),
    st.none() | means,
    st.sampled_from(["rgb", "gray", ""]),
)
def test_what_is_written_is_read(
    about: list[str], scale: Any, labels: list[str], others: set[str], threshold: float | None, color: str
) -> None:
    told = dict(zip(("name", "description", "version", "author", "license"), about, strict=True))
    by_locale = {locale: [f"{label}.{locale}" for label in labels] for locale in others}
    mean, std = scale
    data = write(
        BARE,
        **told,
        mean=mean,
        std=std,
        minimum=mean,
        maximum=std,
        labels=labels,
        labels_by_locale=by_locale,
        score_threshold=threshold,
        color_space=color,
    )
    found = read(data)
    (image,), (scores,) = found.inputs, found.outputs
    assert found[:5] == tuple(about)
    assert (image.mean, image.std, image.minimum, image.maximum) == (*map(tuple, (mean, std, mean, std)),)
    assert (image.color_space, scores.score_threshold) == (color, threshold)
    for locale in ("", *others):
        file = choose(scores.labels, locale)
        assert file is not None
        assert packed(data, file.name) == tuple(by_locale[locale] if locale else labels)


@given(names, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_labels_are_the_lines(labels: list[str], end: str, ended: bool) -> None:
    assert parse(end.join(labels) + end * ended) == tuple(labels)


@given(st.text(max_size=60))
def test_any_text_has_as_many_labels_as_lines(text: str) -> None:
    found = parse(text)
    assert len(found) == max(1, text.count("\n") + (not text.endswith("\n")))
    assert all(label == label.strip() for label in found)


@given(edits, st.integers(0, len(MODEL)))
def test_a_damaged_model_is_read_or_refused(changes: list[tuple[int, bytes]], length: int) -> None:
    data = bytearray(MODEL)
    for at, run in changes:
        data[at : at + len(run)] = run
    for part in (bytes(data), bytes(data[:length]), bytes(data[length:])):
        outcome(part)
        assert listed(part, "labels.txt", modelfile.FILES["labels.txt"]) in (True, False)


@given(st.integers(0, len(PACKED) - 1), st.binary(min_size=1, max_size=8))
def test_a_damaged_buffer_in_a_good_model_is_read_or_refused(at: int, run: bytes) -> None:
    outcome(modelfile.model(PACKED[:at] + run + PACKED[at + len(run) :], modelfile.FILES))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for file in (data, b"\x1c\0\0\0TFL3" + data, modelfile.model(data), modelfile.model(PACKED) + data):
        outcome(file)


@given(st.binary(max_size=300))
def test_any_bytes_are_written_into_or_refused(data: bytes) -> None:
    for file in (data, BARE[:200] + data, BARE + data):
        try:
            assert read(write(file, name="m")).name == "m"
        except ModelUnavailable:
            assert not file.startswith(BARE)


@given(
    st.lists(means, min_size=1, max_size=9), st.sampled_from(["identity", "log", "inverse logistic"]), st.data()
)
def test_calibrated_scores_are_within_their_scale(scores: list[float], transformation: str, data: Any) -> None:
    near = st.floats(-100, 100)
    sigmoid = st.builds(calibration.Sigmoid, st.floats(0, 1), near, near)
    sigmoids = data.draw(st.lists(sigmoid, min_size=len(scores), max_size=len(scores)))
    found = calibration.apply(scores, calibration.Curves(tuple(sigmoids), transformation))
    assert all(0 <= score <= one.scale for score, one in zip(found, sigmoids, strict=True))


def test_the_good_one_is_read_whole() -> None:
    found = outcome(MODEL)
    assert found.outputs[0].labels == (LabelFile("labels.txt"), LabelFile("labels_de.txt", "de"))
    assert found.outputs[0].calibration is not None
    assert (found.score_threshold, found.inputs[0].default_size) == (0.25, (8, 16))
