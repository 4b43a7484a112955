"""What a Dockerfile says: its instructions, those of its last stage, and the variables in it."""

import re
import shlex
from pathlib import Path
from typing import Any

from mlserverless.bundle.preflight.case import Asked, Source

Instruction = tuple[str, str]


def read(path: Path) -> Source:
    """Return the Dockerfile at ``path``; it says a list of instructions, each a name and its words."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        return Source(path.name, problem=str(error))
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\s*\n", " ", "\n".join(lines)).splitlines()
    told = [line.strip().split(None, 1) for line in joined if line.strip()]
    instructions = [(words[0].upper(), words[1] if len(words) > 1 else "") for words in told]
    problem = "" if any(name == "FROM" for name, _ in instructions) else "it has no FROM"
    return Source(path.name, text, None if problem else instructions, problem)


def last_stage(source: Source) -> list[Instruction]:
    """Return the instructions from the last FROM on."""
    every: list[Instruction] = source.says or []
    starts = [at for at, (name, _) in enumerate(every) if name == "FROM"]
    return every[starts[-1] :] if starts else []


def variables(source: Source) -> dict[str, Any]:
    """Return the variables that ENV and ARG of any stage set."""
    found: dict[str, Any] = {}
    for name, words in source.says or []:
        if name not in ("ENV", "ARG"):
            continue
        try:
            parts = shlex.split(words)
        except ValueError:
            continue
        if name == "ENV" and parts and "=" not in parts[0]:
            found[parts[0]] = " ".join(parts[1:])
            continue
        found |= dict(part.split("=", 1) for part in parts if "=" in part)
    return found


def asked(source: Source) -> list[Asked]:
    """Return what the Dockerfile asks for: nothing but variables."""
    return [] if source.problem else [Asked(source.name, variables=variables(source))]
