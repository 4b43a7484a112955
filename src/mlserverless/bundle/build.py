"""Build a package: resolve, stage, slim, prove, pack, tell."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from mlserverless.bundle import archive, bytecode, layout, prove, record, resolve, stage, symbols, telemetry
from mlserverless.bundle import slim as slimming
from mlserverless.bundle.package import MADE, Dropped, Package
from mlserverless.bundle.prove import Trial
from mlserverless.bundle.resolve import BuildError
from mlserverless.bundle.targets import Target
from mlserverless.formats import PLUGINS
from mlserverless.local import deploy as deploy_folders
from mlserverless.model import load
from mlserverless.testing.world import World

__all__ = ["MADE", "STEPS", "BuildError", "build", "deploy_folder"]
STEPS = 7
NAMING = ("MODEL", "MODELS")  # settings without which an entry file finds no model
NOT_RUN = "not run: this machine has no Python of its version"
Tell = Callable[[str], None]


def deploy_folder(target: Target, project: Path) -> Path:
    """Return the project's own deploy folder of the target's provider, or the one that comes with this package."""
    own = project / target.provider
    return own if (own / stage.ENTRIES[target.provider]).is_file() else deploy_folders.folder(target.provider)


def build(
    target: Target,
    *,
    model: str,
    models: tuple[str, ...] = (),
    out: Path,
    project: Path,
    image: bool = False,
    layer: bool = False,
    stores: bool = True,
    slim: bool = True,
    formats: tuple[str, ...] = tuple(PLUGINS),
    strip: bool = False,
    tell: Tell = lambda _: None,
) -> Package:
    """Build the package for ``target`` with ``model`` in it into the folder ``out``, and return it.

    ``models``: further ones, as the setting of that name has them.
    ``image``: an image's context instead of an archive. ``layer``: for AWS, others' packages apart, as a layer.
    ``stores``: with what reads s3://, gs:// and az:// URLs. ``slim``: without what golden predictions do without.
    ``formats``: of images, which the package opens; the entry file sets them where they are not all.
    ``strip``: without the libraries' symbol tables.
    ``tell`` is called with a word at each of the STEPS, and for each rule that was undone.
    What the project's setting ``telemetry`` takes is packed whole. Raises BuildError, ConfigError or
    ModelUnavailable, saying what is wrong; ``out`` is then left as it was or empty.
    """
    if layer and (target.provider != "aws" or image):
        raise BuildError("Only a zip for AWS Lambda can be split into a function and a layer.")
    out = out.resolve()
    layout.check(out)
    folder = deploy_folder(target, project)
    if image and not (folder / "Dockerfile").is_file():
        raise BuildError(f"{folder} has no Dockerfile, which an image needs.")
    python = prove.python_for(target, slim)
    with tempfile.TemporaryDirectory(prefix="build-") as made, World() as world:
        scratch = Path(made).resolve()
        tell("resolving")
        kinds = stage.kinds((model, *models))
        locks = _locks(target, kinds, folder)
        lock = resolve.merged([*locks, *telemetry.locks(project, locks)], scratch / "requirements.txt")
        parts, defaults = _stage(
            target, scratch, folder, project, (model, *models), lock, stores=stores, image=image, formats=formats
        )
        if strip and not (python and resolve.runs_here(target)):
            raise BuildError(f"A stripped package has to be run, and {target} cannot run here: leave out --strip.")
        trial = _trial(target, scratch, parts, lock, python, stores=stores, formats=formats) if python else None
        if trial is not None:
            theirs = set(resolve.versions(lock)).difference(*map(resolve.versions, _locks(target, kinds)))
            plain = _plain(target, folder, scratch / "plain", defaults)
            trial = trial._replace(
                plain=plain,
                models=stage.names(defaults, parts.site)[1:],
                raw=load(model).task == "raw",
                whole=slimming.own(parts.entry, deploy_folders.folder(target.provider), parts.site, theirs),
            )
        dropped: list[Dropped] = []
        wanted = None
        if trial is not None:
            tell("running the whole package")
            wanted = trial.run(world)
            if slim:
                tell("slimming")
                dropped = prove.shrink(trial, wanted, parts.site, scratch / "away", world, tell)
            if strip:
                symbols.strip(parts.site)
            tell("compiling")
            bare = slimming.undocumented(parts.site, trial.whole) if slim else frozenset()
            for part in filter(None, parts):
                bytecode.add(part, trial.python, bare if part == parts.site else ())
        tell("packing")
        fresh = scratch / "out"
        fresh.mkdir()
        written = layout.write(target, parts, folder, fresh, image=image, layer=layer)
        found = None
        if trial is not None and wanted is not None:
            tell("running the packed package")
            packed = trial._replace(entry=written.entry, site=written.site) if trial.own else trial
            found = prove.confirm(packed, wanted, world)
        package = Package(
            target,
            fresh,
            written.root,
            written.archive,
            archive.size(written.root),
            written.archive.stat().st_size if written.archive else 0,
            found.peak if found else None,
            f"{len(found.answers)} golden answers, {trial.told()}" if found and trial else NOT_RUN,
            tuple(dropped),
            stage.folders(defaults),
        )
        record.write(package, resolve.versions(lock), written.layer)
        layout.replace(fresh, out)
    tell("done")
    return package.moved(out)


def _locks(target: Target, kinds: tuple[str, ...], folder: Path | None = None) -> list[Path]:
    return [resolve.lock_files(target, folder, kind)[0] for kind in kinds]


def _plain(target: Target, folder: Path, into: Path, defaults: dict[str, str]) -> Path | None:
    """Stage our own entry file where the project's is another, which may answer less than ours."""
    ours, name = deploy_folders.folder(target.provider), stage.ENTRIES[target.provider]
    if (folder / name).read_bytes() == (ours / name).read_bytes():
        return None
    stage.copy_entry(target, ours, into, into, {name: defaults[name] for name in NAMING if name in defaults})
    return into


