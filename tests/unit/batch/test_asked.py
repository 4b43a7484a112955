"""How items become requests: in which groups, under which name, with which options."""

import pytest

from mlserverless.batch.asked import done_of, groups, identified, in_query, paired
from mlserverless.batch.engine import Done, Item
from mlserverless.batch.replies import Reply
from mlserverless.errors import ConfigError

URLS = [Item(index, f"https://example.com/{index}") for index in range(5)]
FILE = Item(9, "photos/a.jpg", True)


def test_urls_go_together_and_the_last_may_be_fewer() -> None:
    assert list(groups(iter(URLS), 2)) == [URLS[:2], URLS[2:4], URLS[4:]]
    assert list(groups(iter(URLS), 1)) == [[url] for url in URLS]
    assert list(groups(iter([]), 3)) == []


def test_a_file_goes_alone_and_in_its_place() -> None:
    assert list(groups(iter([URLS[0], FILE, FILE, URLS[1], URLS[2]]), 3)) == [
        [URLS[0]],
        [FILE],
        [FILE],
        [URLS[1], URLS[2]],
    ]


def test_results_are_the_items_in_order() -> None:
    results = [{"a": 1}, {"b": 2}]
    assert list(paired(URLS[:2], Reply(results))) == [(URLS[0], {"a": 1}), (URLS[1], {"b": 2})]
    with pytest.raises(ValueError, match="shorter"):
        list(paired(URLS, Reply(results)))
    assert done_of(URLS[1], {"b": 2}, 3) == Done(1, "https://example.com/1", {"b": 2}, 3)


def test_a_request_is_named_by_its_first_item() -> None:
    assert identified(URLS[3:]) == {"X-Request-Id": "batch-3"}


def test_lists_are_in_a_query_with_commas() -> None:
    assert in_query("top_k", 3) == 3
    assert in_query("labels_allow", ["a", "b c"]) == "a,b c"
    with pytest.raises(ConfigError, match="labels_allow has one"):
        in_query("labels_allow", ["a,b"])
