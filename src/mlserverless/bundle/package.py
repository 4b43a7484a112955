"""What a built package is, for those who look at it: the report, the preflight, the deployment."""

import json
from pathlib import Path
from typing import NamedTuple

from mlserverless.bundle import targets
from mlserverless.bundle.targets import Target

MADE = "build.json"  # by which a folder is known as one that a build made


class Dropped(NamedTuple):
    """A file that was left out, and by which rule."""

    path: str
    size: int
    rule: str


class Package(NamedTuple):
    """A package as it stands on the disk.

    ``out`` is the folder that the provider's own tool reads; ``root`` the unpacked contents; ``archive`` the zip
    that is uploaded, where the target has one. Sizes are in bytes. ``peak`` is the most memory that the golden
    predictions took, None where they could not be run here, and ``proof`` says how it was proven. ``models`` are
    the names of those in it, the first model's first.
    """

    target: Target
    out: Path
    root: Path
    archive: Path | None
    unpacked: int
    zipped: int
    peak: int | None = None
    proof: str = ""
    dropped: tuple[Dropped, ...] = ()
    models: tuple[str, ...] = ()

    @property
    def model(self) -> Path | None:
        """The folder of the model that answers where none is chosen; None where the package has none."""
        inside = packed_models(self.root)
        return next((path for path in inside if path.name in self.models[:1]), inside[0] if inside else None)

    @property
    def others(self) -> tuple[str, ...]:
        """The folders of its further models, as the setting ``models`` has them: each under a name of its own."""
        further = [path for path in packed_models(self.root) if path != self.model]
        return tuple(f"{number}={path}" for number, path in enumerate(further, 1))

    def moved(self, out: Path) -> "Package":
        """Return the package as it is where its folder was moved to ``out``."""
        archive = out / self.archive.relative_to(self.out) if self.archive else None
        return self._replace(out=out, root=out / self.root.relative_to(self.out), archive=archive)


def read(out: Path) -> Package:
    """Return the package that a build wrote into ``out``; raise ValueError where there is none."""
    try:
        told = json.loads((out / MADE).read_text(encoding="utf-8"))
        archives = [out / name for name in told["archives"]]
        peak = told["peak_megabytes"]
        return Package(
            targets.parse(told["target"]),
            out,
            out / told["root"],
            archives[0] if archives else None,
            told["unpacked"],
            told["zipped"],
            peak * 1_000_000 if peak else None,
            told["proof"],
            tuple(Dropped(path, 0, rule) for rule, paths in told["dropped"].items() for path in paths),
            tuple(told.get("models", ())),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{out} holds no package: `mlserverless build` writes one, with a {MADE}.") from error


def packed_models(root: Path) -> list[Path]:
    """Return the model folders in the unpacked package ``root``, sorted; their names are those that it knows."""
    return sorted(path.parent for path in root.rglob("mlserverless/_models/*/model.toml"))
