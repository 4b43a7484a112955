"""What every local runtime has in common: an address to ask, a way to stop, a clean environment."""

import os
from collections.abc import Mapping
from typing import Protocol

STDERR = 2  # a function's stdout and stderr are its log; on every local runtime the log goes here
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")


class Runtime(Protocol):
    """A provider's real runtime, running on this machine, answering HTTP at ``url``."""

    @property
    def url(self) -> str:
        """The address to ask, without a slash at its end."""

    def close(self) -> None:
        """Stop every process and thread that belongs to it."""


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a runtime's process: a sandbox's own, this project's settings, ``extra``.

    The parent's environment is not handed on: a variable that is set on a developer's machine and not in the
    cloud is how a function works here and fails there.
    """
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    settings = {name: value for name, value in os.environ.items() if name.startswith("MLSERVERLESS_")}
    return {**kept, **settings, **extra}
