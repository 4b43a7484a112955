"""What the tests beside it share."""

import pytest


@pytest.fixture(autouse=True)
def _in_order(in_order: None) -> None:
    """Which member of a batch comes first is not the question here."""
