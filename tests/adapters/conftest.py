"""A photo on a loopback origin, for the adapters' entries to fetch."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers import origin


@pytest.fixture(autouse=True)
def _in_order(in_order: None) -> None:
    """Which member of a batch comes first is not the question here."""


@pytest.fixture(scope="session")
def photo(photos: Path) -> Iterator[str]:
    """The URL of a photo of a daisy."""
    with origin.serving({"/flower.jpg": origin.response((photos / "flower.jpg").read_bytes())}) as running:
        yield running.url("/flower.jpg")
