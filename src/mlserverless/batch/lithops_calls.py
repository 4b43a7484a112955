"""Lithops itself: its executor, a call of it, and what is wrong where it cannot be used."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mlserverless.batch.engine import Item, Stopped
from mlserverless.config import Settings
from mlserverless.errors import InternalError
from mlserverless.serving import problem

NEEDED = 'It needs Lithops: pip install "mlserverless[lithops]".'
NOT_THERE = (
    "Lithops' runtime has no mlserverless in it. Build one, and name it in Lithops' configuration: see "
    "docs/how-to/batch-on-functions.md."
)
NOT_REACHED = (
    "is on this machine, where a function of {backend} cannot read it: put it into a store, and give its s3://, "
    "gs:// or az:// URL, with MLSERVERLESS_MODEL_SHA256. See docs/how-to/batch-on-functions.md."
)
LOCALHOST = "localhost"  # Lithops' name of the backend that runs on this machine


class Call:
    """Some items, and what is known of the call that answers them."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items, self.tries = items, 0
        self.future: Any = None
        self.answer: dict[str, Any] | None = None
        self.error = ""
        self.stopped: Stopped | None = None

    def note(self) -> None:
        """Note what came of it; raise Stopped where no call will do better."""
        try:
            answer = self.future.result()
        except ModuleNotFoundError as error:
            if str(error.name).partition(".")[0] == "mlserverless":
                raise Stopped("misconfigured", NOT_THERE) from error
            self.error = told_of(error)
        except Exception as error:  # noqa: BLE001 - whatever ended it over there
            self.error = told_of(error)
        else:
            if "stopped" not in answer:
                self.answer = answer
                return
            code, self.error = answer["stopped"]
            self.stopped = Stopped(code, self.error)
            if code == "misconfigured":
                raise self.stopped

    def done(self) -> list[tuple[int, str, dict[str, Any], int]]:
        """Return what became of each item: where the call failed it is a problem, of all of them alike."""
        if self.answer is not None:
            return list(self.answer["done"])
        told = InternalError(f"The call that was to answer this image alone failed: {self.error}")
        return [
            (item.index, item.source, problem(told, str(item.index)).to_dict(str(item.index)), 1)
            for item in self.items
        ]


def executor() -> Any:
    """Return Lithops' executor, configured as its user has it; raise Stopped."""
    try:
        from lithops import FunctionExecutor
        from lithops.config import load_config
    except ImportError as error:
        raise Stopped("misconfigured", NEEDED) from error
    try:
        config = load_config(log=False)
        chosen = config.get("lithops") or {}
        if (chosen.get("backend") or chosen.get("mode")) == LOCALHOST:  # else it takes the PATH's python
            config[LOCALHOST] = {"runtime": sys.executable, **(config.get(LOCALHOST) or {})}
        return FunctionExecutor(config=config, log_level=False if chosen.get("log_level") else None)
    except Exception as error:  # whatever its backends raise over their configuration
        raise Stopped("misconfigured", f"Lithops cannot be used: {told_of(error)}.") from error


@contextmanager
def stopping() -> Iterator[None]:
    """Let whatever Lithops raises in the ``with`` block be Stopped: each store and cloud has errors of its own."""
    try:
        yield
    except Exception as error:
        raise Stopped("internal", f"Lithops failed: {told_of(error)}") from error


def reachable(settings: Settings, backend: str) -> None:
    """Raise Stopped where a function of ``backend`` cannot read the model."""
    where = settings.model
    if "://" not in where and (os.path.exists(where) or os.path.basename(where) != where):
        raise Stopped("misconfigured", f"The model {where} {NOT_REACHED.format(backend=backend)}")


def told_of(error: BaseException) -> str:
    """Return what ``error`` says, on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]
