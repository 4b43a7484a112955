"""TFLite metadata: as a whole file, as the buffer inside a good one, and as the archive behind one."""

from contextlib import suppress

import atheris

from security.fuzzers.common import fuzz

with atheris.instrument_imports(include=["mlserverless", "zipfile"]):
    from helpers import modelfile
    from helpers.described import whole
    from mlserverless.errors import ModelUnavailable
    from mlserverless.metadata import labels

PACKED = modelfile.everything()
BARE = modelfile.model(PACKED)
WHOLE = modelfile.model(PACKED, modelfile.FILES)
SEEDS = (
    b"\x00" + WHOLE,
    b"\x00" + modelfile.model(),
    b"\x00" + modelfile.model_with_outside(PACKED, modelfile.FILES),
    b"\x01" + PACKED,
    b"\x01" + modelfile.metadata([1.0, 2.0, 3.0], [1.0] * 3),
    b"\x02" + WHOLE[len(BARE) :],
    b"\x03cat\n dog\r\n\n",
)


def test(data: bytes) -> None:
    """Try ``data`` as what its first byte picks."""
    way, rest = data[0] % 4 if data else 0, data[1:]
    if way == 3:
        lines = labels.parse(rest.decode("utf-8", "replace"))
        assert lines
        assert all(label == label.strip() and "\n" not in label for label in lines), lines
        return
    model = (rest, b"", BARE + rest)[way] if way != 1 else modelfile.model(rest, modelfile.FILES)
    with suppress(ModelUnavailable):
        whole(model)


if __name__ == "__main__":
    fuzz(test, SEEDS)
