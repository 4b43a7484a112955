"""Fixtures that the unit tests share."""

import os

import pytest

from mlserverless.config import FOREIGN, PREFIX


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine's reaches a test."""
    for name in [name for name in os.environ if name.startswith(PREFIX) and name not in FOREIGN]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", raising=False)
