"""What converters write is kept in a file, and told where they fail."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlserverless.conversion.problem import ConversionError, Misused
from mlserverless.conversion.quiet import noise


def test_streams_go_to_the_log(tmp_path: Path) -> None:
    """In a process whose standard streams are its own: pytest's are not those of Python's ``sys``."""
    code = (
        "import os, sys, warnings; from pathlib import Path; from mlserverless.conversion.quiet import noise\n"
        "print('before')\n"
        "with noise(Path(sys.argv[1])):\n"
        "    print('by Python'); os.write(2, b'past Python\\n'); warnings.warn('of no interest')\n"
        "print('after')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "log")], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("before\nafter\n", "")
    assert sorted((tmp_path / "log").read_text().splitlines()) == ["by Python", "past Python"]


def failing(log: Path, error: ConversionError) -> None:
    with noise(log):
        os.write(1, b"1\n2\n\n3\n4\n5\n6\n")
        raise error


def test_a_failure_tells_the_last_lines(tmp_path: Path) -> None:
    with pytest.raises(ConversionError) as told:
        failing(tmp_path / "log", ConversionError("it failed"))
    assert told.value.__notes__ == ["2\n3\n4\n5\n6"]


def test_what_is_misused_needs_no_log(tmp_path: Path) -> None:
    with pytest.raises(Misused) as told:
        failing(tmp_path / "log", Misused("it is not there"))
    assert not hasattr(told.value, "__notes__")
