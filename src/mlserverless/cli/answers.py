"""How every command answers a program: one JSON document on the standard output; and how it ends otherwise."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from mlserverless.cli.progress import say
from mlserverless.cli.suggest import better

JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead.")


def show(document: Any) -> None:
    """Print ``document`` as JSON."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def stop(error: Exception, code: int, name: str = "") -> SystemExit:
    """Return what ends the command with ``code``, having told ``error`` with what was probably meant.

    ``name``: what is put before it, the error's own problem code where there is none.
    """
    begin = name or getattr(error, "code", "") or getattr(error, "problem", "")
    told = better(f"{begin}: {error}" if begin else str(error))
    say("\n".join([told, *getattr(error, "__notes__", ())]), "red")
    return SystemExit(code)


@contextmanager
def aside(wanted: bool) -> Iterator[None]:
    """Let what other programs print on the standard output go to the standard error, where that is ``wanted``."""
    if not wanted:
        yield
        return
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
