"""Every test of the signals begins on no platform."""

import pytest

from mlserverless.signals import lines

MORE = ("SERVER_SOFTWARE", "_X_AMZN_TRACE_ID", "AWS_LAMBDA_INITIALIZATION_TYPE", "PROMETHEUS_MULTIPROC_DIR")


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*(name for name, _ in lines.PLATFORMS), *lines.PROJECT, *MORE):
        monkeypatch.delenv(name, raising=False)
