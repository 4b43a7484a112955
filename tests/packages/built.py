"""Packages for the figures, each built once in a process, by the code that `mlserverless build` runs."""

import shutil
from functools import cache
from pathlib import Path

from mlserverless.bundle.build import build
from mlserverless.bundle.package import Package
from mlserverless.bundle.targets import target
from mlserverless.formats import PLUGINS

FOLDER = Path(".cache/packages").resolve()
MODEL = "efficientnet-lite0"
WITHOUT_AVIF = tuple(name for name in PLUGINS if name != "avif")


@cache
def package(
    provider: str,
    python: str = "3.13",
    arch: str = "x86_64",
    *,
    image: bool = False,
    stores: bool = True,
    slim: bool = True,
    formats: tuple[str, ...] = tuple(PLUGINS),
    strip: bool = False,
    model: str = MODEL,
    project: Path = FOLDER / "no-project",
) -> Package:
    """Return the package for these; raise BuildError where it cannot be made."""
    told = [provider, python, arch, *(["image"] if image else []), *([] if stores else ["lean"])]
    told += [
        *([] if slim else ["whole"]),
        *(["stripped"] if strip else []),
        *([] if len(formats) == len(PLUGINS) else formats),
        Path(model).name,
        *([project.name] if project.is_dir() else []),
    ]
    out = FOLDER / "-".join(told)
    shutil.rmtree(out, ignore_errors=True)
    wanted = target(provider, python, arch)
    return build(
        wanted,
        model=model,
        out=out,
        project=project,
        image=image,
        stores=stores,
        slim=slim,
        formats=formats,
        strip=strip,
    )
