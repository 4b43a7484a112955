"""The logger is there when something is logged, with the level that was set before or is set after."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.child import run
from mlserverless import logs


@pytest.fixture(autouse=True)
def _level() -> Iterator[None]:
    log = logging.getLogger("mlserverless")
    before = log.level
    yield
    log.setLevel(before)


def test_it_is_the_packages_logger() -> None:
    assert logs.log() is logging.getLogger("mlserverless")


@pytest.mark.parametrize(("name", "level"), [("debug", 10), ("info", 20), ("warning", 30), ("error", 40)])
def test_level_that_is_set_holds_at_once(name: str, level: int) -> None:
    logs.set_level(name)
    assert logging.getLogger("mlserverless").level == level
    assert logs.log().level == level


def test_last_level_counts_and_asking_again_does_not_bring_it_back() -> None:
    logs.set_level("debug")
    logs.set_level("error")
    assert logs.log().level == logging.ERROR
    logs.log().setLevel(logging.INFO)  # whoever runs the function in a process of theirs may
    assert logs.log().level == logging.INFO


def test_level_that_is_set_before_logging_is_imported_holds_from_then_on(tmp_path: Path) -> None:
    code = """
import sys
from mlserverless import logs
logs.set_level("error")
before = "logging" in sys.modules
level = logs.log().level
logs.log().warning("not to be seen")
import json
print(json.dumps([before, level, "logging" in sys.modules]))
"""
    assert run(code, tmp_path) == [False, logging.ERROR, True]


def test_level_of_a_logger_that_was_never_told_is_nobodys(tmp_path: Path) -> None:
    code = "from mlserverless import logs; print(logs.log().level)"
    assert json.loads(str(run(code, tmp_path))) == logging.NOTSET
