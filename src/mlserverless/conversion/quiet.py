"""What converters write to the standard streams, kept out of sight and at hand where they fail."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlserverless.conversion.problem import ConversionError, Missing, Misused

LAST = 5  # lines that are told
# Before they are imported: TensorFlow's C++ logs, its oneDNN notice, tokenizers' warning of forks.
VARIABLES = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "TOKENIZERS_PARALLELISM": "false"}


@contextmanager
def noise(log: Path) -> Iterator[None]:
    """Send both standard streams, with what libraries write to them past Python, to the file ``log``.

    A conversion that fails in the block gets the log's last lines as a note. Warnings are left out.
    """
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    saved = [os.dup(1), os.dup(2)]
    with log.open("ab") as file:
        try:
            for number in (1, 2):
                os.dup2(file.fileno(), number)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except ConversionError as error:
            if not isinstance(error, Misused | Missing) and (last := tail(log)):
                error.add_note(last)
            raise
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            for number, descriptor in zip((1, 2), saved, strict=True):
                os.dup2(descriptor, number)
                os.close(descriptor)


def tail(log: Path) -> str:
    """Return the last lines of ``log`` that say something, for an error's note."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    return "\n".join([line for line in lines if line][-LAST:])
