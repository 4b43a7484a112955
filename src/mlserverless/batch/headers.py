"""Headers that an endpoint wants, from the command line and the environment; their values are never repeated."""

import os
from collections.abc import Mapping

from mlserverless.errors import ConfigError

TOKEN = frozenset("!#$%&'*+-.^_`|~" + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
OURS = frozenset(("content-type", "content-length", "transfer-encoding", "host", "x-request-id"))


def headers_of(
    given: tuple[str, ...], named: tuple[str, ...], environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the headers that ``NAME: VALUE`` in ``given`` and ``NAME=VARIABLE`` in ``named`` say.

    Raises ConfigError, which repeats no value, for what is no header and for a variable that is not set.
    """
    found: dict[str, str] = {}
    for text in given:
        name, colon, value = text.partition(":")
        if not colon:
            raise ConfigError("--header is written NAME: VALUE, as in 'x-functions-key: KEY'.")
        found[_checked(name.strip(), value)] = value.strip()
    for text in named:
        name, equals, variable = text.partition("=")
        if not equals or not variable:
            raise ConfigError("--header-env is written NAME=VARIABLE, as in x-functions-key=FUNCTION_KEY.")
        if not (value := environ.get(variable, "")):
            raise ConfigError(f"--header-env {name}={variable}: the variable {variable} is not set, or empty.")
        found[_checked(name.strip(), value)] = value.strip()
    return found


def _checked(name: str, value: str) -> str:
    if not name or not TOKEN.issuperset(name) or name.lower() in OURS:
        raise ConfigError("A header's name has letters, digits and hyphens, and is none that is sent anyway.")
    if not value.strip().isprintable() or not value.isascii():
        raise ConfigError(f"The value of the header {name} has a letter in it that no header may have.")
    return name
