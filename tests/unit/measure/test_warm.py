"""A warm process, a real one."""

import os

import pytest

from mlserverless.measure import warm
from mlserverless.measure.spawn import NO_LIMITS, Subject

SUBJECT = Subject("", "dogs-vs-cats")


def test_every_image_has_its_stages_which_add_up(url: str) -> None:
    words: list[str] = []
    found = warm.measure(SUBJECT, [("a.jpg", 5, url), ("b.jpg", 6, url)], 3, words.append)
    assert words == ["warm requests"]
    assert [(image.image, image.size, image.total.runs) for image in found.images] == [
        ("a.jpg", 5, 3),
        ("b.jpg", 6, 3),
    ]
    image = found.images[0]
    assert image.stages[-1].name == "rest"
    assert sum(stage.ms.mean for stage in image.stages) == pytest.approx(image.total.mean, rel=0.05)
    assert [threads for threads, _ in found.throughput] == list(range(1, warm.cores() + 1))
    assert found.peak > 1e7


def test_under_limits_only_the_totals_and_the_peak_are_told(url: str) -> None:
    took, peak = warm.bare(SUBJECT, url, 2, NO_LIMITS)
    assert len(took) == 2
    assert min(took) > 0
    assert peak > 1e7


def test_where_cores_cannot_be_bound_all_of_them_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert warm.cores() == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert warm.cores() == 1
