"""Which function of an Azure app answers a request: host.json's prefix, route templates, methods, precedence.

The Functions host does this in .NET before the Python worker sees anything; here are the same rules, pure.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

_CONSTRAINTS = {
    "int": r"-?\d+",
    "long": r"-?\d+",
    "bool": r"true|false",
    "alpha": r"[a-z]+",
    "guid": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
}
_PARAMETER = re.compile(r"\{(?P<all>\*{0,2})(?P<name>[^{}:?=*]+)(?::(?P<constraint>\w+))?(?P<optional>\??)\}")


class Route(NamedTuple):
    """One HTTP function's way in. ``methods`` is upper case, empty where every method is taken."""

    function: str
    template: str
    methods: tuple[str, ...]
    auth_level: str
    pattern: re.Pattern[str]
    parameters: tuple[str, ...]
    precedence: tuple[tuple[int, int, str], ...]


def route(function: str, binding: Mapping[str, Any], prefix: str) -> Route:
    """Return the route that ``binding``, an ``httpTrigger`` as the worker indexed it, gives to ``function``.

    Raises ValueError for a template that the host refuses (a slash first) or that is not supported here.
    """
    own = binding.get("route") or function
    if own.startswith(("/", "~")):
        raise ValueError(
            f"function {function!r}: route {own!r} may not begin with {own[0]!r}; the host refuses it"
        )
    template = f"{prefix.strip('/')}/{own}".strip("/")
    pattern, parameters = _compile(template)
    methods = tuple(str(method).upper() for method in binding.get("methods") or ())
    level = str(binding.get("authLevel") or "FUNCTION").upper()
    return Route(function, template, methods, level, pattern, parameters, _precedence(template))


def ordered(routes: Iterable[Route]) -> list[Route]:
    """Return ``routes`` in the host's order: text before parameters, longer before shorter, then by name."""
    return sorted(routes, key=lambda item: (item.precedence, item.function.lower()))


def match(routes: Iterable[Route], method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """Return the first of ``routes`` that takes ``method`` on ``path`` (decoded), with its route parameters.

    None where there is none: the host answers 404 then, for a wrong method too. An empty catch-all or an
    absent optional parameter is not in the parameters, as the host leaves it out.
    """
    for item in routes:
        found = item.pattern.fullmatch(path.removeprefix("/"))
        if found and (not item.methods or method.upper() in item.methods):
            values = zip(item.parameters, found.groups(), strict=True)
            return item, {name: value for name, value in values if value}
    return None


def route_prefix(app_dir: Path) -> str:
    """Return ``extensions.http.routePrefix`` of the app's host.json, ``"api"`` where it says nothing.

    Raises ValueError where host.json is missing or is not JSON: the host does not start then.
    """
    path = app_dir / "host.json"
    try:
        settings = json.loads(path.read_text(encoding="utf-8-sig"))
        return str(settings.get("extensions", {}).get("http", {}).get("routePrefix", "api"))
    except FileNotFoundError:
        raise ValueError(f"{app_dir} is no function app: it holds no host.json") from None
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{path} is not the JSON object that the host accepts: {error}") from error


def _compile(template: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    pattern, names = "", []
    for segment in template.split("/"):
        separator = "/" if pattern else ""
        whole = _PARAMETER.fullmatch(segment)
        if whole and (whole["all"] or whole["optional"]):
            names.append(whole["name"])
            body = ".*" if whole["all"] else _one(whole)
            pattern += f"(?:{separator}({body}))?"
            continue
        pattern += separator
        end = 0
        for part in _PARAMETER.finditer(segment):
            names.append(part["name"])
            pattern += _literal(segment[end : part.start()], template) + f"({_one(part)})"
            end = part.end()
        pattern += _literal(segment[end:], template)
    return re.compile(f"{pattern}/?", re.IGNORECASE | re.DOTALL), tuple(names)  # a line break is a letter, too


def _one(parameter: re.Match[str]) -> str:
    constraint = parameter["constraint"]
    if constraint is None:
        return "[^/]+?"
    if constraint not in _CONSTRAINTS:
        raise ValueError(f"route constraint {constraint!r} is not supported here; {', '.join(_CONSTRAINTS)} are")
    return f"(?:{_CONSTRAINTS[constraint]})"


def _literal(text: str, template: str) -> str:
    if "{" in text or "}" in text:
        raise ValueError(f"route {template!r}: {text!r} is not a route parameter that is supported here")
    return re.escape(text)


def _precedence(template: str) -> tuple[tuple[int, int, str], ...]:
    # The host compares segment by segment and only by the first part of each: text, then the more constrained
    # parameter, then the other parameters, and last where the template has no segment any more.
    ranks = []
    for segment in template.split("/"):
        first = _PARAMETER.match(segment)
        ranks.append((1, 0 if first["constraint"] is None else -1, "") if first else (0, 0, segment.lower()))
    return (*ranks, (2, 0, ""))
