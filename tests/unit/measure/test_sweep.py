"""The sweep: which size is advised, what is held to which limits, what does not fit."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from helpers import measured
from mlserverless.measure import groups, sweep, warm
from mlserverless.measure.groups import Base, Group
from mlserverless.measure.prices import read
from mlserverless.measure.sizes import SIZES
from mlserverless.measure.spawn import Died, Limits, Subject
from mlserverless.measure.spread import spread


def row(million: float, ms: float) -> sweep.Row:
    return sweep.Row(SIZES["aws"][0], spread([1.0]), spread([ms]), 1, million)


def test_advised_is_the_cheapest_that_meets_the_target_and_the_front_has_what_no_other_beats() -> None:
    rows = [row(0.9, 90), row(0.5, 30), row(0.52, 15), row(0.6, 14), row(0.8, 16)]
    assert sweep.choose(rows, 0) == (1, (1, 2, 3))
    assert sweep.choose(rows, 20) == (2, (1, 2, 3))
    assert sweep.choose(rows, 14) == (3, (1, 2, 3))
    assert sweep.choose(rows, 5) == (None, (1, 2, 3))


def test_of_two_alike_the_quicker_is_advised_and_what_does_not_fit_is_not() -> None:
    rows = [sweep.Row(SIZES["aws"][0], told="does not fit"), row(0.5, 20), row(0.5, 10), row(0.5, 10)]
    assert sweep.choose(rows, 0) == (2, (2, 3))
    assert sweep.choose(rows[:1], 0) == (None, ())


def test_the_advice_is_a_sentence() -> None:
    told = "whose warm median is at most 20 ms: 2,048 MB (15 ms warm, 0.52 USD for a million requests)."
    assert measured.sweep(20.0).advice == f"The cheapest size {told}"
    assert measured.sweep(0.0).advice.startswith("The cheapest size: 1,769 MB (30 ms warm")
    assert measured.sweep(5.0).advice == (
        "There is no size whose warm median is at most 5 ms; the fastest is 3,008 MB with 14 ms."
    )
    none = measured.sweep()
    none = none._replace(rows=none.rows[:1], best=None)
    assert none.advice == "The function fits into none of these sizes."


class Kernel:
    """Groups in folders, and children that tell what they were held to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, fits: int = 0) -> None:
        self.folder, self.fits = folder, fits
        self.cold: list[tuple[int, str, str, str, Any]] = []
        self.warm: list[tuple[int, int, str]] = []
        monkeypatch.setattr(groups, "limited", self._limited)
        monkeypatch.setattr(sweep, "ask", self._ask)
        monkeypatch.setattr(warm, "bare", self._bare)
        monkeypatch.setattr(warm, "cores", lambda: 2)

    @contextmanager
    def _limited(self, _: Base, mb: int, vcpu: float) -> Iterator[Group]:
        self.mb, self.vcpu = mb, vcpu
        self.group = Group((str(self.folder),), self.folder / "quota", self.folder / "oom")
        self.group.oom.write_text("oom_kill 0\n")
        yield self.group

    def _ask(
        self, subject: Subject, kind: str, url: str, after: str, limits: Limits
    ) -> tuple[dict[str, Any], str]:
        if self.mb < self.fits:
            self.group.oom.write_text("oom_kill 1\n")
            raise Died(-signal.SIGKILL, "")
        self.cold.append((self.mb, self.group.quota.read_text(), after.rpartition("=")[2], kind, limits))
        if after:
            self.group.quota.write_text("lowered")
        return {"total": float(len(self.cold)), "peak": 5}, ""

    def _bare(self, _: Subject, __: str, requests: int, ___: Limits) -> tuple[list[float], int]:
        self.warm.append((self.mb, requests, self.group.quota.read_text()))
        return [10.0] * requests, 7


def plan(provider: str, runs: int = 4, requests: int = 10) -> sweep.Plan:
    base = Base(1, Path(), Path())
    return sweep.Plan(Subject("a"), provider, "u", runs, requests, read(provider), 0.0, base, SIZES[provider][::2])


def test_lambdas_init_phase_has_a_whole_vcpu_and_then_the_share(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kernel, words = Kernel(monkeypatch, tmp_path), list[str]()
    found = sweep.measure(plan("aws"), words.append)
    assert words == ["512 MB", "1,769 MB", "3,008 MB"] * sweep.ROUNDS
    small = [one for one in kernel.cold if one[0] == 512]
    assert [one[1:4] for one in small] == [("20000", "5789", "cold")] * 5, "raised again for each, one not counted"
    limits = small[0][4]
    assert (limits.cores, dict(limits.variables)) == (2, {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512"})
    assert [one[1:3] for one in kernel.cold if one[0] == 1769] == [("20000", "")] * 5
    assert [one[1:] for one in kernel.warm if one[0] == 512] == [(4, "5789"), (3, "5789"), (3, "5789")]
    assert [(row.cold.runs, row.warm.runs, row.peak) for row in found.rows if row.cold and row.warm] == [
        (4, 10, 7)
    ] * 3
    assert found.notes == (sweep.sizes.IMITATED["aws"], sweep.sizes.OTHERWISE)


def test_others_have_their_share_from_the_start_and_see_as_many_cores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kernel = Kernel(monkeypatch, tmp_path)
    sweep.measure(plan("azure", 1, 3), lambda _: None)
    assert {(one[0], one[1], one[2], one[4].cores, len(one[4].variables)) for one in kernel.cold} == {
        (512, "5000", "", 1, 0),
        (4096, "40000", "", 2, 0),
    }


def test_what_does_not_fit_is_a_result_and_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Kernel(monkeypatch, tmp_path, fits=1000)
    found = sweep.measure(plan("aws"), lambda _: None)
    assert found.rows[0].told == "does not fit: the kernel ended it when 512 MB were used up"
    assert found.rows[0].cold is None
    assert found.best == 1


def test_what_dies_otherwise_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kernel = Kernel(monkeypatch, tmp_path)

    def die(*_: object, **__: object) -> None:
        raise Died(-signal.SIGSEGV, "")

    monkeypatch.setattr(sweep, "ask", die)
    with pytest.raises(Died, match="signal 11"):
        sweep.measure(plan("aws"), lambda _: None)
    assert kernel.warm == []


def test_shares_add_up() -> None:
    for whole in range(20):
        assert sum(sweep._share(whole, turn) for turn in range(sweep.ROUNDS)) == whole
