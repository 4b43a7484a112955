"""The trace that a request belongs to, by whichever of three names its platform tells it.

Nothing here makes up an id: without one the log's line has none, too.
"""

from collections.abc import Mapping

from mlserverless.named_tuple import NamedTuple

HEX = frozenset("0123456789abcdef")
LENGTHS = [2, 32, 16, 2]  # of a traceparent's version, trace, span and flags


class Parent(NamedTuple):
    """The ids of a trace (32 hexadecimal digits) and of the span in it (16), "" for none; whether it is kept."""

    trace_id: str = ""
    span_id: str = ""
    sampled: bool = False

    def header(self) -> str:
        """Return it as a ``traceparent`` header of W3C Trace Context, version 00."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


NONE = Parent()


def parent(headers: Mapping[str, str], xray: str) -> Parent:
    """Return the parent that ``headers`` name, else ``xray``, Lambda's variable; an invalid one counts as none."""
    if (text := headers.get("traceparent")) and (found := read(text)):
        return found
    if (text := headers.get("x-cloud-trace-context")) and (found := _google(text)):
        return found
    return (_amazon(xray) if xray else None) or NONE


def read(text: str) -> Parent | None:
    """Return the parent in a ``traceparent`` header, None where it is no valid one (W3C Trace Context, 3.2)."""
    parts = text.split("-")
    if [len(part) for part in parts[:4]] != LENGTHS or (parts[0] == "00" and len(parts) > 4):
        return None
    version, trace_id, span_id, flags = parts[:4]
    if version == "ff" or not HEX.issuperset(version + trace_id + span_id + flags) or _zero(trace_id, span_id):
        return None
    return Parent(trace_id, span_id, bool(int(flags, 16) & 1))


def carried(headers: Mapping[str, str]) -> str:
    """Return the ``traceparent`` to ask others with on behalf of a request with ``headers``, "" for none.

    It is the one that came, where that is valid; of a later version what this one knows of it. ``tracestate``, in
    which vendors put what they like, is not carried on.
    """
    if (text := headers.get("traceparent", "")) and (found := read(text)):
        return text if text.startswith("00-") else found.header()
    return ""


def _google(text: str) -> Parent | None:
    # TRACE_ID/SPAN_ID;o=1, the span's id in decimal digits.
    trace_id, _, rest = text.partition("/")
    span, _, options = rest.partition(";")
    if len(trace_id) != 32 or not HEX.issuperset(trace_id.lower()) or not (span.isascii() and span.isdigit()):
        return None
    if len(span) > 20 or _zero(trace_id, span):
        return None
    return Parent(trace_id.lower(), f"{int(span) % 2**64:016x}", options.startswith("o=1"))


def _amazon(text: str) -> Parent | None:
    # Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1
    trace_id = text.partition("Root=1-")[2].partition(";")[0].replace("-", "").lower()
    span_id = text.partition("Parent=")[2].partition(";")[0].lower()
    if len(trace_id) != 32 or not HEX.issuperset(trace_id + span_id) or len(span_id) not in (0, 16):
        return None
    return Parent(trace_id, span_id, "Sampled=1" in text)


def _zero(*ids: str) -> bool:
    return any(not one.strip("0") for one in ids)
