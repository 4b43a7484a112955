"""Output bytes to the best classes."""

import math
import struct

import numpy as np
import pytest

from mlserverless.engines import Tensor
from mlserverless.errors import InvalidRequest, ModelUnavailable
from mlserverless.postprocess import Choice, _table, best, check, choose, leading, nearly_equal, scores
from mlserverless.types import Options, Score

LABELS = ("cat", "dog", "owl")
DEFAULT = Choice(5, 0.0, (), ())
EVERY = frozenset(LABELS)


def tensor(dtype: str, scale: float = 0.0, zero_point: int = 0) -> Tensor:
    return Tensor("scores", (1, 3), dtype, scale, zero_point)


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


@pytest.mark.parametrize(
    ("data", "given", "real"),
    [
        (b"\x00\x80\xff", tensor("uint8", 1 / 256), [0.0, 0.5, 255 / 256]),
        (b"\x00\x80\xff", tensor("int8", 0.5, -128), [64.0, 0.0, 63.5]),
        (b"\x00\x80\xff", tensor("uint8"), [0.0, 128.0, 255.0]),
        (floats(0.25, -1.5, 3.0), tensor("float32"), [0.25, -1.5, 3.0]),
    ],
)
def test_stored_values_become_real(data: bytes, given: Tensor, real: list[float]) -> None:
    assert scores(data, given, "none") == real


def test_softmax_agrees_with_numpy_and_sums_to_one() -> None:
    values = np.array([1.5, -2.0, 0.25])
    found = scores(floats(*values), tensor("float32"), "softmax")
    assert found == pytest.approx((np.exp(values) / np.exp(values).sum()).tolist(), rel=1e-12)
    assert math.fsum(found) == pytest.approx(1, abs=1e-15)


def test_softmax_of_huge_values_does_not_overflow() -> None:
    assert scores(floats(3e38, 3e38, -3e38), tensor("float32"), "softmax") == [0.5, 0.5, 0.0]


def test_sigmoid_agrees_with_its_formula_and_does_not_overflow() -> None:
    found = scores(floats(0.0, 2.0, -2.0, 1e5, -1e5), tensor("float32"), "sigmoid")
    by_hand = [0.5, 1 / (1 + math.exp(-2)), 1 - 1 / (1 + math.exp(-2)), 1.0, 0.0]
    assert found == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize("activation", ["none", "softmax", "sigmoid"])
def test_nan_is_refused(activation: str) -> None:
    with pytest.raises(
        ModelUnavailable, match=r"^The model answered NaN in the output 'scores': its weights or its input's range"
    ):
        scores(floats(0.1, math.nan, 0.2), tensor("float32"), activation)


@pytest.mark.parametrize("values", [(math.inf, 0.0), (-math.inf, 0.0), (math.inf, math.inf)])
@pytest.mark.parametrize("activation", ["none", "softmax", "sigmoid"])
def test_infinities_never_become_json_that_no_client_reads(values: tuple[float, ...], activation: str) -> None:
    with pytest.raises(
        ModelUnavailable,
        match=r"^The model answered infinities in the output 'scores': its weights or its input's",
    ):
        scores(floats(*values), tensor("float32"), activation)


@pytest.mark.parametrize(
    ("scale", "said"), [(math.inf, "NaN|infinities"), (math.nan, "NaN"), (1e308, "infinities")]
)
def test_a_scale_that_leaves_what_a_number_holds_is_told(scale: float, said: str) -> None:
    """At load, where no output is there yet, and not only with the byte that shows it."""
    given = tensor("uint8", scale, 3)
    for read in (lambda: check(given), lambda: scores(b"\x00\x80\xff", given, "none")):
        with pytest.raises(ModelUnavailable, match=f"^The model answered ({said})"):
            read()


@pytest.mark.parametrize("dtype", ["bool", "type 8"])
def test_other_dtypes_are_refused(dtype: str) -> None:
    said = f"output is {dtype}; read are float16, float32, float64, uint8"
    with pytest.raises(ModelUnavailable, match=said):
        check(tensor(dtype))
    with pytest.raises(ModelUnavailable, match=said):
        scores(b"", tensor(dtype), "none")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int16", "uint16", "int32", "uint32", "int64"])
@pytest.mark.parametrize(("scale", "zero_point"), [(0.0, 0), (0.5, 3)])
def test_every_dtype_is_read_as_numpy_reads_it(dtype: str, scale: float, zero_point: int) -> None:
    given = np.array([0, 1, 300, 12_000]).astype(dtype)
    expected = (given.astype(np.float64) - zero_point) * (scale or 1)
    assert scores(given.tobytes(), tensor(dtype, scale, zero_point), "none") == expected.tolist()
    check(tensor(dtype, scale, zero_point))


def test_whole_numbers_have_a_softmax_too() -> None:
    found = scores(np.array([1, 3], np.int64).tobytes(), tensor("int64"), "softmax")
    assert found == pytest.approx([1 / (1 + math.exp(2)), 1 / (1 + math.exp(-2))])


@pytest.mark.parametrize(
    ("values", "near"),
    [
        ([0.5, 0.46, 0.04], True),
        ([0.04, 0.46, 0.5], True),
        ([0.5, 0.44, 0.06], False),
        ([0.5, 0.5, 0.0], True),
        ([1.0, 0.0], False),
        ([1.0, 0.96], True),
        ([0.02, 0.0, 0.0], True),
        ([9.0, 8.8, 1.0], True),  # logits: more than 1, or less than 0
        ([9.0, 8.7, 1.0], False),
        ([0.9, -0.1, -3.0], False),
        ([0.1, -0.1, -3.0], True),
        ([-3.0, -3.2], True),
        ([-3.0, -3.3], False),
        ([1.2, 0.96], True),
        ([255.0, 254.0], False),  # bytes without a scale
        ([7.0], False),
        ([0.0], False),
        ([-1.0], False),
    ],
    ids=repr,
)
def test_two_are_nearly_equal_by_the_measure_of_what_they_are(values: list[float], near: bool) -> None:
    assert nearly_equal(values) is near


