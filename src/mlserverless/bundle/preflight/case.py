"""What is examined, read once: the target, the deploy folder's templates, the project, the model, the package."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from mlserverless.bundle.package import Package
from mlserverless.bundle.stage import AZURE_SITE, SETTINGS
from mlserverless.bundle.targets import Target
from mlserverless.config import PREFIX, Settings
from mlserverless.errors import ConfigError

MARK = "mlserverless: {}-on-purpose"


class Source(NamedTuple):
    """A file of the deploy folder: its name, its text, and what it says, read with its defaults in place.

    ``problem`` says why it cannot be read, in which case it says nothing.
    """

    name: str
    text: str = ""
    says: Any = None
    problem: str = ""

    def acknowledges(self, check: str, key: str, value: str = "", within: str = "") -> bool:
        """Return whether each line with ``key`` (and ``value``, where such lines are) is marked as meant.

        The mark is a comment ``mlserverless: CHECK-on-purpose`` on that line or the one above. ``within``: only
        the resource of that name is looked at.
        """
        lines = _block(self.text.splitlines(), within)
        word = re.compile(rf"(?<![\w-]){re.escape(key)}(?![\w-])")
        found = [at for at, line in enumerate(lines) if word.search(_code(line))]
        exact = [at for at in found if value and value in lines[at]]
        mark = MARK.format(check)
        return bool(found) and all(
            mark in lines[at] or (at > 0 and mark in lines[at - 1]) for at in exact or found
        )


class Asked(NamedTuple):
    """What a template asks of the platform for one function; None is what it does not say.

    ``memory`` is in MB, ``timeout`` in seconds. ``http``: callers reach it by HTTP.
    """

    where: str
    python: str | None = None
    arch: str | None = None
    memory: int | None = None
    timeout: float | None = None
    http: bool = False
    variables: Mapping[str, Any] = {}


class Case(NamedTuple):
    """Everything that a check may look at. Nothing in it is changed.

    ``others`` are the models beside ``model``, as the setting ``models`` has them.
    """

    target: Target
    deploy: Path
    project: Path
    model: str
    package: Package | None
    today: date
    sources: tuple[Source, ...] = ()
    asked: tuple[Asked, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def site(self) -> Path:
        """The folder of the package's libraries, the deploy folder where there is no package."""
        root = self.package.root if self.package else self.deploy
        return root / AZURE_SITE if (root / AZURE_SITE).is_dir() else root

    def said(self, field: str) -> Iterator[tuple[str, str]]:
        """Yield where the setting ``field`` is said, and its text: variables of the templates, then the file.

        Of a list the parts have commas between. What only the deployment knows is no text of a setting.
        """
        for asked in self.asked:
            if (value := asked.variables.get(f"{PREFIX}{field.upper()}")) is not None:
                yield asked.where, str(value)
        try:
            value = getattr(Settings.load({}, str(self.project)), field)
        except ConfigError:  # the check of the settings tells it
            return
        yield SETTINGS, ",".join(value) if isinstance(value, tuple) else str(value)


def _block(lines: list[str], name: str) -> list[str]:
    """Return the lines of what is called ``name`` in YAML, with the one before; all where it has no line."""
    at = next((at for at, line in enumerate(lines) if re.match(rf"\s+{re.escape(name)}:", line)), None)
    if not name or at is None:
        return lines
    depth = len(lines[at]) - len(lines[at].lstrip())
    end = at + 1
    while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > depth):
        end += 1
    return lines[max(at - 1, 0) : end]


def _code(line: str) -> str:
    return re.split(r"\s#|^#|\s//|^//", line, maxsplit=1)[0]


class Unknown(NamedTuple):
    """A value that only the deployment knows: the expression that stands in its place."""

    expression: str


def mapping(value: Any) -> dict[Any, Any]:
    """Return ``value`` where it is a mapping, else an empty one: templates may hold anything."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """Return ``value`` as a list: itself, nothing for None, else a list of it alone."""
    return value if isinstance(value, list) else [] if value is None else [value]


def number(value: Any) -> float | None:
    """Return the number that ``value`` is or says, None where it is not known before the deployment."""
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
