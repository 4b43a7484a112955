"""How large the packages are, beside what a plain installation of the same makes."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from helpers import onnxmodel
from helpers.figures import Figure, Scale, skip
from mlserverless.bundle import archive, elf, resolve
from mlserverless.bundle.package import Package
from mlserverless.bundle.stage import HERE
from mlserverless.bundle.targets import Target, target
from packages.built import FOLDER, MODEL, WITHOUT_AVIF, package

MB = 1_000_000
PAGE = """# How large a package is

In MB (10⁶ bytes), with the bundled model, which is 5.3 of it, where no other is named. `make packages` builds
each, holds it to its bar, and writes this page. The memory is the most that the golden predictions took.

| package | zipped | unpacked | memory |
|---|---:|---:|---:|
"""
MODELS = Path(__file__).parents[2] / "models"


class Row(NamedTuple):
    """A package, and the most MB that it may have, zipped and unpacked; 0 where no bar is set."""

    name: str
    provider: str
    zipped: float = 0
    unpacked: float = 0
    python: str = "3.13"
    arch: str = "x86_64"
    stores: bool = True
    avif: bool = True
    strip: bool = False
    onnx: bool = False

    def package(self) -> Package:
        formats = {} if self.avif else {"formats": WITHOUT_AVIF}
        model = {"model": str(_onnx_model())} if self.onnx else {}
        return package(
            self.provider, self.python, self.arch, stores=self.stores, strip=self.strip, **formats, **model
        )


OLD = Row("Lambda zip, LiteRT 1.4 + numpy, Python 3.11, stripped, no AVIF", "aws", 28, python="3.11")
OLD = OLD._replace(stores=False, avif=False, strip=True)
ROWS = (
    Row("Lambda zip, LiteRT + default model, Python 3.13", "aws", 14, 36, stores=False),
    Row("the same with obstore for s3, gs, az", "aws", 20, 55),
    # No newer LiteRT's C++ library is on Amazon Linux 2023 for arm64.
    Row("the same for arm64: LiteRT 2.1 + numpy", "aws", arch="arm64"),
    # tflite-runtime was meant here, but its wheel needs glibc 2.29, and Lambda's Python 3.11 has 2.26.
    OLD,
    Row("the same, neither stripped nor without AVIF", "aws", 0, 0, "3.11", stores=False),
    Row("Azure zip, with obstore", "azure", 20, 55),
    Row("Google source folder, with obstore", "gcp", 20, 55),
    Row("container, packages with gunicorn and obstore, not zipped", "container", 0, 55),
    # The engine's library is 37 MB of it, numpy, which it takes its tensors from, 39.
    Row("Lambda zip, ONNX Runtime + numpy + a model of 1 kB", "aws", 40, 105, stores=False, onnx=True),
    Row("the same with obstore", "aws", 45, 120, onnx=True),
    Row("the same for arm64", "aws", 45, 120, arch="arm64", onnx=True),
    Row("Azure zip, ONNX Runtime, with obstore", "azure", 45, 120, onnx=True),
    Row("Google source folder, ONNX Runtime, with obstore", "gcp", 45, 120, onnx=True),
    Row("container, ONNX Runtime with gunicorn and obstore, not zipped", "container", 0, 120, onnx=True),
)


def measure(scale: Scale) -> list[Figure]:
    """Return a figure for each package, and what a plain installation takes."""
    rows = [row for row in ROWS if not scale.short or ((row.zipped or row.unpacked) and not row.onnx)]
    figures = [_figure(row) for row in rows]
    if not scale.short:
        figures.append(_plain())
    return [*figures, _old_glibc()]


def _figure(row: Row) -> Figure:
    bars = [f"≤ {row.zipped:g} MB zipped"] if row.zipped else []
    bars += [f"≤ {row.unpacked:g} MB unpacked"] if row.unpacked else []
    bar = ", ".join(bars) or "shown"
    if resolve.interpreter(row.python) is None:
        return skip(row.name, bar, f"this machine has no Python {row.python}")
    made = row.package()
    zipped, unpacked = made.zipped / MB, made.unpacked / MB
    held = (not row.zipped or zipped <= row.zipped) and (not row.unpacked or unpacked <= row.unpacked)
    shown = f"{unpacked:.1f} MB unpacked, {made.proof}"
    shown = f"{zipped:.1f} MB zipped, {shown}" if made.archive else shown
    held = held and "golden answers" in made.proof
    details = {"target": str(made.target), "zipped": made.zipped, "unpacked": made.unpacked, "peak": made.peak}
    return Figure(row.name, bar, shown, held, details)


def _onnx_model() -> Path:
    folder = FOLDER / "models" / "onnx"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.toml").write_text('[input]\nrange = "unit"\n', encoding="utf-8")
    (folder / "model.onnx").write_bytes(onnxmodel.classifier(("n", 3, 224, 224), batch="n"))
    return folder


def _plain() -> Figure:
    """Return what `pip install -t` makes of the same lock file, with this package and the model beside it."""
    name, bar = "the first row by a plain pip install -t", "shown: 45 MB / 134 MB"
    python = resolve.interpreter("3.13")
    if python is None:
        return skip(name, bar, "this machine has no Python 3.13")
    lock, _ = resolve.lock_files(target("aws", "3.13", "x86_64"))
    with tempfile.TemporaryDirectory() as folder:
        root, wanted = Path(folder, "root"), Path(folder, "requirements.txt")
        kept = [entry for entry in resolve.entries(lock) if resolve.name_of(entry) not in resolve.STORES]
        wanted.write_text("\n".join(kept) + "\n", encoding="utf-8")
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        subprocess.run([*command, "--target", str(root), "--requirement", str(wanted)], check=True)
        shutil.copytree(
            HERE, root / "mlserverless", ignore=shutil.ignore_patterns("__pycache__", "_*s", "_deploy")
        )
        shutil.copytree(MODELS / MODEL, root / "mlserverless" / "_models" / MODEL)
        archive.write_zip(root, Path(folder, "plain.zip"))
        zipped, unpacked = Path(folder, "plain.zip").stat().st_size, archive.size(root)
    first = ROWS[0].package()
    ratio = f"{zipped / first.zipped:.1f} × and {unpacked / first.unpacked:.1f} × ours"
    shown = f"{zipped / MB:.1f} MB zipped, {unpacked / MB:.1f} MB unpacked: {ratio}"
    return Figure(name, bar, shown, zipped > first.zipped, {"zipped": zipped, "unpacked": unpacked})


def _old_glibc() -> Figure:
    """Return the newest glibc that anything in the package for Python 3.11 asks for."""
    name, bar = "the package for Python 3.11 runs on glibc 2.26, by its ELF needs", "≤ GLIBC 2.26, GLIBCXX 3.4.24"
    if resolve.interpreter("3.11") is None:
        return skip(name, bar, "this machine has no Python 3.11")
    made, wanted = OLD.package(), Target("aws", "3.11")
    newest = {"GLIBC": (0,), "GLIBCXX": (0,)}
    for needs in elf.needs(made.root):
        for version in needs.versions:
            if found := re.fullmatch(r"(GLIBC|GLIBCXX)_([\d.]+)", version):
                number = tuple(map(int, found[2].split(".")))
                newest[found[1]] = max(newest[found[1]], number)
    held = newest["GLIBC"] <= wanted.base.glibc and newest["GLIBCXX"] <= wanted.base.glibcxx
    shown = ", ".join(f"{kind} {'.'.join(map(str, version))}" for kind, version in newest.items())
    return Figure(name, bar, f"{shown} at most", held)


def page(figures: list[dict[str, Any]]) -> str:
    """Return the documentation's table of the sizes that were measured."""
    rows = [
        f"| {told['name']} | {_mb(told['details'].get('zipped'))} | {_mb(told['details'].get('unpacked'))} "
        f"| {_mb(told['details'].get('peak'))} |"
        for told in figures
        if "unpacked" in told["details"]
    ]
    return PAGE + "\n".join(rows) + "\n"


def _mb(size: int | None) -> str:
    return f"{size / MB:.1f}" if size else "–"
