"""An ARM template's resources against the typed models of Microsoft's own SDKs.

They say which properties there are, which are required or read-only, of what type each is and which
values an enumeration has. They do not say what only the service knows: which plan takes which setting, whether
a name is free. Expressions are taken for any text; parameters stand for their defaults.

Usage: .venv-tools/bin/python tests/helpers/arm_models.py TEMPLATE: prints JSON, the problems and what was counted.
"""

import importlib
import inspect
import json
import re
import sys
import types
import typing
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

# The type: the SDK's module, the model of what is sent, and the module that says of which API version it is.
MODELS = {
    "Microsoft.Storage/storageAccounts": ("azure.mgmt.storage", "models", "StorageAccountCreateParameters"),
    "Microsoft.Storage/storageAccounts/blobServices": ("azure.mgmt.storage", "models", "BlobServiceProperties"),
    "Microsoft.Storage/storageAccounts/blobServices/containers": ("azure.mgmt.storage", "models", "BlobContainer"),
    "Microsoft.OperationalInsights/workspaces": ("azure.mgmt.loganalytics", "models", "Workspace"),
    "Microsoft.Insights/components": (
        "azure.mgmt.applicationinsights",
        "v2020_02_02.models",
        "ApplicationInsightsComponent",
    ),
    "Microsoft.Web/serverfarms": ("azure.mgmt.web", "models", "AppServicePlan"),
    "Microsoft.Web/sites": ("azure.mgmt.web", "models", "Site"),
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": (
        "azure.mgmt.web",
        "models",
        "CsmPublishingCredentialsPoliciesEntity",
    ),
    "Microsoft.Authorization/roleAssignments": (
        "azure.mgmt.authorization",
        "v2022_04_01.models",
        "RoleAssignmentCreateParameters",
    ),
    "Microsoft.EventGrid/systemTopics": ("azure.mgmt.eventgrid", "models", "SystemTopic"),
    "Microsoft.EventGrid/systemTopics/eventSubscriptions": ("azure.mgmt.eventgrid", "models", "EventSubscription"),
}
AROUND = {"type", "apiVersion", "name", "condition", "dependsOn", "scope", "comments", "tags"}
PLAIN = {"str": str, "bool": bool, "int": int, "float": (int, float), "object": object, "iso-8601": str}


class Field(NamedTuple):
    """A property: its type, and what is said of it."""

    kind: Any
    required: bool
    readonly: bool
    rules: dict[str, Any]


class Checker:
    """Checks bodies; ``problems`` is what was found, ``checked`` how many values had a model to be held to."""

    def __init__(self, template: dict[str, Any]) -> None:
        self.template, self.problems, self.checked, self.expressions = template, list[str](), 0, 0

    def resources(self) -> None:
        """Check every resource."""
        for resource in self.template["resources"]:
            kind, version = resource["type"], resource["apiVersion"]
            if kind not in MODELS:
                self.problems.append(f"{kind}: there is no model for it here")
                continue
            sdk, module, name = MODELS[kind]
            models = importlib.import_module(f"{sdk}.{module}")
            if version != (known := _version(sdk, module)):
                self.problems.append(f"{kind}: apiVersion {version}, and the model is of {known}")
            body = {key: value for key, value in resource.items() if key not in AROUND}
            self.object(body, getattr(models, name), kind)

    def object(self, value: Any, model: Any, where: str) -> None:
        """Check an object against its model."""
        if not isinstance(value, dict):
            self.problems.append(f"{where}: {value!r}, and an object is wanted")
            return
        model = _subtype(model, value)
        table = fields(model)
        self._level(value, table, (), model, where)
        for path, field in table.items():
            if field.required and not field.readonly and _missing(value, path):
                self.problems.append(f"{where}: {'.'.join(path)} is required")

    def _level(self, value: dict[str, Any], table: Any, above: tuple[str, ...], model: Any, where: str) -> None:
        for key, inner in value.items():
            path = (*above, key)
            if field := table.get(path):
                if field.readonly:
                    self.problems.append(f"{where}.{key}: is read-only")
                self._value(inner, field, f"{where}.{key}", model)
            elif isinstance(inner, dict) and any(other[: len(path)] == path for other in table):
                self._level(inner, table, path, model, f"{where}.{key}")
            else:
                self.problems.append(f"{where}.{key}: {model.__name__} has no such property")

    def _value(self, value: Any, field: Field, where: str, model: Any) -> None:
        value = self._resolved(value)
        self.checked += 1
        if isinstance(value, str) and value.startswith("["):
            self.expressions += 1
            return
        for rule, limit in field.rules.items():
            if rule == "known":
                if value not in limit:
                    self.problems.append(f"{where}: {value!r}, and one of {limit} is wanted")
                continue
            size = value if rule in ("minimum", "maximum") else len(value)
            if (rule.startswith("min") and size < limit) or (rule.startswith("max") and size > limit):
                self.problems.append(f"{where}: {value!r}, against {rule} {limit}")
        if wrong := self._wrong(value, field.kind, where, model):
            self.problems.append(f"{where}: {value!r}, and {wrong} is wanted")

    def _wrong(self, value: Any, kind: Any, where: str, model: Any) -> str:
        """Return what is wanted instead, "" where the value is right; models inside are checked on their own."""
        origin, inside = typing.get_origin(kind), typing.get_args(kind)
        if origin in (typing.Union, types.UnionType):
            chosen = [one for one in inside if one is not type(None)]
            enums = [one for one in chosen if inspect.isclass(one) and issubclass(one, Enum)]
            if enums:
                known = [member.value for member in enums[0]]
                return "" if value in known else f"one of {known}"
            return "" if any(not self._wrong(value, one, where, model) for one in chosen) else str(chosen)
        if origin in (list, typing.List) or (isinstance(kind, str) and kind.startswith("[")):  # noqa: UP006
            item = inside[0] if inside else kind[1:-1]
            if not isinstance(value, list):
                return "a list"
            for number, one in enumerate(value):
                self._value(one, Field(item, False, False, {}), f"{where}[{number}]", model)
            return ""
        if origin is dict or (isinstance(kind, str) and kind.startswith("{")):
            return "" if isinstance(value, dict) else "a map"
        if isinstance(kind, str) and kind not in PLAIN:
            kind = getattr(sys.modules[model.__module__], kind)
        if inspect.isclass(kind) and (hasattr(kind, "_attribute_map") or _rest(kind)):
            self.object(value, kind, where)
            return ""
        plain = PLAIN.get(kind, kind) if isinstance(kind, str) else kind
        if plain in (Any, object):
            return ""
        fits = isinstance(value, plain) and not (isinstance(value, bool) and plain is not bool)
        return "" if fits else str(kind)

    def _resolved(self, value: Any) -> Any:
        found = re.fullmatch(r"\[(parameters|variables)\('(\w+)'\)\]", value) if isinstance(value, str) else None
        if found is None:
            return value
        told = self.template[found[1]][found[2]]
        return self._resolved(told.get("defaultValue", value) if found[1] == "parameters" else told)


