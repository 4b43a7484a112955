"""The four HTTP paths on their real runtimes, each started once, and an origin they fetch from."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from helpers.runtimes import REASONS, start
from mlserverless.local.runtime import Runtime

from .origin import MAX_BYTES, Origin

FAULTY = Path(__file__).parent / "faulty"
SETTINGS = {
    "MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES": "true",
    "MLSERVERLESS_DOWNLOAD_TIMEOUT": "1",
    "MLSERVERLESS_MAX_BYTES": str(MAX_BYTES),
}


@pytest.fixture(scope="session")
def origin() -> Iterator[Origin]:
    served = Origin()
    yield served
    served.close()


def _all(settings: dict[str, str], *, faulty: bool = False) -> Iterator[dict[str, Runtime]]:
    with ExitStack() as stack:
        started: dict[str, Runtime] = {}
        for cloud, available in REASONS.items():
            if available() is None:
                started[cloud] = start(cloud, settings, folder=FAULTY if faulty else None)
                stack.callback(started[cloud].close)
        yield started


@pytest.fixture(scope="session")
def runtimes() -> Iterator[dict[str, Runtime]]:
    """Every path that can run here, as deployed."""
    yield from _all(SETTINGS)


@pytest.fixture(scope="session")
def without_model() -> Iterator[dict[str, Runtime]]:
    """The same with a model that is not there."""
    yield from _all({**SETTINGS, "MLSERVERLESS_MODEL": "nowhere/at-all"})


@pytest.fixture(scope="session")
def misconfigured() -> Iterator[dict[str, Runtime]]:
    """The same with a setting that is not accepted."""
    yield from _all({**SETTINGS, "MLSERVERLESS_TOP_K": "many"})


@pytest.fixture(scope="session")
def faulty() -> Iterator[dict[str, Runtime]]:
    """The same with a service that fails on purpose."""
    yield from _all(SETTINGS, faulty=True)
