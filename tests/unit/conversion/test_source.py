"""What a SOURCE is taken for, and what is said of what it cannot be."""

import sys
from pathlib import Path
from typing import Any

import pytest

from mlserverless.conversion.problem import Missing, Misused, need
from mlserverless.conversion.source import Source, recognise


@pytest.mark.parametrize(
    ("name", "framework"),
    [
        ("a.keras", "tensorflow"),
        ("a.H5", "tensorflow"),
        ("a.onnx", "onnx"),
        ("a.tflite", "tflite"),
        ("a.pt2", "torch"),
    ],
)
def test_files_by_their_suffix(tmp_path: Path, name: str, framework: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"12345")
    found = recognise(path)
    assert (found.framework, found.path, found.bytes, found.name) == (framework, path, 5, "a")


def test_a_saved_model_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(Misused, match=r"no saved_model\.pb"):
        recognise(str(tmp_path))
    (tmp_path / "saved_model.pb").write_bytes(b"123")
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "data").write_bytes(b"4567")
    found = recognise(str(tmp_path))
    assert (found.framework, found.bytes) == ("tensorflow", 7)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a.pkl", "pickle"),
        ("a.joblib", "pickle"),
        ("a.pth", "without the network"),
        ("a.skops", "skops"),
        ("a.txt", "none"),
    ],
)
def test_files_that_are_not_read(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(Misused, match=why):
        recognise(tmp_path / name)


@pytest.mark.parametrize("given", ["nothing.keras", "no/such:thing", "name:", ":name"])
def test_what_is_not_there(given: str) -> None:
    with pytest.raises(Misused, match="There is no"):
        recognise(given)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a module in the working directory."""
    (tmp_path / "sources_of_mine.py").write_text(
        "from sklearn.linear_model import LogisticRegression\n"
        "model = LogisticRegression()\n"
        "number = 7\n"
        "class Holder:\n    model = model\n"
        "def make():\n    return model\n"
        "def wrong():\n    return 'text'\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    monkeypatch.delitem(sys.modules, "sources_of_mine", raising=False)
    return "sources_of_mine"


@pytest.mark.parametrize("name", ["model", "make", "Holder.model"])
def test_objects_by_their_name(module: str, name: str) -> None:
    found = recognise(f"{module}:{name}")
    assert (found.framework, found.told, found.bytes) == ("sklearn", f"{module}:{name}", 0)
    assert type(found.thing).__name__ == "LogisticRegression"
    assert found.name == name.rpartition(".")[2]


@pytest.mark.parametrize(
    ("name", "why"), [("number", "of the type int"), ("wrong", "of the type str"), ("gone", "has no gone")]
)
def test_objects_that_are_no_models(module: str, name: str, why: str) -> None:
    with pytest.raises(Misused, match=why):
        recognise(f"{module}:{name}")


def test_a_module_that_cannot_be_imported() -> None:
    with pytest.raises(Misused, match=r"no_such_module cannot be imported"):
        recognise("no_such_module:model")


def test_an_object_itself() -> None:
    from sklearn.linear_model import LogisticRegression

    given: Any = LogisticRegression()
    assert recognise(given) == Source("sklearn", "LogisticRegression", thing=given)


def test_a_package_that_is_missing() -> None:
    with pytest.raises(
        Missing, match=r"no_such_package is not installed .*pip install \"mlserverless\[convert-torch\]\""
    ):
        need("no_such_package.inner", "convert-torch")


def test_a_package_of_a_package_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needs_another.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Missing, match="needs_another needs no_such_package, which is not installed"):
        need("needs_another", "convert")
