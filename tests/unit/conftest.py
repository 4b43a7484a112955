"""Fixtures that the unit tests share."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, configuration, settings

from mlserverless.config import FOREIGN, PREFIX

# The same examples at every run, and nothing left in the tree: its tables of Unicode go to the other caches.
configuration.set_hypothesis_home_dir(Path(__file__).parents[2] / ".cache" / "hypothesis")
settings.register_profile(
    "repeatable",
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # ours is autouse, and the same for every example
)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine's reaches a test."""
    for name in [name for name in os.environ if name.startswith(PREFIX) and name not in FOREIGN]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", raising=False)
