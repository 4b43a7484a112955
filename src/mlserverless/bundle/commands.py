"""The provider's own commands that deploy a package: which they are, in which order, with which parameters.

Their paths are relative to where the package's path is, so that what is shown can be copied and run there.
"""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import NamedTuple

from mlserverless.bundle.targets import Target

NAME = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]")  # what every provider takes as a name
IMAGE = re.compile(r"[a-z0-9][a-z0-9._-]*(:\d+)?(/[a-z0-9._-]+)*(:[\w.-]+)?")
TEMPLATES = {"aws": "template.yaml", "azure": "main.bicep", "gcp": "flags.yaml"}
LAST = "subscribe"  # the parameter of Azure's template that is true only once the code is there
ENGINES = ("docker", "podman")


class Options(NamedTuple):
    """What a deployment is told beside its package; what is empty is left to the provider's tool.

    ``template`` is the file that describes it, in the package's folder; ``parameters`` are its own, as NAME=VALUE.
    """

    name: str
    region: str = ""
    resource_group: str = ""
    project: str = ""
    template: str = ""
    parameters: tuple[str, ...] = ()


class Command(NamedTuple):
    """One of the provider's commands: what it ``does``, and its ``words``."""

    does: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return shlex.join(self.words)


class WrongOption(ValueError):
    """An option is missing, or is not what the provider takes."""


def commands(
    target: Target, package: Path, options: Options, model: str, templates: Path | None = None
) -> list[Command]:
    """Return the commands that deploy what a build for ``target`` wrote into the folder ``package``.

    ``model`` is the name that the model has in it; ``templates`` is where the template is read while no build has
    copied it yet. Raises WrongOption where an option is missing or there is no such template or parameter.
    """
    if target.provider == "container":
        return _container(package, options)
    if not NAME.fullmatch(options.name):
        raise WrongOption(
            f"The name is {options.name!r}; give one with --name: 2 to 40 lower-case letters, digits and hyphens, "
            "a letter first."
        )
    if target.provider == "azure" and not options.resource_group:
        raise WrongOption("Azure puts what it makes into a resource group: give it with --resource-group.")
    source = _template(templates or package, options.template or TEMPLATES[target.provider])
    if target.provider == "gcp":
        return _gcp(package, options, source)
    return {"aws": _aws, "azure": _azure}[target.provider](target, package, options, model, source)


def _aws(target: Target, package: Path, options: Options, model: str, source: Path) -> list[Command]:
    known = {"Model": model, "Runtime": f"python{target.python}", "Architecture": target.arch}
    given = [_quoted(pair) for pair in _parameters(options, source, **known)]
    words = ["sam", "deploy", "--template-file", str(package / source.name), "--stack-name", options.name]
    words += ["--resolve-s3", "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset"]
    words += ["--no-fail-on-empty-changeset", *_pair("--region", options.region)]
    words += ["--parameter-overrides", *given] if given else []
    return [Command("upload the package, and make or change the stack", tuple(words))]


def _quoted(pair: str) -> str:
    # sam splits its words once more, at spaces that are in no quotes of its own.
    name, _, value = pair.partition("=")
    return f'{name}="{value}"' if not value or re.search(r"\s", value) else pair


def _azure(target: Target, package: Path, options: Options, model: str, source: Path) -> list[Command]:
    group = ("--resource-group", options.resource_group)
    known = {"name": options.name, "location": options.region, "model": model, "pythonVersion": target.python}
    values = _parameters(options, source, **known)
    given = [pair for pair in values if not pair.startswith(f"{LAST}=")]
    make = ["az", "deployment", "group", "create", *group, "--name", options.name]
    make += ["--template-file", str(package / source.name), *(["--parameters", *given] if given else [])]
    upload = ["az", "functionapp", "deployment", "source", "config-zip", *group, "--name", options.name]
    upload += ["--src", str(package / "function.zip"), "--build-remote", "false"]
    every = [
        Command("make or change the function app and what it needs", tuple(make)),
        Command("upload the package", tuple(upload)),
    ]
    if LAST in declared(source) and f"{LAST}=false" not in values:
        # The subscription's address has a key that the host makes only once the app's code is there.
        words = (*make, *([] if given else ["--parameters"]), f"{LAST}=true")
        every.append(Command("have the images that are uploaded from now on sent to the app", words))
    return every


def _gcp(package: Path, options: Options, source: Path) -> list[Command]:
    if options.parameters:
        raise WrongOption(f"gcloud's flags have no parameters: change {source.name} in the project's gcp folder.")
    words = ["gcloud", "functions", "deploy", options.name, "--flags-file", str(package / source.name)]
    words += ["--source", str(package / "source"), *_pair("--region", options.region)]
    words += [*_pair("--project", options.project), "--quiet"]
    return [Command("upload the source, build it there, and make or change the function", tuple(words))]


def _container(package: Path, options: Options) -> list[Command]:
    if not IMAGE.fullmatch(options.name):
        raise WrongOption(f"The image's name is {options.name!r}; give one with --name, as in REGISTRY/NAME:TAG.")
    engine = next((name for name in ENGINES if shutil.which(name)), ENGINES[0])
    made = [Command("build the image", (engine, "build", "--tag", options.name, str(package)))]
    if "/" in options.name:
        made.append(Command("push it to its registry", (engine, "push", options.name)))
    return made


def _template(folder: Path, name: str) -> Path:
    if Path(name).name != name or not (folder / name).is_file():
        found = sorted(path.name for path in folder.glob("*") if path.suffix in (".yaml", ".bicep"))
        there = ", ".join(found) or "none"
        raise WrongOption(f"{folder} has no template {name!r}, but {there}. Give one of them with --template.")
    return folder / name


def _parameters(options: Options, template: Path, **known: str) -> list[str]:
    """Return NAME=VALUE for what is ``known`` and the template has a parameter for, and for the options' own."""
    has = declared(template)
    values = {name: value for name, value in known.items() if value and name in has}
    for pair in options.parameters:
        name, equals, value = pair.partition("=")
        if not equals or name not in has:
            there = ", ".join(sorted(has)) or "none"
            raise WrongOption(f"The parameter {pair!r} is not NAME=VALUE; names in {template.name} are: {there}.")
        values[name] = value
    return [f"{name}={value}" for name, value in values.items()]


def declared(template: Path) -> set[str]:
    """Return the names of the parameters that a SAM template, a Bicep file or an ARM template has."""
    text = template.read_text(encoding="utf-8")
    if template.suffix == ".bicep":
        return set(re.findall(r"^param\s+(\w+)", text, re.MULTILINE))
    if template.suffix == ".json":
        return set(json.loads(text).get("parameters", {}))
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML with CloudFormation's own tags, whose values are not of interest here."""

    Loader.add_multi_constructor("!", lambda _loader, _tag, _node: None)
    return set((Loader(text).get_single_data() or {}).get("Parameters", {}))


def _pair(option: str, value: str) -> list[str]:
    return [option, value] if value else []
