"""What a check says: a line of the checklist, with the mend where it is not green."""

from typing import NamedTuple

from mlserverless.bundle.limits import Limit

OK, WARN, FAIL = "ok", "warn", "fail"


class Finding(NamedTuple):
    """One line: the ``check``'s name, a ``status`` (ok, warn, fail), and what was found and is allowed (``told``).

    ``mend`` is what to do, empty where it is ok; ``source`` is the page that a limit is from.
    """

    check: str
    status: str
    told: str
    mend: str = ""
    source: str = ""


def ok(check: str, told: str, limit: Limit | None = None) -> Finding:
    """Return a green line."""
    return Finding(check, OK, told, "", limit.cited if limit else "")


def warn(check: str, told: str, mend: str, limit: Limit | None = None) -> Finding:
    """Return a yellow line: it can be deployed, and something about it will disappoint."""
    return Finding(check, WARN, told, mend, limit.cited if limit else "")


def fail(check: str, told: str, mend: str, limit: Limit | None = None) -> Finding:
    """Return a red line: it would be refused, would not run, or is open to whom it should not be."""
    return Finding(check, FAIL, told, mend, limit.cited if limit else "")
