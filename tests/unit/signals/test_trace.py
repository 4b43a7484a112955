"""Which trace a request belongs to, by what its platform says; what is not valid counts as not said."""

import pytest

from mlserverless.signals import trace
from mlserverless.signals.trace import NONE, Parent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADER = f"00-{TRACE}-{SPAN}-01"


def test_a_traceparent_is_read_and_written_alike() -> None:
    assert trace.read(HEADER) == Parent(TRACE, SPAN, True)
    assert Parent(TRACE, SPAN, True).header() == HEADER
    assert Parent(TRACE, SPAN).header() == f"00-{TRACE}-{SPAN}-00"


@pytest.mark.parametrize("flags", ["01", "03", "ff"])
def test_the_last_bit_of_the_flags_says_that_it_is_kept(flags: str) -> None:
    assert trace.read(f"00-{TRACE}-{SPAN}-{flags}") == Parent(TRACE, SPAN, True)


def test_a_later_version_may_say_more() -> None:
    assert trace.read(f"01-{TRACE}-{SPAN}-00-more") == Parent(TRACE, SPAN, False)
    assert trace.read(f"00-{TRACE}-{SPAN}-00-more") is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "-", "00", f"00-{TRACE}-{SPAN}", f"ff-{TRACE}-{SPAN}-01"),
        *(f"00-{TRACE.upper()}-{SPAN}-01", f"00-{TRACE}-{SPAN[:-1]}-01", f"00-{TRACE}x-{SPAN}-01"),
        *(f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE}-{SPAN}-0g", "x" * 10_000),
        f"{HEADER}\n",
    ],
)
def test_what_is_no_traceparent_is_none(text: str) -> None:
    assert trace.read(text) is None
    assert trace.parent({"traceparent": text}, "") == NONE


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"{TRACE}/1;o=1", Parent(TRACE, "0000000000000001", True)),
        (f"{TRACE.upper()}/74;o=0", Parent(TRACE, "000000000000004a", False)),
        (f"{TRACE}/18446744073709551615", Parent(TRACE, "f" * 16, False)),
        *((text, NONE) for text in ("", TRACE, f"{TRACE}/", f"{TRACE}/x;o=1", f"{TRACE[1:]}/1", f"{TRACE}/0")),
        *((f"{TRACE}/{span}", NONE) for span in ("1" * 21, "²", "-1")),
    ],
)
def test_googles_header_is_read(text: str, found: Parent) -> None:
    assert trace.parent({"x-cloud-trace-context": text}, "") == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
            Parent("5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8", True),
        ),
        (
            "Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=a87bd80c:1|68fd508a:5",
            Parent("5759e988bd862e3fe1be46a994272793", "", False),
        ),
        *((text, NONE) for text in ("", "Root=", "Root=1-5759e988-x", "Parent=53995c3f42cd8ad8", "Sampled=1")),
        ("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53", NONE),
    ],
)
def test_lambdas_variable_is_read(text: str, found: Parent) -> None:
    assert trace.parent({}, text) == found


def test_the_caller_comes_before_the_platform() -> None:
    told = {"traceparent": HEADER, "x-cloud-trace-context": f"{'b' * 32}/1;o=1"}
    assert trace.parent(told, "Root=1-5759e988-bd862e3fe1be46a994272793").trace_id == TRACE
    assert trace.parent({**told, "traceparent": "none"}, "").trace_id == "b" * 32
