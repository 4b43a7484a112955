"""One call, put together: what is measured of what, and what ends it before anything is."""

from pathlib import Path
from typing import Any

import pytest

from helpers import measured
from mlserverless.errors import ConfigError
from mlserverless.measure import cold, groups, run, sweep, warm
from mlserverless.measure.groups import Base, Unavailable
from mlserverless.measure.prices import PricesError
from mlserverless.measure.run import Wanted
from mlserverless.measure.spawn import Subject


class Asked:
    """Stands in for the measurements and keeps what they were asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: dict[str, tuple[Any, ...]] = {}
        self.steps: list[int] = []
        for name, module, answer in (
            ("cold", cold, measured.cold()),
            ("warm", warm, measured.warm()),
            ("sweep", sweep, measured.sweep()),
        ):
            monkeypatch.setattr(module, "measure", self._of(name, answer))
        monkeypatch.setattr(groups, "find", lambda: Base(1, Path(), Path()))

    def _of(self, name: str, answer: Any) -> Any:
        def measure(*given: Any) -> Any:
            self.calls[name] = given
            return answer

        return measure

    def tell(self, word: str, total: int | None = None) -> None:
        if total is not None:
            assert word == ""
            self.steps.append(total)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


def test_by_default_it_is_cold_and_warm_of_the_settings_own_model(
    asked: Asked, tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLSERVERLESS_MODEL", "dogs-vs-cats")
    images = photos / "flower.jpg", photos / "china.jpg"
    report = run.measure(Wanted(images=images, runs=5), tmp_path, asked.tell)
    assert set(asked.calls) == {"cold", "warm"}
    subject, url, runs, _ = asked.calls["cold"]
    assert (subject, runs) == (Subject("", "dogs-vs-cats"), 5)
    assert url.startswith("http://127.0.0.1:")
    _, given, requests, _ = asked.calls["warm"]
    assert [(name, size) for name, size, _ in given] == [(path.name, path.stat().st_size) for path in images]
    assert requests == 20
    assert (report.model, report.entry, report.image) == ("dogs-vs-cats", "Predictor", "flower.jpg")
    assert report.verdict is None
    assert asked.steps == [cold.steps(5) + 1]


def test_a_provider_chooses_the_entry_the_sizes_and_the_prices(
    asked: Asked, tmp_path: Path, photos: Path, models: Path
) -> None:
    wanted = Wanted(
        str(models / "dogs-vs-cats") + "/",
        sweep=True,
        provider="gcp",
        images=(photos / "flower.jpg",),
        target=50.0,
    )
    report = run.measure(wanted, tmp_path, asked.tell)
    assert set(asked.calls) == {"sweep"}
    (plan, _) = asked.calls["sweep"]
    assert plan.subject == Subject("mlserverless.adapters.gcp", str((models / "dogs-vs-cats").resolve()))
    assert (plan.provider, plan.target, [size.mb for size in plan.sizes]) == ("gcp", 50.0, [512, 1024, 2048, 4096])
    assert plan.prices.source.startswith("https://cloud.google.com/")
    assert (report.model, report.cold, report.entry) == ("dogs-vs-cats", None, "mlserverless.adapters.gcp")
    assert asked.steps == [12]


def test_without_a_provider_a_sweep_is_lambdas(asked: Asked, tmp_path: Path, photos: Path) -> None:
    wanted = Wanted(cold=True, sweep=True, images=(photos / "flower.jpg",), budget=50.0)
    report = run.measure(wanted, tmp_path, asked.tell)
    assert asked.calls["cold"][0].entry == ""
    assert asked.calls["sweep"][0].subject.entry == "mlserverless.adapters.aws"
    assert report.entry == "Predictor"
    assert report.verdict is not None
    assert not report.verdict.kept


def test_what_cannot_be_done_is_found_before_anything_is_measured(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PricesError, match="cannot be read"):
        run.measure(Wanted(sweep=True, prices=tmp_path), tmp_path, asked.tell)

    def none() -> None:
        raise Unavailable("none here")

    monkeypatch.setattr(groups, "find", none)
    with pytest.raises(Unavailable, match="none here"):
        run.measure(Wanted(sweep=True), tmp_path, asked.tell)
    monkeypatch.setenv("MLSERVERLESS_TOP_K", "many")
    with pytest.raises(ConfigError, match="MLSERVERLESS_TOP_K"):
        run.measure(Wanted(), tmp_path, asked.tell)
    assert asked.calls == {}


def test_only_a_path_that_exists_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    assert run.absolute("mine") == str((tmp_path / "mine").resolve())
    assert run.absolute("dogs-vs-cats") == "dogs-vs-cats"
    assert run.absolute("https://models.example/m.zip?sig=1") == "https://models.example/m.zip?sig=1"


def test_a_models_url_is_named_without_its_query(asked: Asked, tmp_path: Path, photos: Path) -> None:
    wanted = Wanted("https://models.example/m.tflite?sig=1", images=(photos / "flower.jpg",))
    assert run.measure(wanted, tmp_path, asked.tell).model == "m.tflite"
