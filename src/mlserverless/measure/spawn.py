"""Start a child whose time, memory and limits are its own, and return what it tells."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mlserverless.local.runtime import child_environment
from mlserverless.measure.child import ANSWERED

SECONDS = 300.0
LAUNCH = Path(__file__).with_name("launch.py")
CODE = (
    "import time; t = time.perf_counter(); import sys; from mlserverless.measure import child; "
    "child.main(t, sys.argv[1:])"
)
ADAPTERS = {name: f"mlserverless.adapters.{name}" for name in ("aws", "azure", "gcp")}


class Limits(NamedTuple):
    """What a child is held to: control groups' folders, a number of cores (0: all), variables of its own.

    ``after_init`` is ``PATH=TEXT``: what the child writes where, once its init phase is over.
    """

    groups: tuple[str, ...] = ()
    cores: int = 0
    variables: Mapping[str, str] = {}
    after_init: str = ""


NO_LIMITS = Limits()


class Subject(NamedTuple):
    """What is measured: the ``entry`` that is imported (empty: plain Predictor) and the ``model`` it is to use."""

    entry: str = ""
    model: str = ""

    def environment(self) -> dict[str, str]:
        """Return the children's: clean, with the settings in force, and the loopback origin allowed."""
        extra = {"MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES": "true", "MLSERVERLESS_ALLOWED_HOSTS": ""}
        if self.model:
            extra["MLSERVERLESS_MODEL"] = self.model
        if "PYTHONPATH" in os.environ:
            extra["PYTHONPATH"] = os.environ["PYTHONPATH"]
        return child_environment(extra)


class Refused(Exception):
    """The child could not do it: ``problem`` is a MlserverlessError's code, "import" or "timeout"."""

    def __init__(self, problem: str, told: str) -> None:
        super().__init__(told)
        self.problem = problem


class Died(Exception):
    """The child ended without a word: ``code`` is its exit code, or minus the signal's number."""

    def __init__(self, code: int, told: str) -> None:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        super().__init__(f"the process {how}: {told or 'nothing was said'}")
        self.code = code


def ask(
    subject: Subject,
    kind: str,
    *arguments: str,
    limits: Limits = NO_LIMITS,
    options: Sequence[str] = (),
) -> tuple[dict[str, Any], str]:
    """Return what a fresh child of a ``kind`` tells, and what it wrote to standard error before it had answered.

    ``options`` are Python's own. Raises Refused where it could not, Died where it crashed or was killed.
    """
    python = [sys.executable, "-P", *options, "-c", CODE, kind, subject.entry, *arguments]
    held = [os.pathsep.join(limits.groups), str(limits.cores)]
    command = [sys.executable, "-I", "-S", str(LAUNCH), *held, *python]
    environment = {**subject.environment(), **limits.variables}
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Refused("timeout", f"no answer within {SECONDS:.0f} s") from error
    said = done.stderr.decode(errors="replace")
    if done.returncode:
        last = said.strip().splitlines()
        raise Died(done.returncode, last[-1] if last else "")
    told: dict[str, Any] = json.loads(done.stdout)
    if "problem" in told:
        raise Refused(told["problem"], told["told"])
    return told, said.partition(ANSWERED)[0]
