"""What the figure of mutants is measured with: that it finds what it looks for, and tries what it says."""

import sys

import pytest

from helpers import modelfile
from helpers.described import whole
from mlserverless.errors import ModelUnavailable
from modelling import mutants
from modelling.mutants import Subject, Told, looked_at, mutant, stretch


def told(code: str, number: int = 3) -> list[Told]:
    return stretch([sys.executable, "-u", "-c", f"import os, time\nprint('ready')\n{code}"], number)


def test_how_each_went_is_read() -> None:
    code = "print('read 0.5 ')\nprint('uncaught 0.25 KeyError(1)')\nprint('refused 1 ')"
    assert told(code) == [Told("read", 0.5, ""), Told("uncaught", 0.25, "KeyError(1)"), Told("refused", 1.0, "")]


def test_one_that_hangs_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutants, "LIMIT", 0.5)
    assert [one.word for one in told("print('read 0.1 ')\ntime.sleep(60)")] == ["read", "hang"]


def test_one_that_ends_the_process_is_found() -> None:
    found = told("print('read 0.1 ')\nos.abort()")
    assert [one.word for one in found] == ["read", "uncaught"]
    assert "the process ended with -6" in found[1].said


def test_process_that_does_not_start_is_told() -> None:
    with pytest.raises(RuntimeError, match="does not start"):
        stretch([sys.executable, "-c", "print('no')"], 1)


def test_mutants_are_always_the_same_and_differ_from_the_model() -> None:
    data = modelfile.model(modelfile.everything(), modelfile.FILES)
    subject = Subject("everything", data, looked_at(data))
    assert len(subject.parts) == 3
    found = [mutant(subject, number) for number in range(300)]
    assert found == [mutant(subject, number) for number in range(300)]
    assert sum(one == data for one in found) < 15
    refused = 0
    for one in found:
        try:
            whole(one)
        except ModelUnavailable:
            refused += 1
    assert 100 < refused < 290  # some are only other values


def test_hand_made_models_are_read_whole() -> None:
    made = dict(mutants.made())
    assert len(made) == 4
    for data in made.values():
        assert whole(data).outputs
