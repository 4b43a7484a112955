"""A runtime's process gets a clean environment: what a sandbox has, this project's settings, what is asked for."""

import pytest

from mlserverless.local import runtime
from mlserverless.local.runtime import child_environment


def test_the_parents_variables_stay_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for the child")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    environment = child_environment({})
    assert {"AWS_SECRET_ACCESS_KEY", "PYTHONPATH"}.isdisjoint(environment)
    assert all(name in runtime.KEPT or name.startswith("MLSERVERLESS_") for name in environment)


def test_what_a_sandbox_has_and_the_settings_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/somewhere/bin")
    monkeypatch.setenv("MLSERVERLESS_TOP_K", "3")
    monkeypatch.delenv("TZ", raising=False)
    environment = child_environment({})
    assert environment["PATH"] == "/somewhere/bin"
    assert environment["MLSERVERLESS_TOP_K"] == "3"
    assert "TZ" not in environment


def test_extra_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLSERVERLESS_TOP_K", "3")
    environment = child_environment({"MLSERVERLESS_TOP_K": "1", "PATH": "/other", "NEW": "new"})
    assert (environment["MLSERVERLESS_TOP_K"], environment["PATH"], environment["NEW"]) == ("1", "/other", "new")