def test_a_tensors_values_are_worked_out_once() -> None:
    given = tensor("uint8", 1 / 255, 3)
    before = _table.cache_info().misses
    for data in (b"\x00\x01\x02", b"\xff\xfe\xfd"):
        scores(data, given, "none")
    assert _table.cache_info().misses == before + 1


def test_settings_hold_where_the_request_says_nothing() -> None:
    default = Choice(3, 0.5, ("cat",), ("dog",))
    assert choose(Options(), default, EVERY) == default


def test_request_fills_in() -> None:
    options = Options(1, 0.25, ("cat", "owl"), ("owl",))
    assert choose(options, DEFAULT, EVERY) == Choice(1, 0.25, ("cat", "owl"), ("owl",))
    assert choose(Options(score_threshold=0.0), DEFAULT._replace(threshold=0.9), EVERY).threshold == 0.0


def test_request_narrows_the_allowed_labels_and_never_widens_them() -> None:
    default = Choice(5, 0.0, ("cat", "dog"), ("dog",))
    assert choose(Options(labels_allow=("cat", "owl")), default, EVERY).allow == ("cat",)
    assert choose(Options(labels_allow=()), default, EVERY).allow == ("cat", "dog")
    assert choose(Options(labels_deny=("cat",)), default, EVERY).deny == ("dog", "cat")


def test_request_for_nothing_that_is_allowed_is_told() -> None:
    with pytest.raises(InvalidRequest, match="labels_allow names no label that this function is set to answer"):
        choose(Options(labels_allow=("owl",)), DEFAULT._replace(allow=("cat",)), EVERY)


@pytest.mark.parametrize("name", ["labels_allow", "labels_deny"])
def test_unknown_label_is_named(name: str) -> None:
    with pytest.raises(InvalidRequest, match=rf"^{name} names 'cow', which is not a label of this model\.$"):
        choose(Options(**{name: ("cat", "cow")}), DEFAULT, EVERY)


@pytest.mark.parametrize(
    ("choice", "indices"),
    [
        (DEFAULT, [1, 0, 2]),
        (DEFAULT._replace(top_k=1), [1]),
        (DEFAULT._replace(threshold=0.2), [1, 0]),
        (DEFAULT._replace(threshold=0.21), [1]),
        (DEFAULT._replace(threshold=2.0), []),
        (DEFAULT._replace(deny=("dog",)), [0, 2]),
        (DEFAULT._replace(allow=("owl", "cat")), [0, 2]),
        (DEFAULT._replace(allow=("owl",), deny=("owl",)), []),
    ],
)
def test_best_are_chosen_and_ordered(choice: Choice, indices: list[int]) -> None:
    values = [0.2, 0.7, 0.1]
    assert best(values, LABELS, choice) == tuple(Score(LABELS[i], i, values[i]) for i in indices)


def test_equal_scores_stay_in_the_models_order() -> None:
    assert [score.index for score in best([0.5, 0.7, 0.5], LABELS, DEFAULT)] == [1, 0, 2]
    assert [score.index for score in best([0.5] * 3, LABELS, DEFAULT._replace(top_k=2))] == [0, 1]


def test_labels_that_occur_twice_are_kept_apart_by_index() -> None:
    assert best([0.1, 0.9], ("crane", "crane"), DEFAULT) == (Score("crane", 1, 0.9), Score("crane", 0, 0.1))


@pytest.mark.parametrize(
    ("choice", "indices"),
    [
        (DEFAULT, [1, 0, 2]),
        (DEFAULT._replace(top_k=1), [1, 0]),  # whether they are nearly equal is asked of two
        (DEFAULT._replace(top_k=2, threshold=0.9), [1, 0]),
        (DEFAULT._replace(top_k=1, deny=("dog",)), [0, 2]),
        (DEFAULT._replace(allow=("owl",)), [2]),
        (DEFAULT._replace(allow=("owl",), deny=("owl",)), []),
    ],
)
def test_leading_are_at_least_two_of_those_that_may_be_best(choice: Choice, indices: list[int]) -> None:
    assert leading([0.2, 0.7, 0.1], LABELS, choice) == indices


@pytest.mark.parametrize(
    ("choice", "indices"),
    [
        (DEFAULT, [2, 3, 1]),
        (DEFAULT._replace(top_k=1), [2]),
        (DEFAULT._replace(deny=("dog",)), [3, 1]),
        (DEFAULT._replace(allow=("cat",)), [1]),
    ],
)
def test_background_before_the_first_label_is_never_answered(choice: Choice, indices: list[int]) -> None:
    values = [0.9, 0.1, 0.7, 0.2]
    found = best(values, LABELS, choice, offset=1)
    assert found == tuple(Score(LABELS[i - 1], i, values[i]) for i in indices)


def test_labels_before_the_first_class_are_of_none() -> None:
    assert best([0.1, 0.9], LABELS, DEFAULT, offset=-1) == (Score("owl", 1, 0.9), Score("dog", 0, 0.1))
    assert best([0.1, 0.9], LABELS, DEFAULT._replace(allow=("dog", "cat")), offset=-1) == (Score("dog", 0, 0.1),)
