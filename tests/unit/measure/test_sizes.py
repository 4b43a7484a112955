"""The function sizes, as the providers document them."""

import pytest

from mlserverless.measure.sizes import IMITATED, SIZES, Size, beyond


def test_lambda_gives_a_vcpu_at_1769_mb_and_a_whole_one_to_the_init_phase() -> None:
    sizes = {size.mb: size for size in SIZES["aws"]}
    assert list(sizes) == [512, 1024, 1769, 2048, 3008, 4096]
    assert sizes[1769] == Size(1769, 1.0, 1.0, 2)
    assert sizes[512].vcpu == pytest.approx(0.289, abs=0.001)
    assert sizes[512].init_vcpu == 1.0
    assert sizes[4096] == Size(4096, 4096 / 1769, 4096 / 1769, 3)


def test_the_others_give_what_their_tables_say() -> None:
    assert [(size.mb, size.vcpu) for size in SIZES["azure"]] == [(512, 0.25), (2048, 1), (4096, 2)]
    assert [(size.mb, size.vcpu) for size in SIZES["gcp"]] == [(512, 0.333), (1024, 0.583), (2048, 1), (4096, 2)]
    assert all(size.init_vcpu == size.vcpu for name in ("azure", "gcp") for size in SIZES[name])
    assert [size.cores for size in SIZES["azure"]] == [1, 1, 2]
    assert SIZES.keys() == IMITATED.keys()


def test_sizes_beyond_the_machine_are_named() -> None:
    assert beyond(SIZES["aws"], 4) == ""
    assert beyond(SIZES["aws"], 2) == "This machine has 2 cores, so 4,096 MB (2.3 vCPU) was measured with 2."
    assert beyond(SIZES["azure"], 1).startswith("This machine has 1 core, so 4,096 MB (2.0 vCPU)")
