"""The function's logger, imported when something is logged: ``logging`` costs a cold function 5 ms."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging

_level = [""]  # the setting, until there is a logger


def log() -> "logging.Logger":
    """Return the logger ``mlserverless``."""
    import logging

    logger = logging.getLogger("mlserverless")
    if _level[0]:
        logger.setLevel(_level[0])
        _level[0] = ""
    return logger


def set_level(name: str) -> None:
    """Log from the level ``name`` on: debug, info, warning or error."""
    _level[0] = name.upper()
    if "logging" in sys.modules:
        log()
