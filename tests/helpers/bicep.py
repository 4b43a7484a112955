"""Bicep made into an ARM template, as far as adapters/azure/main.bicep goes: what `main.json` is held to.

Microsoft's compiler is a program for .NET; here pycep parses. Its tree does not tell a name from a text that is
the same, so a text that equals a declared name is refused by :func:`check_names`.

Usage: python -m helpers.bicep FILE     (tests/ on the path) prints the template.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from pycep import BicepParser

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
DECORATORS = {"allowed": "allowedValues", "min_value": "minValue", "max_value": "maxValue"}
DECORATORS |= {"min_length": "minLength", "max_length": "maxLength"}
HELD = re.compile(r"\$\{([^{}]+)\}")
ACCESSORS = ("property_accessor", "function_accessor")
EXTENSIONS = "Microsoft.Authorization/"  # resources of other resources: their scope is a part of their id


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


class Template:
    """A Bicep file's template."""

    def __init__(self, text: str) -> None:
        self.tree: Any = BicepParser().parse(text=text)
        self.parameters, self.variables = self.tree["parameters"], self.tree["variables"]
        self.resources: dict[str, dict[str, Any]] = {}
        for name, resource in self.tree["resources"].items():
            config, condition = resource["config"], None
            if "condition" in config:
                config, condition = config["config"], config["condition"]
            self.resources[name] = {**resource, "config": config, "condition": condition}

    def arm(self) -> dict[str, Any]:
        """Return the ARM template."""
        made = {name: self._resource(one) for name, one in self.resources.items() if not one["existing"]}
        return {
            "$schema": SCHEMA,
            "contentVersion": "1.0.0.0",
            "parameters": {name: self._parameter(about) for name, about in self.parameters.items()},
            "variables": {
                name: self._value(about["value"])
                for name, about in self.variables.items()
                if not self._symbols(about["value"])
            },
            "resources": list(made.values()),
            "outputs": {
                name: {
                    "type": about["type"],
                    **self._described(about),
                    "value": self._value(about["value"]),
                }
                for name, about in self.tree["outputs"].items()
            },
        }

    def _described(self, about: dict[str, Any]) -> dict[str, Any]:
        told = [one["argument"] for one in about["decorators"] if one["type"] == "description"]
        return {"metadata": {"description": told[0].replace("\\'", "'")}} if told else {}

    def _parameter(self, about: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {"type": about["type"]}
        if about["default"] is not None:
            made["defaultValue"] = self._value(about["default"])
        for one in about["decorators"]:
            if one["type"] in DECORATORS:
                made[DECORATORS[one["type"]]] = one["argument"]
        return {**made, **self._described(about)}

    def _resource(self, one: dict[str, Any]) -> dict[str, Any]:
        config = {
            key: value for key, value in one["config"].items() if key not in ("parent", "scope", "dependsOn")
        }
        made: dict[str, Any] = {"condition": self._value(one["condition"])} if one["condition"] else {}
        made |= {"type": one["type"], "apiVersion": one["api_version"]}
        if "scope" in one["config"]:
            made["scope"] = f"[{self._id(one['config']['scope'])}]"
        names = self._names(one)
        places = "/".join(f"{{{number}}}" for number in range(len(names)))
        made["name"] = (
            f"[format('{places}', {', '.join(names)})]" if len(names) > 1 else self._value(config["name"])
        )
        made |= {key: self._value(value) for key, value in config.items() if key != "name"}
        needed = sorted(self._needed(one))
        if needed:
            made["dependsOn"] = [f"[{self._id(name)}]" for name in needed]
        return made

    def _names(self, one: dict[str, Any]) -> list[str]:
        parent = one["config"].get("parent")
        above = self._names(self.resources[parent]) if parent else []
        return [*above, self._expression(one["config"]["name"])]

    def _id(self, symbol: str) -> str:
        one = self.resources[symbol]
        names = ", ".join([f"'{one['type']}'", *self._names(one)])
        if one["type"].startswith(EXTENSIONS):
            return f"extensionResourceId({self._id(one['config']['scope'])}, {names})"
        return f"resourceId({names})"

    def _needed(self, one: dict[str, Any]) -> set[str]:
        """Return the symbols of the resources that have to be there before this one."""
        found: set[str] = set()
        for symbol in self._symbols(one["config"]):
            other = self.resources[symbol]
            found |= self._needed(other) if other["existing"] else {symbol}
        return found

    def _symbols(self, value: Any) -> set[str]:
        if isinstance(value, dict):
            if value.get("type") in ACCESSORS:
                return self._symbols(value["operands"]["operand_1"])
            return set().union(*map(self._symbols, value.values()))
        if isinstance(value, list):
            return set().union(*map(self._symbols, value))
        if isinstance(value, str) and "${" in value:
            return set().union(*(self._symbols(self._parsed(text)) for text in HELD.findall(value)))
        if isinstance(value, str) and value in self.variables:
            return self._symbols(self.variables[value]["value"])
        return {value} if isinstance(value, str) and value in self.resources else set()

    def _parsed(self, text: str) -> Any:
        return BicepParser().parse(text=f"output held string = {text}\n")["outputs"]["held"]["value"]

    def _value(self, value: Any) -> Any:
        """Return a value as JSON has it: expressions in brackets."""
        if isinstance(value, list):
            return [self._value(one) for one in value]
        if isinstance(value, dict) and not {"operator", "function"} & set(value):
            return {key: self._value(one) for key, one in value.items()}
        if isinstance(value, str) and not self._is_name(value) and "${" not in value:
            return value
        return value if isinstance(value, bool | int) else f"[{self._expression(value)}]"

    def _is_name(self, text: str) -> bool:
        return text in self.parameters or text in self.variables

    def _expression(self, value: Any) -> str:
        if isinstance(value, dict):
            return self._call(value)
        if isinstance(value, bool | int):
            return str(value).lower()
        if value in self.parameters:
            return f"parameters('{value}')"
        if value in self.variables:
            inside = self.variables[value]["value"]
            if self._symbols(
                inside
            ):  # ARM's variables know nothing of resources, so such a one is put in its place
                return self._expression(inside)
            return f"variables('{value}')"
        held = [self._expression(self._parsed(text)) for text in HELD.findall(value)]
        numbers = iter(range(len(held)))
        text = HELD.sub(lambda _: f"{{{next(numbers)}}}", value)
        return f"format('{text}', {', '.join(held)})" if held else f"'{value}'"

    def _call(self, value: dict[str, Any]) -> str:
        if "function" in value:
            about = value["function"]
            given = [self._expression(one) for one in about["parameters"].values() if one is not None]
            return f"{_camel(about['type'])}({', '.join(given)})"
        about = value["operator"]
        operands = about["operands"]
        if about["type"] == "conditional":
            told = (operands[name] for name in ("condition", "true_value", "false_value"))
            return f"if({', '.join(map(self._expression, told))})"
        if about["type"] not in ACCESSORS:
            raise ValueError(f"The operator {about['type']} is not made into ARM's here.")
        return self._accessed(*self._path(value))

    def _path(self, value: Any) -> list[Any]:
        """Return what stands between the dots: names and calls."""
        if isinstance(value, dict) and value.get("operator", {}).get("type") in ACCESSORS:
            operands = value["operator"]["operands"]
            after = (
                [f"{operands['func_name']}()"] if "func_name" in operands else self._path(operands["operand_2"])
            )
            return [*self._path(operands["operand_1"]), *after]
        return [value]

    def _accessed(self, of: Any, *path: Any) -> str:
        if not isinstance(of, str) or of not in self.resources:
            return ".".join([self._expression(of), *path])
        one, (first, *rest) = self.resources[of], path
        if first == "id":
            return self._id(of)
        if first == "name":
            return self._names(one)[-1]
        if first.endswith("()"):
            called = f"{first.removesuffix('()')}({self._id(of)}, '{one['api_version']}')"
        elif first == "properties":
            called = f"reference({self._id(of)}, '{one['api_version']}')"
        else:
            called = f"reference({self._id(of)}, '{one['api_version']}', 'full').{first}"
        return ".".join([called, *rest])


def texts(text: str) -> list[str]:
    """Return the texts in a Bicep file that stand as a value of their own."""
    return re.findall(r"(?m)^\s*(?:\w+:\s*)?'((?:[^'\\]|\\.)*)'\s*$", text)


def check_names(text: str) -> None:
    """Raise ValueError where a text equals a declared name."""
    declared = set(re.findall(r"(?m)^(?:param|var|resource)\s+(\w+)", text))
    if both := declared & set(texts(text)):
        raise ValueError(f"These are names and texts at once, which pycep does not tell apart: {sorted(both)}")


if __name__ == "__main__":
    print(json.dumps(Template(Path(sys.argv[1]).read_text(encoding="utf-8")).arm(), indent=2))
