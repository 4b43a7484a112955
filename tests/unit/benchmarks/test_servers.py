"""What is made of the turns of servers, and the order that they are asked in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from benchmarks import servers
from benchmarks.children import Failed
from benchmarks.serving import turn as turns
from benchmarks.serving.turn import Turn

from helpers.figures import Figure


def one(throughput: float, *, cpu: float = 10.0, wrong: int = 0, errors: int = 0) -> Turn:
    return Turn(throughput, wrong, errors, 50.0, 60.0, cpu, 0.05, 0.0, {})


def found(*ours: float, wrong: int = 0) -> servers.Found:
    large = [one(20.0)], [one(10.0)]
    mine = [one(rate, wrong=wrong) for rate in ours]
    theirs = [one(100.0, cpu=12.5) for _ in ours]
    return servers.Found(
        {
            servers.LITSERVE: servers.Pair(mine, theirs, large, ([140.0], [100.0])),
            servers.WRITE_UP: servers.Pair([one(90.0)], [one(80.0, wrong=3)]),
        },
        {name: [1.0] for name in (servers.OURS, servers.OURS_GOOGLE)}
        | {name: [2.0] for name in (servers.LITSERVE, servers.WRITE_UP)},
        {servers.OURS: 90.0, servers.OURS_GOOGLE: 95.0, servers.LITSERVE: 200.0, servers.WRITE_UP: 99.0},
        {"BentoML": "no wheel"},
        {"MLServer": "it ended"},
    )


def bars(of: servers.Found) -> list[Figure]:
    return servers._bars(of, servers._details(of, dict.fromkeys(of.memory, "")))


def test_the_bar_is_the_median_of_the_pairs() -> None:
    held, memory, large, ceiling = bars(found(110.0, 131.0, 140.0))
    assert (held.held, memory.held, large.held) == (True, True, True)
    assert held.measured.startswith("1.31 × (1.10–1.40) of 3 pairs, 131 against 100 a second, CPU for one 0.80 ×")
    assert memory.measured == "0.45 ×, 90 against 200 MiB"
    assert ceiling.measured.startswith("1.40 ×")
    assert not bars(found(110.0, 129.0, 140.0))[0].held


def test_a_wrong_answer_of_ours_is_no_answer() -> None:
    assert not bars(found(140.0, wrong=1))[0].held


def test_each_is_set_against_ours_of_its_own_kind() -> None:
    row = servers._row(servers.WRITE_UP, found(140.0))
    assert row.name.startswith(servers.OURS_GOOGLE)
    assert row.measured.startswith("1.12 ×, 1.00 ×, 0.50 ×; it has 80 a second, 3 wrong")
    assert not row.held  # as much CPU is not less


def test_ours_are_all_turns_of_ours_whoever_they_were_beside() -> None:
    of = found(140.0, 150.0)
    assert [each.throughput for each in of.turns(servers.OURS)] == [140.0, 150.0]
    assert [each.throughput for each in of.turns(servers.OURS_GOOGLE)] == [90.0]
    assert [each.throughput for each in of.turns(servers.LITSERVE)] == [100.0, 100.0]


def test_a_server_that_cannot_be_had_says_why() -> None:
    row = servers._row("BentoML", found(140.0))
    assert (row.measured, row.skipped) == ("", "no wheel")


def test_one_that_fails_while_it_is_measured_is_not_skipped() -> None:
    row = servers._row("MLServer", found(140.0))
    assert (row.measured, row.skipped, row.held) == ("it ended", "", False)


def test_neither_is_litserve() -> None:
    of = found(140.0)
    lost = of._replace(pairs={}, failed={servers.LITSERVE: "ours ended"})
    assert [(bar.measured, bar.skipped, bar.held) for bar in servers._bars(lost, {})] == [
        ("ours ended", "", False)
    ] * 3


class Asked:
    """A server that answers as it is told, and writes down that it was asked."""

    pid = 1

    def __init__(self, name: str, log: list[str], wrong: int = 0) -> None:
        self.subject, self._log, self._wrong = type("Subject", (), {"name": name}), log, wrong

    def ask(self, seconds: float, *, clients: int, wanted: Mapping[Path, str]) -> dict[str, Any]:
        self._log.append(self.subject.name)
        counts = {"correct": 10 - self._wrong, "wrong": self._wrong, "errors": 0, "lost": 0}
        return {**counts, "seconds": seconds, "cpu": 0.1, "latencies": [5.0] * 10, "told": {}}


def test_they_are_asked_in_turn_and_neither_is_always_first() -> None:
    log: list[str] = []
    ours, theirs = turns.in_turn(Asked("A", log), Asked("B", log), 4, 2.0)  # type: ignore[arg-type]
    assert log == ["A", "B", *"BAABBAAB"]
    assert [len(ours), len(theirs)] == [4, 4]
    assert ours[0].throughput == 5.0


def test_other_photos_must_all_be_answered_rightly() -> None:
    with pytest.raises(Failed, match="B: 1 wrong"):
        turns.in_turn(Asked("A", []), Asked("B", [], wrong=1), 1, 1.0, {Path("x"): "1"})  # type: ignore[arg-type]
