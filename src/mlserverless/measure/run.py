"""One call of ``mlserverless bench``: what is wanted, measured in turn, put together."""

import os
from pathlib import Path
from typing import NamedTuple, Protocol

from mlserverless.config import Settings
from mlserverless.measure import budget, cold, groups, origin, photos, sweep, warm
from mlserverless.measure.groups import Unavailable
from mlserverless.measure.prices import Prices, PricesError, read
from mlserverless.measure.report import Report, machine
from mlserverless.measure.sizes import SIZES
from mlserverless.measure.spawn import ADAPTERS, Died, Refused, Subject

__all__ = ["Died", "PricesError", "Refused", "Unavailable", "Wanted", "measure"]
WARM_REQUESTS = 4  # for each cold start
SWEPT = "aws"  # whose sizes a sweep has where no provider is named


class Wanted(NamedTuple):
    """What to measure. ``budget`` and ``target`` are milliseconds; an empty ``model`` is the settings' own."""

    model: str = ""
    cold: bool = False
    warm: bool = False
    sweep: bool = False
    provider: str | None = None
    images: tuple[Path, ...] = ()
    runs: int = 15
    budget: float | None = None
    target: float | None = None
    prices: Path | None = None


class Tell(Protocol):
    """Is told the number of steps, then a word for each of them."""

    def __call__(self, word: str, total: int | None = None) -> None:
        """Say that the step ``word`` begins, or how many there are."""


def measure(wanted: Wanted, folder: Path, tell: Tell) -> Report:
    """Return what is ``wanted``; made pictures go to ``folder``.

    Raises ConfigError and PricesError for what is set wrongly, Unavailable where no sweep can be made here,
    Refused and Died where the function does not answer.
    """
    settings = Settings.load()
    neither = not (wanted.cold or wanted.warm or wanted.sweep)
    provider = wanted.provider or SWEPT
    prices: Prices | None = None
    base: groups.Base | None = None
    if wanted.sweep:  # what would end it is found before minutes are spent
        prices, base = read(provider, wanted.prices), groups.find()
    model = wanted.model or settings.model
    subject = Subject(ADAPTERS[wanted.provider] if wanted.provider else "", absolute(model))
    before = machine()
    with_cold, with_warm = wanted.cold or neither, wanted.warm or neither
    steps = (cold.steps(wanted.runs) if with_cold else 0) + with_warm
    tell("", steps + (sweep.ROUNDS * len(SIZES[provider]) if wanted.sweep else 0))
    files = photos.chosen(wanted.images, folder)
    with origin.serving(files) as urls:
        images = [(file.name, file.stat().st_size, url) for file, url in zip(files, urls, strict=True)]
        requests = WARM_REQUESTS * wanted.runs
        starts = cold.measure(subject, urls[0], wanted.runs, tell) if with_cold else None
        kept = warm.measure(subject, images, requests, tell) if with_warm else None
        swept = None
        if prices and base:
            of = Subject(ADAPTERS[provider], subject.model)
            plan = sweep.Plan(
                of, provider, urls[0], wanted.runs, requests, prices, wanted.target or 0.0, base, SIZES[provider]
            )
            swept = sweep.measure(plan, tell)
    verdict = budget.judge(starts, wanted.budget) if starts and wanted.budget else None
    shown = os.path.basename(model.rstrip("/").partition("?")[0]) or model
    entry = subject.entry or (ADAPTERS[provider] if not (with_cold or with_warm) else "Predictor")
    return Report(shown, entry, files[0].name, before, starts, kept, swept, verdict)


def absolute(model: str) -> str:
    """Return ``model`` as a child finds it: a path that exists in full, a name or a URL as it is."""
    return str(Path(model).resolve()) if "://" not in model and os.path.exists(model) else model
