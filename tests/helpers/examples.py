"""The examples in the documents: what stands in their fenced blocks, run or read as a reader would.

A page's Python is one script and its commands one shell session, in a folder that :func:`world` furnishes. What is
put in the place of what a page says, and nothing else:

- ``https://example.com/…`` and ``https://images.example.com/…`` are an origin on this machine;
- a block of Python that begins with ``# NAME.py`` is that file, too;
- port 8080 is one that is free, ``/tmp/results`` a folder of its own;
- a budget of milliseconds is a hundred times as large, since other things run here;
- ``mlserverless serve`` runs in the background, as in the second terminal that a page tells to open;
- ``pip install`` checks that the extras exist, since they are installed.

A comment on the line before a block says why it is not run, or when: ``<!-- not run: REASON -->`` with one of
``REASONS`` or the target that runs it, ``run by make …``; or ``<!-- slow -->``, which the shortened form leaves
out. ``<!-- examples: REASON -->`` is for a whole page, ``<!-- printed -->`` before a block of text that the page's
Python prints. What is not run is looked through: the shell has to take it, and ``mlserverless`` every option.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from helpers import onnxmodel, pages
from mlserverless import model_toml
from mlserverless.config import Settings
from mlserverless.errors import MlserverlessError
from mlserverless.measure import prices

ROOT = Path(__file__).parents[2]
REASONS = (
    "needs a cloud account",
    "needs the network",
    "needs root",
    "needs a framework",
    "shows the shape only",
    "writes into the checkout",
)
FENCED = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*?) -->\n\n?)?^```(?P<kind>\w+)[^\n]*\n(?P<text>.*?)^```$", re.S | re.M
)
OWN = re.compile("slow$|not run: ")
HOSTS = re.compile(r"https://(?:images\.)?example\.com/")
BACKGROUND = """
serve() {
    test -z "${SERVING:-}" || { kill $SERVING; wait $SERVING 2> /dev/null; }
    mlserverless serve --port PORT "$@" > serve.log 2>&1 &
    SERVING=$!
    for _ in $(seq 300); do
        grep -q 'answers at' serve.log && break
        kill -0 $SERVING 2> /dev/null || break
        sleep 0.1
    done
    cat serve.log
    grep -q 'answers at' serve.log
}
"""


class Example(NamedTuple):
    """A fenced block: its page, the line that it begins at, its kind, its text, and the mark before it."""

    page: Path
    line: int
    kind: str
    text: str
    mark: str

    @property
    def where(self) -> str:
        """Page and line."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def reason(self) -> str:
        """Why it is not run, or ""."""
        return self.mark.removeprefix("not run: ") if self.mark.startswith("not run: ") else ""

    @property
    def slow(self) -> bool:
        """Whether only the whole form runs it."""
        return self.mark == "slow"


def found(page: Path) -> list[Example]:
    """Return the examples of a page, in order; blocks of text and SQL show something, and are none."""
    text = page.read_text(encoding="utf-8")
    whole = re.search(r"^<!-- examples: (.*) -->$", text, re.M)
    all_of_it = f"not run: {whole[1]}" if whole else ""
    return [
        Example(page, text.count("\n", 0, block.start("kind")) + 1, block["kind"], block["text"], mark)
        for block in FENCED.finditer(text)
        if block["kind"] in {"python", "console", "sh", "toml", "json", "yaml"}
        for mark in [block["mark"] if OWN.match(block["mark"] or "") else all_of_it]
    ]


