"""Lithops itself, as it is installed and configured here; a call of it, and what is made of how it ended."""

import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from mlserverless.batch.engine import Item, Stopped
from mlserverless.batch.lithops_calls import Call, executor, stopping, told_of

ITEMS = [Item(3, "https://example.com/3"), Item(4, "https://example.com/4")]


def ended(outcome: Any) -> Call:
    def result() -> Any:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    call = Call(ITEMS)
    call.future = SimpleNamespace(result=result)
    call.note()
    return call


def test_a_calls_answer_is_kept() -> None:
    done = [(3, "https://example.com/3", {"predictions": []}, 1)]
    call = ended({"identity": ("m", "5a", {}), "done": done})
    assert call.done() == done
    assert call.error == ""


def test_a_call_that_failed_is_a_problem_of_each_item() -> None:
    call = ended(RuntimeError("it was\nkilled"))
    assert call.answer is None
    assert [(index, told["code"], told["instance"], tries) for index, _, told, tries in call.done()] == [
        (3, "internal", "3", 1),
        (4, "internal", "4", 1),
    ]
    assert "RuntimeError: it was killed" in call.done()[0][2]["detail"]


def test_what_may_pass_is_noted_and_what_will_not_is_raised() -> None:
    assert str(ended({"stopped": ("model-unavailable", "later")}).stopped) == "later"
    with pytest.raises(Stopped, match="never"):
        ended({"stopped": ("misconfigured", "never")})


def test_an_errors_text_is_one_short_line() -> None:
    assert told_of(ValueError("a\n  b")) == "ValueError: a b"
    assert len(told_of(ValueError("x" * 10_000))) == 500


def test_only_errors_are_told_as_the_end_of_the_run() -> None:
    with pytest.raises(Stopped, match="Lithops failed: KeyError: 'a'"), stopping():
        raise KeyError("a")
    with pytest.raises(KeyboardInterrupt), stopping():
        raise KeyboardInterrupt


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], dict[str, Any]]:
    """Put another Lithops in the place of the installed one; return what its executor was made with."""

    def of(config: Any) -> dict[str, Any]:
        given: dict[str, Any] = {}

        def make(**named: Any) -> str:
            given.update(named)
            if isinstance(config, Exception):
                raise config
            return "made"

        package, configured = ModuleType("lithops"), ModuleType("lithops.config")
        package.FunctionExecutor = make  # type: ignore[attr-defined]
        configured.load_config = lambda log: config if isinstance(config, dict) else {}  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "lithops", package)
        monkeypatch.setitem(sys.modules, "lithops.config", configured)
        return given

    return of


@pytest.mark.parametrize(
    ("config", "runtime", "log_level"),
    [
        ({"lithops": {"backend": "localhost", "mode": "serverless"}}, sys.executable, None),
        ({"lithops": {"mode": "localhost"}, "localhost": None}, sys.executable, None),
        ({"lithops": {"mode": "localhost"}, "localhost": {"runtime": "image"}}, "image", None),
        ({"lithops": {"backend": "aws_lambda", "mode": "localhost", "log_level": "INFO"}}, None, False),
        ({"lithops": None}, None, None),
    ],
)
def test_lithops_own_configuration_is_used(
    installed: Callable[[Any], dict[str, Any]], config: Any, runtime: str | None, log_level: Any
) -> None:
    given = installed(config)
    executor()
    assert (given["config"].get("localhost") or {}).get("runtime") == runtime
    assert given["log_level"] is log_level


def test_what_lithops_says_of_its_configuration_is_told(installed: Callable[[Any], dict[str, Any]]) -> None:
    installed(ValueError("no bucket"))
    with pytest.raises(Stopped, match="Lithops cannot be used: ValueError: no bucket") as raised:
        executor()
    assert raised.value.code == "misconfigured"


def test_without_lithops_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lithops", None)
    with pytest.raises(Stopped, match=r'pip install "mlserverless\[lithops\]"'):
        executor()