def _missing(value: dict[str, Any], path: tuple[str, ...]) -> bool:
    if path[0] not in value:
        return True
    return len(path) > 1 and _missing(value[path[0]], path[1:])


def _rest(model: Any) -> dict[str, Any]:
    """Return the properties of a model as the newer SDKs write it."""
    found: dict[str, Any] = {}
    for one in reversed(getattr(model, "__mro__", ())):
        found |= {name: about for name, about in vars(one).items() if type(about).__name__ == "_RestField"}
    return found


def _subtype(model: Any, value: dict[str, Any]) -> Any:
    """Return the model that a discriminator in ``value`` chooses."""
    for attribute, known in vars(model).get("_subtype_map", {}).items():
        key = model._attribute_map[attribute]["key"]
        if value.get(key) in known:
            return _subtype(getattr(sys.modules[model.__module__], known[value[key]]), value)
    return model


def _known(model: Any, name: str) -> list[str]:
    """Return an enumeration's values, which the older SDKs tell in the model's documentation only."""
    found = re.search(rf":ivar {name}:(.*?)(?=:vartype)", model.__doc__ or "", re.S)
    listed = re.search(r"Known\s+values\s+are:(.*)", found[1], re.S) if found else None
    return re.findall(r'"([^"]+)"', listed[1]) if listed else []


def fields(model: Any) -> dict[tuple[str, ...], Field]:
    """Return what a model says of each property, by its path."""
    found: dict[tuple[str, ...], Field] = {}
    if hasattr(model, "_attribute_map"):
        for name, about in model._attribute_map.items():
            rules = dict(model._validation.get(name, {}))
            required, readonly = rules.get("required", False), rules.get("readonly", False)
            rules = {rule: limit for rule, limit in rules.items() if rule.startswith(("min", "max"))}
            if about["type"] == "str" and (known := _known(model, name)):
                rules["known"] = known
            path = tuple(re.split(r"(?<!\\)\.", about["key"]))
            found[path] = Field(about["type"], required, readonly, rules)
        return found
    module = sys.modules[model.__module__]
    names = {"_models": importlib.import_module(module.__package__)}
    hints = typing.get_type_hints(model, localns=names)
    for name, about in _rest(model).items():
        kind, readonly = hints[name], about._visibility == ["read"]
        optional = type(None) in typing.get_args(kind)
        found[(about._rest_name_input or name,)] = Field(kind, not optional, readonly, {})
    return found


def _version(sdk: str, module: str) -> str:
    """Return the API version that the SDK's models are of."""
    if found := re.match(r"v(\d{4})_(\d\d)_(\d\d)", module):
        return "-".join(found.groups())
    path = Path(importlib.import_module(sdk).__file__ or "").parent / "_configuration.py"
    (version,) = set(re.findall(r'kwargs\.pop\(\s*"api_version", "([\d-]+)"', path.read_text(encoding="utf-8")))
    return str(version)


def main(path: Path) -> dict[str, Any]:
    """Return what was found in the template at ``path``."""
    checker = Checker(json.loads(path.read_text(encoding="utf-8")))
    checker.resources()
    told = {"problems": checker.problems, "checked": checker.checked, "expressions": checker.expressions}
    return {**told, "resources": len(checker.template["resources"])}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1])), indent=2))
