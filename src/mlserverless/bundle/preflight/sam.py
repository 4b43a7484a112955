"""SAM and CloudFormation templates, as they are with their parameters' defaults."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from mlserverless.bundle.preflight.case import Asked, Case, Source, items, mapping, number

FUNCTIONS = ("AWS::Serverless::Function", "AWS::Lambda::Function")
HTTP_EVENTS = ("Api", "HttpApi")
NOTHING = object()  # AWS::NoValue


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short tags as its long forms without ``Fn::``: ``{"Ref": …}``, ``{"If": […]}``."""


def _tag(loader: Any, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    return {suffix: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", _tag)


def load(text: str) -> Any:
    """Return the one document of the YAML ``text``; raise ValueError, saying where it is wrong."""
    try:
        return Loader(text).get_single_data()
    except (yaml.YAMLError, TypeError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())) from error


def read(path: Path, given: Mapping[str, str]) -> Source:
    """Return the template at ``path`` with what is ``given`` for its parameters, else their defaults, in place."""
    try:
        text = path.read_text(encoding="utf-8")
        document = load(text)
    except (OSError, ValueError) as error:
        return Source(path.name, problem=str(error))
    if not isinstance(document, dict) or not isinstance(document.get("Resources"), dict):
        return Source(path.name, text, problem="it has no Resources")
    try:
        return Source(path.name, text, Filled(document, given).fill(document))
    except RecursionError:
        return Source(path.name, text, problem="it refers to itself")


class Filled:
    """What a template is with its parameters given or at their defaults, references and conditions filled in.

    What only the deployment knows stays a mapping such as ``{"Ref": "Bucket"}``; of an unknown condition the first
    branch counts.
    """

    def __init__(self, document: dict[str, Any], given: Mapping[str, str]) -> None:
        told = {name: mapping(about) for name, about in mapping(document.get("Parameters")).items()}
        self.given = {name: about["Default"] for name, about in told.items() if "Default" in about}
        self.given |= {
            name: value
            for name, value in given.items()
            if name in told and value in told[name].get("AllowedValues", [value])
        }
        self.mappings = mapping(document.get("Mappings"))
        self.conditions = mapping(document.get("Conditions"))

    def fill(self, value: Any) -> Any:
        """Return ``value`` filled in."""
        if isinstance(value, list):
            return [one for one in map(self.fill, value) if one is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, inside),) = value.items()
            name = str(name).removeprefix("Fn::")
            if name == "Ref" and isinstance(inside, str):
                return NOTHING if inside == "AWS::NoValue" else self.given.get(inside, value)
            if name == "If" and isinstance(inside, list) and len(inside) == 3:
                return self.fill(inside[2] if self.holds({"Condition": inside[0]}) is False else inside[1])
            if name == "FindInMap" and isinstance(inside, list) and len(inside) == 3:
                return self._found([self.fill(key) for key in inside], value)
            if name == "Sub" and isinstance(inside, str):
                return re.sub(r"\$\{(\w+)\}", lambda found: str(self.given.get(found[1], found[0])), inside)
        filled = ((key, self.fill(inner)) for key, inner in value.items())
        return {key: inner for key, inner in filled if inner is not NOTHING}

    def _found(self, keys: list[Any], otherwise: Any) -> Any:
        inside: Any = self.mappings
        for key in keys:
            inside = {str(name): told for name, told in mapping(inside).items()}.get(str(key), otherwise)
        return otherwise if isinstance(inside, dict) else inside

    def holds(self, condition: Any) -> bool | None:
        """Return whether a condition holds; None where that is not known."""
        ((name, inside),) = mapping(condition).items() if len(mapping(condition)) == 1 else (("", None),)
        name = str(name).removeprefix("Fn::")
        if name == "Condition":
            return self.holds(self.conditions.get(inside)) if isinstance(inside, str) else None
        if name == "Equals" and isinstance(inside, list) and len(inside) == 2:
            one, other = map(self.fill, inside)
            return None if isinstance(one, dict) or isinstance(other, dict) else str(one) == str(other)
        told = [self.holds(inner) for inner in items(inside)]
        if name == "Not" and len(told) == 1:
            return None if told[0] is None else not told[0]
        if name == "And":
            return False if False in told else None if None in told else True
        if name == "Or":
            return True if True in told else None if None in told else False
        return None


class Function(NamedTuple):
    """A function of a template: where it stands, and its properties with the template's Globals in them."""

    source: Source
    name: str
    properties: dict[str, Any]
    serverless: bool

    @property
    def where(self) -> str:
        """The file and the function."""
        return f"{self.source.name}: {self.name}"

    @property
    def events(self) -> dict[str, Any]:
        """SAM's events, by their names."""
        return {name: mapping(event) for name, event in mapping(self.properties.get("Events")).items()}

    @property
    def kinds(self) -> set[str]:
        """The types of SAM's events."""
        return {str(event.get("Type")) for event in self.events.values()}


def resources(source: Source, *kinds: str) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield the name, the properties and the whole of each resource of these ``kinds``."""
    for name, resource in mapping(mapping(source.says).get("Resources")).items():
        if mapping(resource).get("Type") in kinds:
            yield str(name), mapping(resource.get("Properties")), resource


def functions(source: Source) -> list[Function]:
    """Return the template's functions."""
    shared = mapping(mapping(mapping(source.says).get("Globals")).get("Function"))
    found = []
    for name, own, resource in resources(source, *FUNCTIONS):
        serverless = resource["Type"] == FUNCTIONS[0]
        both = {**shared, **own} if serverless else dict(own)
        if serverless:
            places = (shared.get("Environment"), own.get("Environment"))
            variables = [mapping(mapping(place).get("Variables")) for place in places]
            both["Environment"] = {"Variables": {**variables[0], **variables[1]}}
        found.append(Function(source, name, both, serverless))
    return found


def every(case: Case) -> list[Function]:
    """Return the functions of all templates, none where the target is another cloud."""
    sources = case.sources if case.target.provider == "aws" else ()
    return [function for source in sources for function in functions(source)]


def asked(source: Source) -> list[Asked]:
    """Return what the template asks for its functions."""
    return [_asked(function) for function in functions(source)]


def _asked(function: Function) -> Asked:
    properties = function.properties
    runtime, architectures = properties.get("Runtime"), items(properties.get("Architectures"))
    memory, timeout = number(properties.get("MemorySize", 128)), number(properties.get("Timeout", 3))
    image = properties.get("PackageType") == "Image"
    kinds = function.kinds
    arch = architectures[0] if architectures else "x86_64"
    return Asked(
        function.where,
        runtime.removeprefix("python") if isinstance(runtime, str) and not image else None,
        arch if isinstance(arch, str) else None,
        None if memory is None else int(memory),
        timeout,
        "FunctionUrlConfig" in properties or bool(kinds & set(HTTP_EVENTS)),
        mapping(mapping(properties.get("Environment")).get("Variables")),
    )
