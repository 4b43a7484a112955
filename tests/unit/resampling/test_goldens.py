"""Resizing and cropping against the tensors that the real libraries made: bit-exact, or in the last bits."""

import pytest

from helpers.goldens import Case, cases, difference, ours, told
from mlserverless.model_toml import METHODS

BAR = 1e-6 * 255
# Those whose sums the libraries themselves round otherwise from one processor to another, or whose kernels are not
# computed here by the very operations.
ROUNDED = {
    "torch": ("bilinear", "bicubic", "lanczos"),
    "tensorflow": ("lanczos3", "lanczos5", "gaussian", "mitchellcubic"),
}


def exact(case: Case) -> bool:
    """Return whether the bytes must be the same."""
    method = case.options["resize"]
    if case.library == "tensorflow" and method == "bicubic":
        return not case.options["antialias"]
    return method not in ROUNDED.get(case.library, ())


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_tensor(case: Case) -> None:
    found = difference(case)
    assert found.largest <= (0 if exact(case) else BAR)
    assert found.exact or not exact(case)


def test_every_method_has_tensors_of_its_library() -> None:
    made = {(case.library, case.options["resize"]) for case in cases()}
    assert made == {(library, method) for library, methods in METHODS.items() for method in methods}
    assert {case.name for case in cases()} == set(told()["sha256"])


def test_a_tensor_of_another_case_is_not_taken_for_it() -> None:
    first, second = (
        next(case for case in cases() if case.name == f"tensorflow/bilinear-antialias{antialias}/small-16x21")
        for antialias in (False, True)
    )
    found = difference(first, ours(second))
    assert not found.exact
    assert found.largest > 10