def _stage(
    target: Target,
    scratch: Path,
    folder: Path,
    project: Path,
    models: tuple[str, ...],
    packed: Path,
    *,
    stores: bool,
    image: bool,
    formats: tuple[str, ...],
) -> tuple[layout.Stage, dict[str, str]]:
    _, beside = resolve.lock_files(target, folder, stage.kinds(models)[0])
    site, entry, runtime = scratch / "site", scratch / "entry", scratch / "runtime"
    resolve.install(packed, site, target, without=() if stores else resolve.STORES)
    stage.copy_ours(site)
    # The project's settings come along, and the models that they name do not.
    alone = {"MODELS": ""} if (project / stage.SETTINGS).is_file() else {}
    defaults = alone | stage.copy_models(models, site)
    if set(formats) < set(PLUGINS):
        defaults["FORMATS"] = ",".join(formats)
    stage.copy_entry(target, folder, project, entry, defaults)
    wanted = beside is not None and (image or target.provider in ("gcp", "container"))
    if wanted and beside is not None:
        resolve.install(beside, runtime, target)
        shutil.copyfile(beside, scratch / "runtime.txt")
    return layout.Stage(entry, site, runtime if wanted else None), defaults


def _trial(
    target: Target,
    scratch: Path,
    parts: layout.Stage,
    lock: Path,
    python: str,
    *,
    stores: bool,
    formats: tuple[str, ...],
) -> Trial:
    if resolve.runs_here(target):
        return Trial(target, python, parts.site, parts.runtime, parts.entry, True, formats)
    site, without = scratch / "stand-in", () if stores else resolve.STORES
    resolve.install(lock, site, target, without=without, here=True)
    shutil.copytree(parts.site / "mlserverless", site / "mlserverless")
    runtime = None
    if parts.runtime is not None:
        runtime = scratch / "stand-in-runtime"
        resolve.install(scratch / "runtime.txt", runtime, target, here=True)
    return Trial(target, python, site, runtime, parts.entry, False, formats)
