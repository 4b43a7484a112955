"""Several models in one function, and the names that they answer to."""

import os

from mlserverless import model as models
from mlserverless.config import DOCS, Settings
from mlserverless.errors import ModelUnavailable

LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def names(settings: Settings) -> dict[str, str]:
    """Return name -> where for the setting ``model`` and each of ``models``, in this order.

    Its name is the one before an equals sign, else the one in its model.toml, else its folder's or file's. Raises
    ModelUnavailable where one is not there, or two have the same name.
    """
    found: dict[str, str] = {}
    for name, where in (("", settings.model), *map(split, settings.models)):
        name = name or name_of(where)
        if name in found:
            raise ModelUnavailable(
                f"Two models are called {name!r}: {_shown(found[name])} and {_shown(where)}. Give one another "
                f"name in the setting models: other={_shown(where)}. See {DOCS}."
            )
        found[name] = where
    return found


def split(given: str) -> tuple[str, str]:
    """Return the name before an equals sign, "" where there is none, and where the model is."""
    name, equals, where = given.partition("=")
    return (name, where) if equals and where and LETTERS.issuperset(name) else ("", given)


def name_of(where: str) -> str:
    """Return the name of the model at ``where``, whose file is not read.

    Raises ModelUnavailable where there is none.
    """
    if "://" in where:  # what it holds is known when it was downloaded
        return os.path.splitext(where.partition("?")[0].rstrip("/").rpartition("/")[2])[0]
    path = models.locate(where)
    table = models.read_toml(os.path.join(path, "model.toml")) if os.path.isdir(path) else {}
    return table.get("name") or models.stem(path)


def _shown(where: str) -> str:
    if "://" not in where:
        return where
    from mlserverless.net.url import redact  # only an error pays for it

    return redact(where)
