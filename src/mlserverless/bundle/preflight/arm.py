"""What a deploy folder for Azure says: ``host.json``, ``main.bicep``, and ``main.json``, which is made of it.

Bicep is read line by line, as far as its values are literals or parameters with a default: its compiler is a
program of 60 MB that nobody should need for a look.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlserverless.bundle.preflight.case import Asked, Source, Unknown, items, mapping, number

TIME_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?")
_REFERENCE = re.compile(r"\[(parameters|variables)\('(\w+)'\)\]")
_PAIR = re.compile(r"^\s*'?([\w.]+)'?:[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_LITERAL = re.compile(r"'((?:[^'\\]|\\.)*)'|(-?\d+)|(true|false)")
_SETTING = re.compile(r"\bname:\s*'([\w.]+)'\s*,?\s*value:\s*('(?:[^'\\\n]|\\.)*'|[^\n}]+)")


def read(path: Path, given: Mapping[str, str]) -> Source:
    """Return the file at ``path``, with what is ``given`` for its parameters; Bicep says pairs of key, value."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".bicep":
            return Source(path.name, text, {"pairs": list(_bicep(text, given))})
        says = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        return Source(path.name, problem=str(error))
    if not isinstance(says, dict):
        return Source(path.name, text, problem="it is no JSON object")
    if path.name != "host.json" and "resources" not in says:
        return Source(path.name, text, problem="it has no resources, so it is no ARM template")
    parameters = mapping(says.get("parameters"))
    for name, value in given.items():
        if name in parameters and value in mapping(parameters[name]).get("allowedValues", [value]):
            parameters[name] = {**mapping(parameters[name]), "defaultValue": value}
    return Source(path.name, text, says)


def _bicep(text: str, given: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    text = re.sub(r"(?m)(^|\s)//.*$", "", text)
    named = dict(re.findall(r"(?m)^(?:param|var)\s+(\w+)[^=\n]*=\s*(.+?)\s*$", text))
    for name, value in given.items():
        before = re.search(rf"(?m)((?:^@.*\n(?:^[^@p\n].*\n)*)*)^param {name}\b", text)
        if before and ("@allowed" not in before[1] or f"'{value}'" in before[1]):
            named[name] = f"'{value}'"
    for name, value in _SETTING.findall(text):
        yield "appSettings." + name, _bicep_value(value.strip(), named)
    for runtime in re.findall(r"\bruntime:\s*\{([^}]*)\}", text):
        for name, value in re.findall(r"(name|version):\s*([^\n,}]+)", runtime):
            yield f"runtime.{name}", _bicep_value(value.strip(), named)
    for key, value in _PAIR.findall(text):
        yield key, _bicep_value(value, named)


def _bicep_value(text: str, named: dict[str, str], depth: int = 0) -> Any:
    if (found := _LITERAL.fullmatch(text)) and "${" not in text:
        if found[2]:
            return int(found[2])
        return found[3] == "true" if found[3] else found[1]
    if text in named and depth < 5:
        return _bicep_value(named[text], named, depth + 1)
    return Unknown(text)


def pairs(source: Source) -> Iterator[tuple[str, Any]]:
    """Yield every key with its value, however deep; in ARM, parameters stand for their defaults.

    An app setting's key is ``appSettings.NAME``, a runtime's ``runtime.version``.
    """
    if source.name.endswith(".bicep"):
        yield from mapping(source.says).get("pairs", [])
    else:
        yield from _walk(source.says, mapping(source.says), "")


def _walk(value: Any, document: dict[str, Any], under: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        for inner in value:
            yield from _walk(inner, document, under)
    elif isinstance(value, dict):
        if under == "appSettings" and "name" in value and "value" in value:
            yield f"appSettings.{value['name']}", _resolved(value["value"], document)
        for key, inner in value.items():
            if key in ("parameters", "variables", "metadata", "outputs") and value is document:
                continue
            told = _resolved(inner, document)
            yield f"runtime.{key}" if under == "runtime" else str(key), told
            yield from _walk(told, document, str(key))


def _resolved(value: Any, document: dict[str, Any], depth: int = 0) -> Any:
    found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if found is None or depth > 5:
        return Unknown(value) if isinstance(value, str) and value.startswith("[") else value
    told = mapping(document.get(found[1])).get(found[2])
    told = mapping(told).get("defaultValue", Unknown(value)) if found[1] == "parameters" else told
    return _resolved(told, document, depth + 1)


def values(source: Source, key: str) -> list[Any]:
    """Return the values of ``key`` in the file that are known before a deployment."""
    return [
        value for found, value in pairs(source) if found == key and not isinstance(value, dict | list | Unknown)
    ]


def seconds(span: Any) -> float | None:
    """Return host.json's time span in seconds, infinite for -1; None where it is none."""
    if str(span).strip() == "-1":
        return float("inf")
    found = TIME_SPAN.fullmatch(str(span).strip())
    if not found:
        return None
    days, hours, minutes, rest = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + rest)


def acknowledged(source: Source, check: str, key: str, value: str = "", within: str = "") -> bool:
    """Return whether an opening is meant: by a comment in Bicep, in JSON by the document's ``metadata``."""
    said = items(mapping(mapping(source.says).get("metadata")).get("mlserverless"))
    return source.acknowledges(check, key, value, within) or f"{check}-on-purpose" in said


def asked(source: Source) -> list[Asked]:
    """Return what the file asks for."""
    if source.problem or source.name == "host.json":
        return []
    memory = [number(value) for value in values(source, "instanceMemoryMB")]
    versions = [str(value) for value in values(source, "runtime.version")]
    variables = {
        key.removeprefix("appSettings."): value for key, value in pairs(source) if key.startswith("appSettings.")
    }
    ours = {key: value for key, value in pairs(source) if key.startswith("MLSERVERLESS_")}
    return [
        Asked(
            source.name,
            versions[0] if versions else None,
            "x86_64",
            int(memory[0]) if memory and memory[0] is not None else None,
            http=True,
            variables={**ours, **variables},
        )
    ]
