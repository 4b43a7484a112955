"""The functions that a memory sweep imitates: how much CPU each provider gives with how much memory."""

from collections.abc import Iterable
from typing import NamedTuple

MB_PER_VCPU = 1769  # AWS Lambda developer guide, "Configure Lambda function memory"


class Size(NamedTuple):
    """A function's size: memory in MB, its vCPUs, those of its init phase, the cores that it sees."""

    mb: int
    vcpu: float
    init_vcpu: float
    cores: int


def _lambda(mb: int) -> Size:
    vcpu = mb / MB_PER_VCPU
    return Size(mb, vcpu, max(1.0, vcpu), max(2, -(-mb // MB_PER_VCPU)))


def _same(mb: int, vcpu: float) -> Size:
    return Size(mb, vcpu, vcpu, max(1, round(vcpu)))


SIZES = {
    "aws": tuple(map(_lambda, (512, 1024, 1769, 2048, 3008, 4096))),
    # Microsoft Learn, "Azure Functions Flex Consumption plan hosting", instance memory.
    "azure": (_same(512, 0.25), _same(2048, 1.0), _same(4096, 2.0)),
    # Google Cloud documentation, "Configure memory limits" of functions.
    "gcp": (_same(512, 0.333), _same(1024, 0.583), _same(2048, 1.0), _same(4096, 2.0)),
}
IMITATED = {
    "aws": "AWS Lambda: a vCPU for each 1,769 MB, and at least one whole vCPU while it initialises.",
    "azure": "Azure Functions, Flex Consumption: the instance's share of CPU from its first moment on.",
    "gcp": "Cloud Run functions: the share of CPU that goes with the memory, without its start-up boost.",
}


OTHERWISE = "The cores are this machine's, not the provider's: compare sizes by it rather than milliseconds."


def beyond(sizes: Iterable[Size], cores: int) -> str:
    """Return what is to be said of those ``sizes`` that have more CPU than this machine's ``cores``; or ""."""
    above = [size for size in sizes if size.vcpu > cores]
    if not above:
        return ""
    has = f"{cores} core{'s' if cores > 1 else ''}"
    told = ", ".join(f"{size.mb:,} MB ({size.vcpu:.1f} vCPU)" for size in above)
    return f"This machine has {has}, so {told} was measured with {cores}."
