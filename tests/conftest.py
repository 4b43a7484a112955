"""What every test may need: where things lie, and CI's switch.

A test that lacks something is skipped with the reason; with MLSERVERLESS_GATES=required, as in CI, it fails.
"""

import os
from pathlib import Path

import pytest

from mlserverless import overlap

ROOT = Path(__file__).parents[1]
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # for tests that import it by themselves: no test asks the internet


def need(reason: str | None) -> None:
    """Skip the test for ``reason``, if there is one."""
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture(name="need")
def _need():
    return need


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.skipped and os.environ.get("MLSERVERLESS_GATES") == "required":
        report.outcome = "failed"
        report.longrepr = (
            f"{item.nodeid} must run here (MLSERVERLESS_GATES=required), and cannot: {call.excinfo.value}"
        )
    return report


@pytest.fixture
def in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the members of a batch be answered one after another, for tests of what they are."""
    monkeypatch.setattr(overlap, "MOST", 1)


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of the bundled models."""
    return ROOT / "models"


@pytest.fixture(scope="session")
def photos() -> Path:
    """The folder of the example photos."""
    return ROOT / "examples" / "photos"
