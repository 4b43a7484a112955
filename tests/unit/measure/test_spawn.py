"""Children: clean, held to limits, and how they may end."""

import signal
from pathlib import Path

import pytest

from mlserverless.measure import spawn
from mlserverless.measure.spawn import Died, Limits, Refused, Subject, ask


def test_the_environment_is_clean_and_the_loopback_origin_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLSERVERLESS_TOP_K", "3")
    monkeypatch.setenv("MLSERVERLESS_ALLOWED_HOSTS", "images.example.com")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    found = Subject(model="mine").environment()
    assert found["MLSERVERLESS_MODEL"] == "mine"
    assert found["MLSERVERLESS_TOP_K"] == "3"
    assert found["MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES"] == "true"
    assert found["MLSERVERLESS_ALLOWED_HOSTS"] == ""
    assert "PATH" in found
    assert not [name for name in found if name.startswith("PYTHON")]
    monkeypatch.setenv("PYTHONPATH", "/packages")
    assert Subject().environment()["PYTHONPATH"] == "/packages"
    assert "MLSERVERLESS_MODEL" not in Subject().environment()


def test_a_child_answers_with_its_own_figures(url: str) -> None:
    told, said = ask(Subject("", "dogs-vs-cats"), "cold", url, "", options=("-X", "importtime"))
    assert told["total"] > told["stages"][0][1] > 0
    assert told["peak"] > 5e6
    assert "import time:" in said
    assert "answered" not in said


@pytest.mark.parametrize(
    ("subject", "problem", "told"),
    [
        (Subject("", "no-such-model"), "model-unavailable", "There is no model 'no-such-model'"),
        (Subject("mlserverless.adapters.none"), "import", "No module named"),
        (Subject("", "dogs-vs-cats"), "source-error", "127.0.0.1"),
    ],
)
def test_what_it_cannot_do_is_raised(subject: Subject, problem: str, told: str) -> None:
    with pytest.raises(Refused, match=told) as caught:
        ask(subject, "cold", "http://127.0.0.1:1/", "")
    assert caught.value.problem == problem


def test_one_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawn, "SECONDS", 0.01)
    with pytest.raises(Refused, match="no answer within 0 s") as caught:
        ask(Subject(), "cold", "http://127.0.0.1:1/", "")
    assert caught.value.problem == "timeout"


@pytest.mark.parametrize(
    ("code", "ended", "told"),
    [
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL, "was killed by signal 9: nothing was said"),
        ("raise SystemExit('broken here')", 1, "ended with code 1: broken here"),
    ],
)
def test_one_that_dies_is_told_with_its_last_words(tmp_path: Path, code: str, ended: int, told: str) -> None:
    (tmp_path / "dying.py").write_text(code)
    limits = Limits(variables={"PYTHONPATH": str(tmp_path)})
    with pytest.raises(Died, match=told) as caught:
        ask(Subject("dying"), "cold", "http://127.0.0.1:1/", "", limits=limits)
    assert caught.value.code == ended
