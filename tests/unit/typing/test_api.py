"""The public API is pinned: its signatures as text, and its types as a checker finds them.

After a wanted change, which docs/reference/versions.md says what it asks for:
python tests/unit/typing/test_api.py
"""

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from types import FunctionType

import mlserverless
from mlserverless import errors

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SURFACE = HERE / "api.txt"
SAMPLE = HERE / "sample.py"


def surface() -> str:
    """Return every public name, a line each: signatures, fields with their defaults, methods, problem codes."""
    names = [name for name in mlserverless.__all__ if name != "__version__"]
    lines = [line for name in names for line in _told(name, getattr(mlserverless, name))]
    for name, kind in sorted(vars(errors).items()):
        if isinstance(kind, type) and issubclass(kind, errors.MlserverlessError):
            bases = ", ".join(base.__name__ for base in kind.__bases__)
            lines.append(f"errors.{name}({bases}): {kind.code} {kind.status}")
    return "\n".join(lines) + "\n"


def _told(name: str, value: object) -> Iterator[str]:
    if not isinstance(value, type):
        yield f"{name}{_signature(value)}"
        return
    fields = getattr(value, "_fields", ())
    if not fields:
        begun = isinstance(value.__init__, FunctionType)  # type: ignore[misc]
        yield f"{name}{_signature(value)}" if begun else f"{name}: an exception"
    annotations, defaults = inspect.get_annotations(value), getattr(value, "_field_defaults", {})
    for field in fields:
        default = f" = {defaults[field]!r}" if field in defaults else ""
        yield f"{name}.{field}: {_annotation(annotations[field])}{default}"
    for member, held in vars(value).items():
        if member.startswith("_") or member in fields:
            continue
        if isinstance(held, property):
            returned = inspect.get_annotations(held.fget)["return"]  # type: ignore[arg-type]
            yield f"{name}.{member}: {_annotation(returned)}"
        elif isinstance(held, FunctionType | classmethod):
            yield f"{name}.{member}{_signature(getattr(value, member))}"


def _annotation(value: object) -> str:
    return _plain(value if isinstance(value, str) else inspect.formatannotation(value))


def _signature(value: object) -> str:
    text = str(inspect.signature(value))  # type: ignore[arg-type]
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)  # annotations that are written as text
    return _plain(re.sub(r"= <(?:built-in )?function .*?>(?=[,)])", "= ...", text))


def _plain(text: str) -> str:
    """Return annotations without the modules that names are from."""
    return re.sub(r"\b(?:mlserverless\.\w+|collections\.abc|typing)\.", "", text)


def mypy(*files: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", ".cache/mypy-api"]
    return subprocess.run([*command, *map(str, files)], cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_signatures_are_those_that_were_released() -> None:
    assert surface() == SURFACE.read_text(encoding="utf-8"), __doc__


def test_every_public_name_is_in_the_sample() -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    for name in mlserverless.__all__:
        assert len(re.findall(rf"\b{name}\b", text)) >= 2 or name == "__version__", name


def test_a_checker_finds_the_types_of_the_sample(tmp_path: Path) -> None:
    done = mypy(SAMPLE)
    assert done.returncode == 0, done.stdout
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "from mlserverless import Predictor, Score\n"
        'found = Predictor("x").predict(b"")\n'
        "found.predictons\n"
        'Score("cat", 0)\n'
        "scores: tuple[int, ...] = found.predictions\n"
    )
    done = mypy(wrong)
    assert done.returncode == 1
    assert len(re.findall(r"^\S+:[345]: error:", done.stdout, re.M)) == 3, done.stdout


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(mlserverless.__file__).parent / "py.typed").is_file()
    assert "Typing :: Typed" in (distribution("mlserverless").metadata.get_all("Classifier") or [])


if __name__ == "__main__":
    SURFACE.write_text(surface(), encoding="utf-8")
