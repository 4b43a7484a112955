"""Fixtures that the unit tests share."""

import os
from pathlib import Path

import pytest

from mlserverless.config import FOREIGN, PREFIX

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine's reaches a test."""
    for name in [name for name in os.environ if name.startswith(PREFIX) and name not in FOREIGN]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", raising=False)


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of the bundled models."""
    return ROOT / "models"


@pytest.fixture(scope="session")
def photos() -> Path:
    """The folder of the example photos."""
    return ROOT / "examples" / "photos"
