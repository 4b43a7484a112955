"""Which engine answers: the first that is installed, with one word in the log where it is not the first choice."""

import logging
import subprocess
import sys
from typing import Any

import pytest

from mlserverless import engines
from mlserverless.engines import Engine, EngineMissing, Wanted, litert, select, tflite
from mlserverless.errors import ModelUnavailable
from mlserverless.model_toml import Delegate

TFLITE = b"\x1c\0\0\0TFL3"


def missing(*names: str) -> Any:
    """Return an ``engines._find`` to which these engines are not installed."""

    def find(name: str) -> Engine:
        if name in names:
            raise EngineMissing(f"pip install {name}")
        return Engine(name, lambda model, threads, wanted=engines.PLAIN: pytest.fail("not to be loaded"))

    return find


def test_auto_takes_the_first_of_the_order(caplog: pytest.LogCaptureFixture) -> None:
    assert engines.ORDER == ("litert", "litert-python", "tflite-runtime", "tensorflow")
    assert select("auto").name == "litert"
    assert caplog.records == []


@pytest.mark.parametrize("count", [1, 2, 3])
def test_auto_falls_back_with_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, count: int
) -> None:
    monkeypatch.setattr(engines, "_find", missing(*engines.ORDER[:count]))
    assert select("auto").name == engines.ORDER[count]
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("mlserverless", logging.WARNING)
    tried = "; ".join(f"{name}: pip install {name}" for name in engines.ORDER[:count])
    assert record.getMessage() == f"using the engine {engines.ORDER[count]} ({tried})"


def test_auto_without_any_engine_names_all_that_were_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_find", missing(*engines.ORDER))
    with pytest.raises(ModelUnavailable) as caught:
        select("auto")
    assert str(caught.value) == (
        "No engine can run the model. Tried litert: pip install litert; litert-python: pip install litert-python; "
        "tflite-runtime: pip install tflite-runtime; tensorflow: pip install tensorflow."
    )


def test_engine_that_is_named_is_taken_or_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engines, "_find", missing("litert"))
    assert select("tflite-runtime").name == "tflite-runtime"
    with pytest.raises(ModelUnavailable, match=r"Tried litert: pip install litert\.$"):
        select("litert")
    assert caplog.records == []


def test_delegates_are_left_to_the_python_interpreters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_find", missing())
    order = engines.order(TFLITE, Wanted(delegates=(Delegate("libedgetpu.so.1"),)))
    assert order == ("litert-python", "tflite-runtime", "tensorflow")
    assert select("auto", order).name == "litert-python"
    assert select("tflite-runtime", order).name == "tflite-runtime"
    with pytest.raises(ModelUnavailable) as caught:
        select("litert", order)
    assert str(caught.value) == (
        "The engine litert cannot run this model with delegates; litert-python, tflite-runtime, tensorflow can, "
        "and the setting engine = auto chooses. See docs/reference/model-folder.md."
    )


def test_files_of_two_kinds_are_left_to_engines_of_two_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_find", missing())
    assert engines.order(TFLITE) == engines.ORDER
    onnx = engines.order(b"\x08\x07\x12\x07pytorch")
    assert select("auto", onnx).name == select("onnxruntime", onnx).name == "onnxruntime"
    for name, order, what in (("litert", onnx, "an ONNX model"), ("onnxruntime", engines.ORDER, "this model")):
        with pytest.raises(ModelUnavailable, match=f"^The engine {name} cannot run {what}; {order[0]}"):
            select(name, order)


def test_delegates_are_loaded_by_the_interpreters_own_package() -> None:
    """What they do is for the delegates' own tests; here, that an engine asks for them and says what is wrong."""
    wanted = Wanted(delegates=(Delegate("libnowhere.so", (("device", "usb"),)),))
    with pytest.raises(
        ModelUnavailable, match=r"^The delegate libnowhere.so \(options: device = usb\) cannot be load"
    ):
        select("litert-python").load(TFLITE, 1, wanted)


@pytest.mark.parametrize("name", tflite.PACKAGES)
def test_package_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    module, hint = tflite.PACKAGES[name]
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModelUnavailable) as caught:
        select(name)
    assert f"({hint})" in str(caught.value)


def test_missing_library_falls_back_to_the_python_interpreter(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(litert, "_runtime", None)
    monkeypatch.setattr(litert, "isfile", lambda _: False)
    assert select("auto").name == "litert-python"
    (record,) = caplog.records
    assert "using the engine litert-python (litert: no libLiteRt." in record.getMessage()
    assert "pip install ai-edge-litert, 2.1 or later" in record.getMessage()


def test_missing_package_is_a_missing_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litert.PathFinder, "find_spec", lambda _: None)
    with pytest.raises(EngineMissing, match=r"^no libLiteRt\.(so|dylib): pip install"):
        litert._library_path()


@pytest.mark.parametrize(("platform", "name"), [("darwin", "libLiteRt.dylib"), ("linux", "libLiteRt.so")])
def test_library_has_the_platforms_name(monkeypatch: pytest.MonkeyPatch, platform: str, name: str) -> None:
    monkeypatch.setattr(litert.sys, "platform", platform)
    monkeypatch.setattr(litert, "isfile", lambda _: True)
    assert litert._library_path().endswith(f"/ai_edge_litert/{name}")


def test_library_that_does_not_load_falls_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "libLiteRt.so"
    broken.write_bytes(b"\x7fELF, or not")
    monkeypatch.setattr(litert, "_runtime", None)
    monkeypatch.setattr(litert, "_library_path", lambda: str(broken))
    assert select("auto").name == "litert-python"
    (record,) = caplog.records
    assert f"{broken} cannot be loaded (" in record.getMessage()


def test_missing_symbol_falls_back_and_names_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(litert, "_runtime", None)
    monkeypatch.setattr("mlserverless.engines.capi.NEEDED", ("CreateEnvironment", "CreatePerpetualMotion"))
    assert select("auto").name == "litert-python"
    (record,) = caplog.records
    assert "this release of ai-edge-litert lacks LiteRtCreatePerpetualMotion" in record.getMessage()


def test_selecting_litert_imports_neither_numpy_nor_its_python_package() -> None:
    code = (
        "import sys; from mlserverless.engines import select; select('litert');"
        "print([name for name in ('numpy', 'ai_edge_litert') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
