"""TFLite metadata: as a whole file, as the buffer inside a good one, and as the archive behind one."""

import atheris

from security.fuzzers.common import fuzz

with atheris.instrument_imports(include=["mlserverless", "zipfile"]):
    from helpers import modelfile
    from mlserverless import metadata
    from mlserverless.errors import ModelUnavailable

PACKED = modelfile.metadata([127.0], [128.0], "labels.txt")
WHOLE = modelfile.model(PACKED, {"labels.txt": b"cat\ndog\n"})
BARE = modelfile.model(PACKED)
SEEDS = (
    b"\x00" + WHOLE,
    b"\x00" + modelfile.model(),
    b"\x01" + PACKED,
    b"\x01" + modelfile.metadata([1.0, 2.0, 3.0], [1.0] * 3),
    b"\x02" + WHOLE[len(BARE) :],
    b"\x03cat\n dog\r\n\n",
)


def test(data: bytes) -> None:
    """Try ``data`` as what its first byte picks."""
    way, rest = data[0] % 4 if data else 0, data[1:]
    if way == 3:
        labels = metadata.parse_labels(rest.decode("utf-8", "replace"))
        assert labels
        assert all(label == label.strip() and "\n" not in label for label in labels), labels
        return
    model = (rest, b"", BARE + rest)[way] if way != 1 else modelfile.model(rest)
    try:
        found = metadata.read(model)
    except ModelUnavailable:
        return
    assert {len(found.mean), len(found.std)} <= {0, 1, 3}, found
    assert all(found.std), found


if __name__ == "__main__":
    fuzz(test, SEEDS)
