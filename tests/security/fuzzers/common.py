"""What the harnesses share: seeds written to a temporary folder, and the loop started."""

import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import atheris


def fuzz(test: Callable[[bytes], None], seeds: Iterable[bytes]) -> None:
    """Feed ``test`` mutations of ``seeds`` until libFuzzer's options, given as arguments, say stop.

    Whatever ``test`` raises is a finding. The folder of seeds stays: libFuzzer ends the process itself.
    """
    folder = Path(tempfile.mkdtemp(prefix="seeds-"))
    for i, seed in enumerate(seeds):
        (folder / str(i)).write_bytes(seed)
    atheris.Setup([*sys.argv, str(folder)], test)
    atheris.Fuzz()
