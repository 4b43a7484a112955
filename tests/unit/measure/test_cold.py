"""Cold starts, two of them real."""

import pytest

from mlserverless.measure import cold
from mlserverless.measure.spawn import Refused, Subject

SAID = """\
import time: self [us] | cumulative | imported package
import time:       200 |        900 |   mlserverless.measure.child
import time:      1500 |       4000 | PIL.Image
import time:      2500 |       2500 |   typing
import time:     nonsense
a line of the function's: 5 | 6 | 7
import time:        10 |         10 | _io
"""


def test_the_dearest_imports_are_those_with_the_most_of_their_own() -> None:
    found = cold.dearest([SAID])
    assert [(one.module, one.own_ms, one.whole_ms) for one in found] == [
        ("typing", 2.5, 2.5),
        ("PIL.Image", 1.5, 4.0),
        ("_io", 0.01, 0.01),
    ]
    assert [
        one.module for one in cold.dearest([SAID, SAID.replace("2500", "100"), SAID.replace("2500", "3000")], 1)
    ] == ["typing"]


def test_a_cold_start_is_measured_and_explained(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold, "WARM_UPS", 0)
    monkeypatch.setattr(cold, "IMPORT_RUNS", 1)
    words: list[str] = []
    found = cold.measure(Subject("", "dogs-vs-cats"), url, 1, words.append)
    assert len(words) == cold.steps(1) == 3
    assert found.totals == (found.total.median,)
    assert sum(stage.ms.median for stage in found.phases) == pytest.approx(found.total.median)
    names = [stage.name for stage in found.stages]
    assert {"interpreter start", "import Pillow", "model: compile", "download", "invoke"} <= set(names)
    assert found.largest().ms.median == max(stage.ms.median for stage in found.stages)
    assert found.saved.median == pytest.approx(found.sequence.median - found.total.median)
    assert len(found.imports) == cold.LISTED
    assert "json" not in {one.module for one in found.imports}
    assert found.peak.high > 1e7
    assert found.cpu.median > 0


def test_warm_ups_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ask(_: Subject, kind: str, *__: str, **___: object) -> tuple[dict[str, object], str]:
        asked.append(kind)
        stages = [("import", float(len(asked)))]
        told = {"total": float(len(asked)), "stages": stages, "inside": stages, "cpu_ms": 1, "peak": 2}
        return {**told, "modules": 3, "module_bytes": 4}, SAID

    monkeypatch.setattr(cold, "ask", ask)
    found = cold.measure(Subject(), "", 2, lambda _: None)
    assert asked == ["cold", "explain"] * 4 + ["cold"] * cold.IMPORT_RUNS, "in turn"
    assert found.totals == (5.0, 7.0)
    assert found.sequence.runs == 2
    assert found.saved.median == 1.0, "run by run"
    assert found.at_once == "doing things at once instead of in sequence saves 1 ms"
    none = found._replace(saved=found.saved._replace(median=-3.0))
    assert none.at_once == "nothing is gained by doing things at once"


def test_what_a_child_cannot_do_is_raised(url: str) -> None:
    with pytest.raises(Refused, match="There is no model"):
        cold.measure(Subject("", "no-such-model"), url, 1, lambda _: None)
