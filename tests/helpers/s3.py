"""A place for s3:// URLs to lead to."""

import pytest

from mlserverless import stores


def use_s3_at(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """Make the S3 at ``endpoint`` the one that s3:// URLs lead to."""
    for name, value in (("ACCESS_KEY_ID", "k"), ("SECRET_ACCESS_KEY", "s"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    stores._store.cache_clear()
