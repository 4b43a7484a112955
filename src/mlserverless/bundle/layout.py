"""What each provider's own tool wants to find, made of the staged package."""

import re
import shutil
from pathlib import Path
from typing import NamedTuple

from mlserverless import __version__
from mlserverless.bundle import archive, package
from mlserverless.bundle.resolve import BuildError
from mlserverless.bundle.stage import AZURE_SITE
from mlserverless.bundle.targets import Target

TEMPLATES = ("*.yaml", "*.yml", "*.bicep", "*.json", ".gcloudignore")
# In the package, of this machine only, or for people to import where they look at metrics.
APP_DATA = (
    "host.json",
    "local.settings.json",
    "dashboard.json",
    "grafana.json",
    "log-metrics.json",
    "workbook.json",
)


class Stage(NamedTuple):
    """The parts: ``entry`` files, ``site`` packages, and ``runtime`` packages where the target has such."""

    entry: Path
    site: Path
    runtime: Path | None


class Layout(NamedTuple):
    """What was written: the unpacked ``root``, where in it the packages are, and the ``archive`` to upload."""

    root: Path
    entry: Path
    site: Path
    archive: Path | None
    layer: Path | None = None


def check(out: Path) -> None:
    """Raise BuildError where the folder ``out`` holds what no build made."""
    if out.is_dir() and any(out.iterdir()):
        try:
            package.read(out)
        except ValueError as error:
            raise BuildError(
                f"{out} is not empty and was not made by a build: give another --out, or empty it."
            ) from error


def replace(made: Path, out: Path) -> None:
    """Put the folder ``made`` in the place of ``out``."""
    check(out)
    out.mkdir(parents=True, exist_ok=True)
    for path in out.iterdir():  # the folder itself may be a volume's, which cannot be removed
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for path in made.iterdir():
        shutil.move(path, out / path.name)


def write(target: Target, stage: Stage, deploy: Path, out: Path, *, image: bool, layer: bool) -> Layout:
    """Write the package into ``out`` as the provider's own tool wants it."""
    for pattern in TEMPLATES:
        for path in sorted(deploy.glob(pattern)):
            if path.name not in APP_DATA:
                shutil.copyfile(path, out / path.name)
    if image or target.provider == "container":
        return _image(target, stage, deploy, out)
    if target.provider == "gcp":
        return _source(target, stage, out)
    root = out / "package"
    site = root / AZURE_SITE if target.provider == "azure" else root
    shutil.copytree(stage.site, site)
    shutil.copytree(stage.entry, root, dirs_exist_ok=True)
    if layer:
        return _layered(stage, out, root)
    archive.write_zip(root, out / "function.zip")
    return Layout(root, root, site, out / "function.zip")


def _layered(stage: Stage, out: Path, root: Path) -> Layout:
    """Split off others' packages, which change rarely: Lambda has a layer's ``python`` folder on its path."""
    own, others = out / "function", out / "layer"
    shutil.copytree(stage.entry, own)
    shutil.copytree(stage.site / "mlserverless", own / "mlserverless")
    shutil.copytree(
        stage.site, others, ignore=lambda where, _: ["mlserverless"] if where == str(stage.site) else []
    )
    archive.write_zip(own, out / "function.zip")
    archive.write_zip(others, out / "layer.zip", "python/")
    shutil.rmtree(own)
    shutil.rmtree(others)
    return Layout(root, root, root, out / "function.zip", out / "layer.zip")


def _source(target: Target, stage: Stage, out: Path) -> Layout:
    """Write a source folder with the package as one wheel, which Google's buildpack installs."""
    source, root = out / "source", out / "package"
    shutil.copytree(stage.entry, source)
    shutil.copytree(stage.site, root)
    abi = "cp" + target.python.replace(".", "")
    tag = f"{abi}-{abi}-{target.platform.partition('-')[2]}_{target.machine}"
    wheel = archive.write_wheel(root, source / "wheels", "mlserverless_function", __version__, tag, target.python)
    lines = [f"./wheels/{wheel.name} --hash=sha256:{archive.sha256(wheel)}"]
    if stage.runtime is not None:
        lines.append((stage.runtime.parent / "runtime.txt").read_text(encoding="utf-8").rstrip())
    (source / "requirements.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if (out / ".gcloudignore").is_file():
        shutil.move(out / ".gcloudignore", source / ".gcloudignore")
    whole = out / "source.zip"  # about what gcloud uploads, which it makes of the folder by itself
    archive.write_zip(source, whole)
    return Layout(root, source, root, whole)


def _image(target: Target, stage: Stage, deploy: Path, out: Path) -> Layout:
    """Write an image's context."""
    root = out / "packages"
    shutil.copytree(stage.site, root)
    if stage.runtime is not None:
        shutil.copytree(stage.runtime, root, dirs_exist_ok=True)
    shutil.copytree(stage.entry, out / "app")
    for name in ("Dockerfile", ".dockerignore"):
        if not (deploy / name).is_file():
            raise BuildError(f"{deploy} has no {name}, which an image needs.")
        shutil.copyfile(deploy / name, out / name)
    file = out / "Dockerfile"  # its base is to have the package's Python
    named = re.sub(r"(?m)^(ARG BASE_IMAGE=.*?)3\.\d+", rf"\g<1>{target.python}", file.read_text(encoding="utf-8"))
    file.write_text(named, encoding="utf-8")
    return Layout(root, out / "app", root, None)
