"""Options of any kind: within their bounds, or refused as an invalid request."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mlserverless.errors import InvalidRequest
from mlserverless.options import READERS, read_options

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)
names = st.one_of(st.sampled_from(sorted(READERS)), st.text(max_size=12))


@given(st.dictionaries(names, values, max_size=4))
def test_anything_is_within_bounds_or_refused(given: dict[str, Any]) -> None:
    try:
        options = read_options(given)
    except InvalidRequest:
        return
    assert given.keys() <= READERS.keys()
    assert options.top_k is None or (type(options.top_k) is int and 1 <= options.top_k <= 1000)
    assert options.score_threshold is None or -1e9 <= options.score_threshold <= 1e9
    for labels in (options.labels_allow, options.labels_deny):
        assert labels is None or all(label and label == label.strip() for label in labels)


@given(st.integers(1, 1000), st.floats(-1e9, 1e9))
def test_numbers_and_their_texts_are_the_same(top_k: int, threshold: float) -> None:
    as_numbers = read_options({"top_k": top_k, "score_threshold": threshold})
    as_texts = read_options({"top_k": str(top_k), "score_threshold": repr(threshold)})
    assert as_numbers == as_texts
    assert (as_numbers.top_k, as_numbers.score_threshold) == (top_k, threshold)