def document() -> list[Path]:
    """Return the pages whose examples count."""
    tops = [ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md")]
    return [*tops, *sorted(ROOT.glob("adapters/*/README.md")), *sorted(ROOT.glob("docs/**/*.md"))]


def known(reason: str) -> bool:
    """Tell whether that is a reason for not running an example."""
    return reason in REASONS or reason.startswith("run by make ")


def commands(example: Example) -> list[pages.Command]:
    """Return the commands of an example, with a prompt before each or without."""
    return pages.commands(f"```console\n{_session(example.text)}```\n")


def placed(text: str, origin: str, port: int) -> str:
    """Return an example's text with what this machine has in the place of what the page says."""
    text = re.sub(r"--budget (\d+)ms", r"--budget \g<1>00ms", text)
    return HOSTS.sub(origin, text).replace("8080", str(port))


def world(folder: Path) -> None:
    """Furnish ``folder`` with what the pages take for granted: photos, models, lists, a notebook's remains."""
    photos = ROOT / "examples/photos"
    shutil.copy(photos / "flower.jpg", folder / "photo.jpg")
    for name, photo in {"cat.jpg": "chelsea.png", "dog.png": "coffee.png", "boat.jpg": "rocket.jpg"}.items():
        shutil.copy(photos / photo, folder / name)
    shutil.copytree(photos, folder / "photos", ignore=shutil.ignore_patterns("*.md"))
    for name in ("mine", "birds"):
        shutil.copytree(ROOT / "models/dogs-vs-cats", folder / "models" / name)
    shutil.copy(ROOT / "models/dogs-vs-cats/model.tflite", folder / "mine.tflite")
    shutil.copy(ROOT / "models/dogs-vs-cats/model.tflite", folder / "model.tflite")
    shutil.copytree(ROOT / "models/dogs-vs-cats", folder / "models/dogs-vs-cats")
    flowers = folder / "models/flowers"
    flowers.mkdir()
    (flowers / "model.onnx").write_bytes(onnxmodel.classifier((1, 3, 64, 64)))
    (flowers / "model.toml").write_text('name = "flowers"\n[input]\nrange = "unit"\n')
    _commands(folder / "bin")


def _commands(folder: Path) -> None:
    """Write the commands that stand in for others."""
    pip = """
import importlib.metadata, re, sys
known = set(importlib.metadata.metadata("mlserverless").get_all("Provides-Extra"))
assert sys.argv[1] == "install", sys.argv
wanted = [one for text in sys.argv[2:] for one in re.findall(r"\\[(.*)\\]", text)]
unknown = {name for names in wanted for name in names.split(",")} - known
sys.exit(f"there are no extras {unknown}" if unknown else 0)
"""
    folder.mkdir()
    script = folder / "pip"
    script.write_text(f"#!{sys.executable}{pip}")
    script.chmod(0o755)
    for tool in ("sam", "az", "gcloud", "docker"):  # only looked for, never run
        (folder / tool).write_text('#!/bin/sh\necho "$0 is not to be run" >&2; exit 1\n')
        (folder / tool).chmod(0o755)


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a page's commands in ``folder``: this Python's commands, private addresses."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLSERVERLESS", "PYTHON"))}
    path = os.pathsep.join((str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]))
    return {**kept, "PATH": path, "MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES": "true", "COLUMNS": "100"}


def shell(examples: list[Example], folder: Path, origin: str, port: int) -> list[str]:
    """Type the commands of ``examples``, all of one page, into one shell in ``folder``; return what was wrong."""
    (folder / "bin/functions").write_text(BACKGROUND.replace("PORT", str(port)))
    blocks, places = ["```console\n$ . bin/functions\n```\n"], [examples[0].where]
    for example in examples:
        text = placed(example.text, origin, port).replace("/tmp/results", str(folder / "results"))
        block = "```console\n" + SERVE.sub(r"$ \1serve\2", _session(text)) + "```\n"
        blocks.append(block)
        places += [example.where] * len(pages.commands(block))
    told = []
    for where, one in zip(places, pages.typed("".join(blocks), folder, environment(folder)), strict=True):
        if one.code is None:
            told.append(f"{where}: {one.command.text!r} was not come to")
        elif one.code != one.command.code:
            told.append(f"{where}: {one.command.text!r} ended with {one.code}: {one.printed[-600:]}")
        else:
            told += [f"{where}: {one.command.text!r} did not print {line!r}" for line in one.missing]
    return told


SERVE = re.compile(r"^\$ ((?:\w+=\S+ )*)mlserverless serve\b(.*?)( &)?( +#.*)?$", re.M)


