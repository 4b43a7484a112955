"""The head of an HTTP/1 response, read strictly (RFC 9112): what two readers read differently is refused.

``http.client`` reads leniently, and costs a cold start 20 ms. Where the RFC leaves a choice, the strict one is
taken here, since whatever stands between the origin and us may have taken the other:

- a line ends with CR LF; a bare LF, which a reader *may* take for an end (2.2), and a bare CR are refused
- a folded line is refused (5.2), so are a space before the colon (5.1) and control characters in values
- of two lengths, or a length and chunks, none is believed (6.1, 6.3); the same length twice is one (RFC 9110, 8.6)
- a transfer coding other than chunked is refused, and any in HTTP/1.0 (6.1)

Only the space after the status code may be missing, as many servers leave it out where no reason follows.
"""

HEAD = 64 << 10  # bytes before the body, interim responses included (curl takes 300 kB, nginx 8 to 32 kB)
MOST_FIELDS = 100  # as http.client
MAX_DIGITS = 40  # of a length
TEXT = bytes([9, 10, 13, *range(0x20, 0x7F), *range(0x80, 0x100)])
TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LENGTH, CODING, CONNECTION = b"content-length", b"transfer-encoding", b"connection"
ENCODING, LOCATION, AFTER = b"content-encoding", b"location", b"retry-after"
WANTED = frozenset((LENGTH, CODING, CONNECTION, ENCODING, LOCATION, AFTER))
Fields = dict[bytes, list[bytes]]


class Improper(Exception):
    """The answer is no proper HTTP, or not whole. The text says what, after the host's name, in words of ours."""


class Head:
    """What the head says. ``length`` is None where the body is ``chunked`` or ends with the connection.

    ``keeps``: the connection may serve another request. ``location``, ``encodings`` and ``after``, Retry-After's,
    are the fields' values.
    (No named tuple: making the class of one takes 0.2 ms, a tenth of this whole package's import.)
    """

    __slots__ = ("after", "chunked", "encodings", "keeps", "length", "location", "status")

    def __init__(
        self,
        status: int,
        length: int | None = None,
        *,
        chunked: bool = False,
        keeps: bool = False,
        location: bytes = b"",
        encodings: tuple[bytes, ...] = (),
        after: bytes = b"",
    ) -> None:
        self.status, self.length, self.chunked, self.keeps = status, length, chunked, keeps
        self.location, self.encodings, self.after = location, encodings, after


def improper(what: str) -> Improper:
    """Return the error that says ``what`` was improper."""
    return Improper(f"did not answer in proper HTTP: {what}")


def parse(block: bytes) -> Head:
    """Return what the head ``block`` says, which comes without the empty line at its end; raise Improper."""
    first, *rest = lines(block)
    version, code, after = first[:9], first[9:12], first[12:13]
    if version not in (b"HTTP/1.1 ", b"HTTP/1.0 ") or after not in (b"", b" "):
        raise improper("its status line is not one of HTTP/1.1 or 1.0")
    if len(code) != 3 or not code.isdigit() or code < b"100":
        raise improper("its status is not a number from 100 to 999")
    found = fields(rest)
    length, chunked = _framing(found)
    if chunked and version == b"HTTP/1.0 ":
        raise improper("chunks are not of HTTP/1.0")
    if len(locations := set(found.get(LOCATION, ()))) > 1:
        raise improper("it leads to two places")
    options = b",".join(found.get(CONNECTION, ())).lower().split(b",")
    keeps = version == b"HTTP/1.1 " and b"close" not in [option.strip(b" \t") for option in options]
    head = Head(int(code), length, chunked=chunked, keeps=keeps, location=locations.pop() if locations else b"")
    head.encodings, head.after = tuple(found.get(ENCODING, ())), found.get(AFTER, [b""])[0]
    return head


def lines(block: bytes) -> list[bytes]:
    """Return the lines of ``block``, between which CR LF stands and in which no control character does."""
    found = block.split(b"\r\n")
    breaks = len(found) - 1
    if block.translate(None, TEXT) or block.count(b"\r") != breaks or block.count(b"\n") != breaks:
        raise improper("its head has control characters or bare line breaks")
    return found


def fields(found: list[bytes]) -> Fields:
    """Return the values of the fields in these lines that matter, by name in lower case; check the others, too."""
    if len(found) > MOST_FIELDS:
        raise improper(f"it has more than {MOST_FIELDS} headers")
    values: Fields = {}
    for line in found:
        name, colon, value = line.partition(b":")
        if not colon or not name or name.translate(None, TOKEN):  # a space among them: a folded line
            raise improper("a line of its head is no header")
        if (name := name.lower()) in WANTED:
            values.setdefault(name, []).append(value.strip(b" \t"))
    return values


def _framing(found: Fields) -> tuple[int | None, bool]:
    lengths, codings = set(found.get(LENGTH, ())), found.get(CODING, [])
    if len(lengths) > 1 or (lengths and codings):
        raise improper("it says two things of its length")
    if codings and [coding.lower() for coding in codings] != [b"chunked"]:
        raise improper("its transfer coding is not chunked")
    for length in lengths:
        if not length.isdigit() or len(length) > MAX_DIGITS:
            raise improper("its length is not a number")
        return int(length), False
    return None, bool(codings)
