"""A real build of a function with an .onnx model, but for its wheels, which are this environment's own."""

import platform
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import PIL
import pytest

from helpers import onnxmodel
from mlserverless.bundle import archive, resolve, slim
from mlserverless.bundle.build import build
from mlserverless.bundle.package import Package
from mlserverless.bundle.targets import Target

SITE = Path(PIL.__file__).parents[1]
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
ARCH = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
linux = pytest.mark.skipif(sys.platform != "linux", reason="runs this environment's wheels as a Linux target's")
NEVER = shutil.ignore_patterns("__pycache__", "tests", "f2py", "transformers", "*.pyi")  # to copy less


def install(lock: Path, into: Path, target: Target, **_: Any) -> None:
    """Install as :func:`resolve.install` does, from this environment, what the lock file pins and is here."""
    into.mkdir(parents=True, exist_ok=True)
    if lock.name in ("requirements-runtime.txt", "runtime.txt"):
        return
    assert lock.name == "requirements-onnx.txt"
    folders = {"pillow": ("PIL", "pillow.libs"), "obstore": ("obstore",), "onnxruntime": ("onnxruntime",)}
    folders |= {"numpy": ("numpy", "numpy.libs")}
    for name in resolve.versions(lock).keys() & folders.keys():
        for folder in folders[name]:
            if (SITE / folder).is_dir():
                shutil.copytree(SITE / folder, into / folder, ignore=NEVER)
        for info in SITE.glob(f"{name.replace('-', '_')}-*.dist-info"):
            shutil.copytree(info, into / info.name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("onnx") / "land"
    made.mkdir()
    (made / "model.toml").write_text('[input]\nrange = "unit"\n')
    (made / "model.onnx").write_bytes(onnxmodel.classifier(("n", 3, 32, 32), batch="n"))
    return made


@pytest.fixture(scope="module")
def made(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Package:
    """A container's package, slimmed and proven by running it; `make packages` has those of every provider."""
    out = tmp_path_factory.mktemp("build")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resolve, "install", install)
        patch.setenv("HOME", str(out))
        return build(
            Target("container", PYTHON, ARCH),
            model=str(folder),
            out=out / "build",
            project=out,
            formats=("jpeg", "png"),
        )


@linux
def test_it_is_proven_with_the_golden_requests(made: Package) -> None:
    assert "golden answers, on its own platform" in made.proof
    assert made.peak is not None
    assert made.peak > 30_000_000


@linux
def test_it_has_the_engine_and_the_model_and_no_other_engine(made: Package) -> None:
    inside = {path.as_posix() for path in archive.files(made.root)}
    assert any(name.startswith("onnxruntime/capi/onnxruntime_pybind11_state") for name in inside)
    assert "numpy/__init__.py" in inside
    assert {f"mlserverless/_models/land/{name}" for name in ("model.toml", "model.onnx")} <= inside
    assert not any(name.startswith("ai_edge_litert") for name in inside)
    assert "onnxruntime/LICENSE" in inside
    assert "onnxruntime/ThirdPartyNotices.txt" in inside, "the notices of what is linked into the library"


@linux
def test_what_onnxruntime_brings_for_training_and_tools_is_left_out(made: Package) -> None:
    dropped = {one.path: one.rule for one in made.dropped}
    version = onnxruntime.__version__
    if (
        SITE / f"onnxruntime/capi/libonnxruntime.so.{version}"
    ).is_file():  # the C interface, which Python does without
        assert dropped[f"onnxruntime/capi/libonnxruntime.so.{version}"] == slim.SHARED
    for part in ("quantization", "tools", "datasets", "backend"):
        assert any(name.startswith(f"onnxruntime/{part}/") for name in dropped), part
    left = {path.as_posix() for path in archive.files(made.root)}
    for part in ("quantization", "tools", "datasets", "backend"):
        assert not any(name.startswith(f"onnxruntime/{part}/") for name in left), part
    assert "numpy/ma/core.py" not in left or np.lib.NumpyVersion(np.__version__) < "2.0.0"


@linux
def test_it_is_smaller_than_what_was_installed_by_far(made: Package) -> None:
    engine = archive.size(SITE / "onnxruntime")
    held = sum(
        path.stat().st_size for path in made.root.rglob("*") if path.is_file() and "onnxruntime" in path.parts
    )
    assert held < 0.6 * engine
