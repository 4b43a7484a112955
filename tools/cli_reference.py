"""Write docs/reference/cli.md: every command's help, as it is.

Usage: python tools/cli_reference.py [--check]     (--check: end with 1 where the page is not what this writes)
"""
# ruff: noqa: E501 - a page's own lines

import sys
from importlib import import_module
from pathlib import Path

import click

from mlserverless import cli

PAGE = Path(__file__).parents[1] / "docs/reference/cli.md"
WIDTH = 96  # columns, of the help shown
HEAD = """# The command line

Every command's help, as `mlserverless COMMAND --help` prints it; `mlserverless help COMMAND` shows the same. This page is
written by `tools/cli_reference.py`, and a test holds it to the code.

## What all have in common

| | |
|---|---|
| what it is about | comes first, without an option: `predict photo.jpg`, `inspect MODEL`, `build CLOUD`, `conform URL` |
| `--model` | a model folder, a `.tflite` or `.onnx` file, or a bundled model's name; a URL, too, where it is served from |
| `CLOUD`, `--cloud`, `--on` | `aws`, `azure`, `gcp`, and `container` to build for or `wsgi` to run on: what it is made for, or whose runtime runs it |
| `--out`, `-o` | the file or folder that is written |
| `--json` | one JSON document on the standard output, and nothing else there; its keys are listed in each command's help. `predict` prints one object a line, `serve` one line once it answers |
| `--quiet`, `-q` | no progress and no notes |
| `--dry-run`, `--force` | nothing is changed; what is there is replaced |

Progress, notes and errors go to the standard error. A spinner and colours are shown on terminals only; in a pipe, long
commands leave a line for each step that took more than a second. `NO_COLOR` takes colours off, `FORCE_COLOR` puts them
into pipes, `TERM=dumb` has neither colours nor a spinner.

A name that there is not is told with the one that was probably meant: commands, options, clouds, bundled models, settings.
What is deprecated works, warns, and goes as [versions](versions.md) says.

## Completion

`eval "$(mlserverless completion bash)"` in `~/.bashrc`; zsh the same with `zsh`; for fish see below.
Commands, options, clouds, bundled models and files are completed.
"""


def page() -> str:
    """Return the page."""
    parts = [HEAD, _block("", "## mlserverless")]
    for stage, commands in cli.STAGES.items():
        parts.append(f"## {stage}\n")
        parts += [_block(name, f"### {name}") for name in commands]
    return "\n".join(parts)


def _block(name: str, heading: str) -> str:
    group = cli.group(click)
    with click.Context(group, info_name="mlserverless", terminal_width=WIDTH, max_content_width=WIDTH) as above:
        if not name:
            return f"{heading}\n\n```text\n{group.get_help(above)}\n```\n"
        found = getattr(import_module(f"mlserverless.cli.{name}"), name)
        with click.Context(found, info_name=name, parent=above) as inner:
            return f"{heading}\n\n```text\n{found.get_help(inner)}\n```\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(0 if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page() else f"{PAGE} is out of date")
    PAGE.write_text(page(), encoding="utf-8")
