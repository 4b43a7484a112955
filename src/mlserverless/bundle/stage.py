"""The unpacked package: the target's wheels, this package, the model, and the entry file that names it."""

import ast
import json
import shutil
from pathlib import Path

from mlserverless import certificate, engines, naming
from mlserverless import model as models
from mlserverless.bundle.model_folder import pin
from mlserverless.bundle.resolve import BuildError
from mlserverless.bundle.targets import Target
from mlserverless.config import Settings

HERE = Path(__file__).resolve().parents[1]
ENTRIES = {"aws": "app.py", "azure": "function_app.py", "gcp": "main.py", "container": "app.py"}
DATA = ("host.json",)  # what the platform reads beside the entry file
SETTINGS = "mlserverless.toml"
AZURE_SITE = ".python_packages/lib/site-packages"
NEVER = ("_deploy", "_models", "__pycache__")


def copy_ours(site: Path) -> None:
    """Copy this package into ``site``, without the deploy folders and the bundled models."""
    shutil.copytree(HERE, site / "mlserverless", ignore=shutil.ignore_patterns(*NEVER, "*.pyc"))


def copy_model(where: str, site: Path) -> str:
    """Copy the model at ``where`` into ``site`` and return the name by which the function finds it.

    The copy's sha256 is pinned, so that loading it costs no check of its operators. Raises BuildError where it is
    a URL, ModelUnavailable where it cannot be read.
    """
    _here(where)
    path, loaded = Path(models.locate(where)), models.load(where)
    if why := certificate.stale(loaded):
        raise BuildError(
            f"The certificate in {path / 'model.toml'} says nothing about this model any more: {why}. Run "
            f"`mlserverless certify` again, or take [certificate] out. See {certificate.DOCS}."
        )
    folder = path if path.is_dir() else None
    into = site / "mlserverless" / "_models" / packed_name(where)
    into.mkdir(parents=True)
    text = (folder / "model.toml").read_text(encoding="utf-8") if folder else f"file = {json.dumps(path.name)}\n"
    if not loaded.pinned:
        text = pin(text, loaded)
    (into / "model.toml").write_text(text, encoding="utf-8")
    for source in _files(folder, path, loaded.path, text):
        if folder is not None and (not source.is_relative_to(folder) or ".." in source.relative_to(folder).parts):
            raise BuildError(
                f"{folder / 'model.toml'} names {source}, which is not in the model folder: put it there."
            )
        destination = into / (source.relative_to(folder) if folder else source.name)
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, destination)
    return into.name


def kinds(given: tuple[str, ...]) -> tuple[str, ...]:
    """Return of which kinds the models ``given`` are, as settings name them: tflite, onnx or both."""
    found = []
    for where in (given[0], *(naming.split(other)[1] for other in given[1:])):
        _here(where)
        found.append("tflite" if engines.order(models.load(where).data)[0] in engines.ORDER else "onnx")
    return tuple(sorted(set(found), reverse=True))


def _here(where: str) -> None:
    if "://" in where:
        raise BuildError(
            "The model is a URL: a package holds its model. Download it and give the folder, or set "
            "MLSERVERLESS_MODEL and MLSERVERLESS_MODEL_SHA256 in the deployment and build with a small one."
        )


def copy_models(given: tuple[str, ...], site: Path) -> dict[str, str]:
    """Copy the models ``given``, as settings name them, into ``site``; return the settings that find them there.

    Raises what :func:`copy_model` does, and BuildError where two would have the same folder.
    """
    first, *others = given
    settings, packed = {"MODEL": copy_model(first, site)}, list[str]()
    for alias, where in map(naming.split, others):
        name = packed_name(where)
        if (site / "mlserverless" / "_models" / name).exists():
            raise BuildError(f"Two models would be packed as {name!r}, one of them {where}: rename its folder.")
        copy_model(where, site)
        packed.append(f"{alias}={name}" if alias else name)
    return settings | ({"MODELS": ",".join(packed)} if packed else {})


def folders(settings: dict[str, str]) -> tuple[str, ...]:
    """Return the names of the folders that :func:`copy_models` wrote, the first model's first."""
    return settings["MODEL"], *(folder for _, folder in _others(settings))


def names(settings: dict[str, str], site: Path) -> tuple[str, ...]:
    """Return the names by which a request chooses one of them, the first model's first."""
    place = site / "mlserverless" / "_models"
    others = (f"{alias}={place / folder}" if alias else str(place / folder) for alias, folder in _others(settings))
    return tuple(naming.names(Settings(model=str(place / settings["MODEL"]), models=tuple(others))))


def _others(settings: dict[str, str]) -> list[tuple[str, str]]:
    return [naming.split(other) for other in settings.get("MODELS", "").split(",") if other]


def packed_name(where: str) -> str:
    """Return the name that the model at ``where`` has in a package; raise ModelUnavailable where there is none."""
    path = Path(models.locate(where))
    name = path.name if path.is_dir() else path.stem
    if path.is_dir() and path.resolve().name == "model":  # a project's own, whose folder's name says nothing
        name = models.load(where).name
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name) or "model"


def _files(folder: Path | None, path: Path, file: str, text: str) -> list[Path]:
    if folder is None:
        return [path]
    import tomllib

    says = tomllib.loads(text)
    named = [Path(file), *([folder / says["labels"]] if says.get("labels") else [])]
    libraries = [Path(delegate["library"]) for delegate in says.get("delegates", [])]
    # Others are the system's, where the function runs.
    named += [folder / one for one in libraries if not one.is_absolute() and (folder / one).is_file()]
    return named + [licence for licence in sorted(folder.glob("LICENSE*")) if licence.is_file()]


def copy_entry(target: Target, deploy: Path, project: Path, into: Path, defaults: dict[str, str]) -> None:
    """Copy the ``deploy`` folder's entry file, what stands beside it, and the project's settings into ``into``.

    The entry file gets lines with the package's ``defaults`` of settings; a variable of the deployment wins.
    """
    entry = deploy / ENTRIES[target.provider]
    if not entry.is_file():
        raise BuildError(f"{deploy} has no {entry.name}, which {target.provider} loads: see `mlserverless init`.")
    into.mkdir(parents=True, exist_ok=True)
    try:
        text = with_defaults(entry.read_text(encoding="utf-8"), defaults)
    except SyntaxError as error:
        raise BuildError(f"{entry} is no Python: {error}") from error
    (into / entry.name).write_text(text, encoding="utf-8")
    for name in DATA:
        if (deploy / name).is_file():
            shutil.copyfile(deploy / name, into / name)
    for source in sorted(deploy.glob("*.py")):  # modules of the user's own beside it
        if source.name != entry.name:
            shutil.copyfile(source, into / source.name)
    if (project / SETTINGS).is_file():
        shutil.copyfile(project / SETTINGS, into / SETTINGS)


def with_defaults(source: str, defaults: dict[str, str]) -> str:
    """Return the entry file's ``source`` that sets the settings, where they are not set, before any import."""
    tree = ast.parse(source)
    documented = ast.get_docstring(tree, clean=False) is not None
    after = (tree.body[0].end_lineno or 0) if documented else 0
    later = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    after = max([after, *(node.end_lineno or 0 for node in later)])
    lines = source.splitlines()
    named = [f'os.environ.setdefault("MLSERVERLESS_{name}", "{value}")' for name, value in defaults.items()]
    head = [*([""] if after else []), "import os", "", "# What this package was built with.", *named]
    return "\n".join([*lines[:after], *head, *lines[after:]]) + "\n"
