"""The settings of the folder that a command is run in, for a runtime that is started in another one."""

import os
from typing import Any

from mlserverless.config import PREFIX, Settings


def variables() -> dict[str, str]:
    """Return what the settings file here says, as variables; one that the environment has already is left out.

    A model that stands here is told by its whole path. Raises ConfigError for a setting that is not accepted.
    """
    in_force, defaults = Settings.load()._asdict(), Settings()._asdict()
    told = {name: value for name, value in in_force.items() if value != defaults[name]}
    return {
        variable: _text(name, value)
        for name, value in told.items()
        if (variable := PREFIX + name.upper()) not in os.environ
    }


def _text(name: str, value: Any) -> str:
    if name == "model":
        return _whole(value)
    if name == "models":
        return ",".join(_named(one) for one in value)
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _named(model: str) -> str:
    name, equals, path = model.rpartition("=")
    return f"{name}{equals}{_whole(path)}"


def _whole(model: str) -> str:
    return os.path.abspath(model) if os.path.exists(model) else model
