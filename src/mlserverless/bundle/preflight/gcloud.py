"""What a deploy folder for Google says: gcloud's flags files (``flags*.yaml``), Cloud Run's ``service.yaml``."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlserverless.bundle.preflight.case import Asked, Source, items, mapping, number
from mlserverless.bundle.preflight.sam import load

UNITS = {"": 1.0, "K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0 * 1024}
SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


def read(path: Path) -> Source:
    """Return the flags or the service at ``path``; several maps of a flags file are one."""
    try:
        text = path.read_text(encoding="utf-8")
        says = load(text)
    except (OSError, ValueError) as error:
        return Source(path.name, problem=str(error))
    if isinstance(says, list) and all(isinstance(one, dict) for one in says):
        says = {key: value for one in says for key, value in one.items()}
    if not isinstance(says, dict):
        return Source(path.name, text, problem="it is no map")
    if "kind" in says:
        known = says["kind"] == "Service" and isinstance(says.get("spec"), dict)
        return Source(path.name, text, says, "" if known else "it is no Service with a spec")
    if wrong := [str(key) for key in says if not str(key).startswith("--")]:
        return Source(path.name, text, problem=f"{wrong[0]} is no flag: flags begin with --")
    return Source(path.name, text, says)


def flags(source: Source) -> dict[str, Any]:
    """Return the flags of a flags file by their names without ``--``; none for a service."""
    return {str(key).removeprefix("--"): value for key, value in mapping(source.says).items() if _flag(key)}


def _flag(key: Any) -> bool:
    return str(key).startswith("--")


def is_set(told: dict[str, Any], name: str) -> bool:
    """Return whether the flag ``name``, which takes no value, is set."""
    return name in told and told[name] is not False


def megabytes(value: Any) -> int | None:
    """Return a size such as 512Mi, 1GiB or 1G as MB (2²⁰ bytes)."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:iB|i|B)?", str(value).strip())
    return round(float(found[1]) * UNITS[found[2]]) if found else None


def seconds(value: Any) -> float | None:
    """Return a duration such as 60, 60s or 5m in seconds."""
    found = re.fullmatch(r"(\d+)([smh]?)", str(value).strip())
    return float(found[1]) * SECONDS[found[2]] if found else None


def variables(told: dict[str, Any]) -> dict[str, Any]:
    """Return the environment variables that the flags set."""
    found: dict[str, Any] = {}
    for name in ("set-env-vars", "update-env-vars"):
        value = told.get(name)
        if isinstance(value, str):
            text, between = value, ","
            if custom := re.match(r"\^(.+?)\^", value):
                text, between = value[custom.end() :], custom[1]
            found |= dict(pair.split("=", 1) for pair in text.split(between) if "=" in pair)
        else:
            found |= mapping(value)
    return found


def containers(source: Source) -> Iterator[dict[str, Any]]:
    """Yield the containers of a service."""
    spec = mapping(mapping(mapping(mapping(source.says).get("spec")).get("template")).get("spec"))
    for container in items(spec.get("containers")):
        yield mapping(container)


def annotations(source: Source) -> dict[str, Any]:
    """Return the annotations of a service and of its revisions."""
    service = mapping(source.says)
    revision = mapping(mapping(service.get("spec")).get("template"))
    places = (mapping(place.get("metadata")).get("annotations") for place in (service, revision))
    return {key: value for place in places for key, value in mapping(place).items()}


def asked(source: Source) -> list[Asked]:
    """Return what the file asks for."""
    if mapping(source.says).get("kind") == "Service":
        spec = mapping(mapping(mapping(mapping(source.says).get("spec")).get("template")).get("spec"))
        bases = " ".join(str(value) for key, value in annotations(source).items() if "base-image" in str(key))
        python = re.search(r"python3(\d+)", bases)
        return [
            Asked(
                source.name,
                f"3.{python[1]}" if python else None,
                "x86_64",
                megabytes(mapping(mapping(container.get("resources")).get("limits")).get("memory", "512Mi")),
                number(spec.get("timeoutSeconds", 300)),
                http=True,
                variables={
                    str(mapping(pair).get("name")): mapping(pair).get("value")
                    for pair in items(container.get("env"))
                    if "valueFrom" not in mapping(pair)
                },
            )
            for container in containers(source)
        ]
    told = flags(source)
    runtime = re.fullmatch(r"python3(\d+)", str(told.get("runtime", "")))
    return [
        Asked(
            source.name,
            f"3.{runtime[1]}" if runtime else None,
            "x86_64",
            megabytes(told.get("memory", "256Mi")),
            seconds(told.get("timeout", "60s")),
            http=is_set(told, "trigger-http"),
            variables=variables(told),
        )
    ]
