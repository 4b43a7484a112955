"""TFLite metadata: what is written is read, and whatever is damaged is read or refused, never anything else."""

import struct
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from helpers import modelfile
from mlserverless.errors import ModelUnavailable
from mlserverless.metadata import Metadata, parse_labels, read

PACKED = modelfile.metadata([127.0], [128.0], "labels.txt")
MODEL = modelfile.model(PACKED, {"labels.txt": b"cat\ndog\n"})

labels = st.lists(
    st.text(st.characters(codec="utf-8", blacklist_categories=("Cc", "Z")), min_size=1, max_size=8),
    min_size=1,
    max_size=20,
)
means = st.floats(width=32, allow_nan=False, allow_infinity=False)
stds = means.filter(lambda number: number != 0)
normalisations = st.sampled_from([1, 3]).flatmap(
    lambda n: st.tuples(st.lists(means, min_size=n, max_size=n), st.lists(stds, min_size=n, max_size=n))
)
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
    with suppress(ModelUnavailable):
        return read(data)
    return Metadata()


@given(normalisations, labels)
def test_what_is_written_is_read(scale: tuple[list[float], list[float]], names: list[str]) -> None:
    packed = modelfile.metadata(*scale, "labels.txt")
    data = modelfile.model(packed, {"labels.txt": "\n".join(names).encode()})
    assert read(data) == Metadata(tuple(scale[0]), tuple(scale[1]), tuple(names))


@given(labels, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_labels_are_the_lines(names: list[str], end: str, ended: bool) -> None:
    assert parse_labels(end.join(names) + end * ended) == tuple(names)


@given(st.text(max_size=60))
def test_any_text_has_as_many_labels_as_lines(text: str) -> None:
    found = parse_labels(text)
    assert len(found) == max(1, text.count("\n") + (not text.endswith("\n")))
    assert all(label == label.strip() for label in found)


@given(edits, st.integers(0, len(MODEL)))
def test_a_damaged_model_is_read_or_refused(changes: list[tuple[int, bytes]], length: int) -> None:
    data = bytearray(MODEL)
    for at, run in changes:
        data[at : at + len(run)] = run
    for found in (outcome(bytes(data)), outcome(bytes(data[:length])), outcome(bytes(data[length:]))):
        assert {len(found.mean), len(found.std)} <= {0, 1, 3}
        assert all(found.std)


@given(st.integers(0, len(PACKED) - 1), st.binary(min_size=1, max_size=8))
def test_a_damaged_buffer_in_a_good_model_is_read_or_refused(at: int, run: bytes) -> None:
    outcome(modelfile.model(PACKED[:at] + run + PACKED[at + len(run) :], {"labels.txt": b"cat\ndog\n"}))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for file in (data, b"\x1c\0\0\0TFL3" + data, modelfile.model(data), modelfile.model(PACKED) + data):
        outcome(file)
