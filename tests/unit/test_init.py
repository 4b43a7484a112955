"""The package's own surface: everything it names is there, and naming it imports nothing heavy."""

import json
import subprocess
import sys

import pytest

import mlserverless

# numpy and Pillow, the engines, the clouds' SDKs, and what costs milliseconds of a cold start
HEAVY = [
    "numpy",
    "PIL",
    "ai_edge_litert",
    "tflite_runtime",
    "tensorflow",
    "obstore",
    "awslambdaric",
    "boto3",
    "azure",
    "functions_framework",
    "flask",
    "click",
    "rich",
    "http.client",
    "ssl",
    "urllib.request",
    "json",
    "socket",
    "logging",
    "asyncio",
    "tomllib",
    "dataclasses",
    "ctypes",
    "zipfile",
    "email",
]


def imported_by(code: str) -> set[str]:
    """Return the modules that ``code`` imports in a fresh interpreter that has imported nothing for it before."""
    before = "import sys; before = set(sys.modules); "
    after = "; import json; print(json.dumps(sorted(set(sys.modules) - before - {'json'})))"
    done = subprocess.run(
        [sys.executable, "-c", before + code + after], check=True, capture_output=True, text=True
    )
    return {name for name in json.loads(done.stdout) if not name.startswith("json.")}


def heavy(modules: set[str]) -> set[str]:
    return {name for name in HEAVY if any(found == name or found.startswith(name + ".") for found in modules)}


def test_importing_the_package_imports_nothing_heavy() -> None:
    modules = imported_by("import mlserverless")
    assert "mlserverless" in modules
    assert {name for name in modules if name.startswith("mlserverless.")} == set()
    assert heavy(modules) == set()


@pytest.mark.parametrize("name", [name for name in mlserverless.__all__ if name[0].isupper()])
def test_naming_a_class_imports_neither_numpy_nor_pillow_nor_an_engine(name: str) -> None:
    found = heavy(imported_by(f"from mlserverless import {name}"))
    assert found & set(HEAVY[:12]) == set()


@pytest.mark.parametrize(
    "name", ["download_image", "prepare_image", "preprocess_image", "load_lite_model", "predict"]
)
def test_naming_a_function_imports_neither_numpy_nor_pillow_nor_an_engine(name: str) -> None:
    found = heavy(imported_by(f"from mlserverless import {name}"))
    assert found & set(HEAVY[:12]) == set()


def test_every_export_is_there() -> None:
    for name in mlserverless.__all__:
        assert getattr(mlserverless, name) is not None


def test_exports_are_the_lazy_names_and_the_version() -> None:
    assert sorted(mlserverless.__all__) == mlserverless.__all__
    assert set(mlserverless.__all__) == set(mlserverless._HOMES) | {"__version__"}


def test_each_export_comes_from_its_home() -> None:
    for name, home in mlserverless._HOMES.items():
        assert getattr(mlserverless, name).__module__ == f"mlserverless.{home}"


def test_star_import_brings_all() -> None:
    found: dict[str, object] = {}
    exec("from mlserverless import *", found)
    assert set(mlserverless.__all__) <= set(found)


def test_dir_lists_the_exports() -> None:
    assert dir(mlserverless) == sorted(mlserverless.__all__)


def test_unknown_attribute_is_named() -> None:
    with pytest.raises(AttributeError, match=r"^module 'mlserverless' has no attribute 'predct'$"):
        _ = mlserverless.predct
    with pytest.raises(ImportError, match="cannot import name 'predct'"):
        exec("from mlserverless import predct")


def test_a_name_is_looked_up_once() -> None:
    first = mlserverless.Predictor
    assert vars(mlserverless)["Predictor"] is first


def test_version_is_the_installed_one() -> None:
    from importlib.metadata import version

    assert mlserverless.__version__ == version("mlserverless")