def _session(text: str) -> str:
    """Return commands with a prompt before each: a line each, unless a backslash, a pipe or an indent goes on."""
    if re.search(r"^\$ ", text, re.M):
        return text
    lines: list[str] = []
    for line in text.splitlines():
        if lines and lines[-1].endswith("\\"):
            lines.append(line)
        elif lines and (lines[-1].endswith(("|", "&&")) or line.startswith((" ", "}"))):
            lines[-1] += f" {line.strip()}"
        elif line.strip() and not line.startswith("#"):
            lines.append(f"$ {line}")
    return "".join(f"{line}\n" for line in lines)


# What the reader of a page has in the notebook already.
NOTEBOOK = {
    "certify-a-model": """
import numpy as np
from PIL import Image
from mlserverless import load_lite_model

class_names = ["dog"]
interpreter, inputs, outputs = load_lite_model("models/mine/model.tflite")

def preprocess(paths):
    pixels = [Image.open(path).convert("RGB").resize((150, 150), Image.Resampling.NEAREST) for path in paths]
    return np.stack([np.asarray(image) for image in pixels]).astype(np.float32) / 255

class model:
    @staticmethod
    def predict(x):
        answers = []
        for row in x:
            interpreter.set_tensor(inputs[0]["index"], row[None])
            interpreter.invoke()
            answers.append(interpreter.get_tensor(outputs[0]["index"])[0])
        return np.stack(answers)

y = model.predict(preprocess(["cat.jpg", "dog.png", "boat.jpg"]))
"""
}


def script(examples: list[Example], folder: Path, origin: str, port: int) -> list[str]:
    """Run the Python of ``examples``, all of one page, as one script in ``folder``; return what was wrong."""
    text = NOTEBOOK.get(examples[0].page.stem, "") + "\n".join(placed(one.text, origin, port) for one in examples)
    for one in examples:
        if named := re.match(r"# (\w+\.py)\n", one.text):
            (folder / named[1]).write_text(one.text, encoding="utf-8")
    (folder / "page.py").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "page.py"],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        return [f"{examples[0].where}: {done.stderr[-600:]}"]
    shown = PRINTED.findall(examples[0].page.read_text(encoding="utf-8"))
    return [
        f"{examples[0].where}: printed {done.stdout!r}, not {one!r}" for one in shown if one not in done.stdout
    ]


# What a page's Python prints, as the page shows it.
PRINTED = re.compile(r"^<!-- printed -->\n```text\n(.*?)^```$", re.M | re.S)


def validated(example: Example) -> str:
    """Return what is wrong with an example of TOML, JSON or YAML, or ""."""
    try:
        reader = tomllib.loads if example.reason and example.kind == "toml" else READERS[example.kind]
        reader(example.text)
    except (ValueError, KeyError, TypeError, yaml.YAMLError, MlserverlessError) as error:
        return f"{example.where}: {error}"
    return ""


def _json(text: str) -> None:
    """Read one document, or one a line."""
    decoder, rest = json.JSONDecoder(), text.strip()
    while rest:
        _, end = decoder.raw_decode(rest)
        rest = rest[end:].strip()


def _toml(text: str) -> None:
    """Read a model.toml, a price file, a settings file or a part of a pyproject.toml."""
    table = tomllib.loads(text)
    if "tool" in table:
        table = table["tool"]["mlserverless"]
    if set(table) <= {"aws", "azure", "gcp"}:
        for provider in table:
            _priced(text, provider)
    elif set(table) <= set(Settings._fields):
        Settings(**table)
    else:
        _model(model_toml.parse(text.encode(), "model.toml"))


def _model(table: dict[str, Any]) -> None:
    """Read what a model.toml says, with preset, layout and range as they are together."""
    model_toml.read_task(table, "model.toml")
    model_toml.read_input(table.get("input", {}), "model.toml")
    model_toml.read_output(table.get("output", {}), "model.toml")
    model_toml.read_delegates(table.get("delegates", []), "model.toml")


def _priced(text: str, provider: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(text)
        file.flush()
        prices.read(provider, Path(file.name))


READERS: dict[str, Callable[[str], Any]] = {
    "json": _json,
    "toml": _toml,
    "yaml": lambda text: [*yaml.safe_load_all(text)],
}
