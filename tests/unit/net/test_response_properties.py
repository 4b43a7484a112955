"""Responses at random, also broken ones: h11, which is another's work, reads what is read here the same way."""

from hypothesis import given
from hypothesis import strategies as st

from helpers.replies import h11s, response
from mlserverless.errors import ImageTooLarge
from mlserverless.net.head import Improper
from mlserverless.net.response import Response

MAX_BYTES = 300
words = st.sampled_from([b"a", b"5", b"05", b"close", b"chunked", b"gzip", b"keep-alive", b"", b"\xff", b"x, y"])
names = st.sampled_from(
    [
        *(b"Content-Length", b"content-length", b"Transfer-Encoding", b"TRANSFER-ENCODING", b"Connection"),
        *(b"Location", b"Content-Encoding", b"X", b"X-Y_z", b"X\xff", b"X ", b" X", b"", b"Keep-Alive"),
    ]
)
fields = st.builds(
    lambda name, colon, value, end: name + colon + value + end,
    names,
    st.sampled_from([b": ", b":", b":\t", b" :", b""]),
    st.one_of(words, st.integers(0, 40).map(lambda number: b"%d" % number)),
    st.sampled_from([b"\r\n"] * 8 + [b"\n", b"\r", b" \r\n", b"\r\n x\r\n", b"\0\r\n"]),
)
statuses = st.sampled_from(
    [b"HTTP/1.1 200 OK\r\n"] * 8
    + [b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 200\r\n", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"]
    + [b"HTTP/1.1 200 OK\n", b"HTTP/1.2 200 OK\r\n", b"HTTP/1.1 2000 OK\r\n", b"HTTP/1.1 200 \xe9\x01\r\n"]
)
chunks = st.builds(
    lambda size, extension, data, end: size(len(data)) + extension + data + end,
    st.sampled_from(
        [lambda n: b"%x" % n] * 6 + [lambda n: b"%X" % n, lambda n: b"00%x" % n, lambda n: b"%x" % (n + 1)]
    ),
    st.sampled_from([b"\r\n"] * 6 + [b";a=b\r\n", b"; \r\n", b" \r\n", b"\n", b";\r\r\n"]),
    st.binary(min_size=1, max_size=20),
    st.sampled_from([b"\r\n"] * 8 + [b"\n", b"", b"\r\n\r\n"]),
)
ends = st.sampled_from(
    [b"0\r\n\r\n"] * 4 + [b"0\r\nT: x\r\n\r\n", b"0\r\nContent-Length: 1\r\n\r\n", b"0\r\n", b"", b"00;x\r\n\r\n"]
)
bodies = st.one_of(
    st.binary(max_size=60), st.builds(lambda many, end: b"".join(many) + end, st.lists(chunks, max_size=4), ends)
)
answers = st.builds(
    lambda status, many, body: status + b"".join(many) + b"\r\n" + body,
    statuses,
    st.lists(fields, max_size=3),
    bodies,
)
good = st.builds(
    lambda status, many, data, end: (
        status + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(many) + end
        if many
        else status + b"Content-Length: %d\r\n\r\n" % len(data) + data
    ),
    statuses,
    st.lists(chunks, max_size=4),
    st.binary(max_size=60),
    ends,
)
cut_places = st.lists(st.integers(1, 200), max_size=8)


def mutated(sent: bytes, edits: list[tuple[int, bytes, int]]) -> bytes:
    for place, put, dropped in edits:
        at = place % (len(sent) + 1)
        sent = sent[:at] + put + sent[at + dropped :]
    return sent


pieces = st.one_of(
    st.sampled_from([b"\r", b"\n", b"\r\n", b" ", b":", b"0", b";", b"\0", b"\x85", b","]), st.binary(max_size=3)
)
edits = st.lists(st.tuples(st.integers(0, 300), pieces, st.integers(0, 3)), max_size=3)
sendings = st.builds(mutated, st.one_of(answers, good), st.one_of(st.just([]), edits))


def ours(sent: bytes, cuts: list[int]) -> tuple[Response, int, bytes] | None:
    found = response(sent, cuts, MAX_BYTES)
    try:
        head = found.head()
        return found, head.status, found.whole()
    except (Improper, ImageTooLarge):
        return None


@given(sendings, cut_places)
def test_whatever_is_accepted_h11_reads_alike(sent: bytes, cuts: list[int]) -> None:
    if (found := ours(sent, cuts)) and found[1] == 200:
        status, body, rest = h11s(sent)
        assert (status, body) == found[1:]
        assert len(body) <= MAX_BYTES
        if not cuts and found[0].clean:
            assert rest == b""


@given(sendings, cut_places)
def test_where_reads_end_makes_no_difference(sent: bytes, cuts: list[int]) -> None:
    assert (ours(sent, cuts) or [None])[1:] == (ours(sent, []) or [None])[1:]


@given(good, cut_places)
def test_pieces_are_the_whole(sent: bytes, cuts: list[int]) -> None:
    found = response(sent, cuts, MAX_BYTES)
    try:
        found.head()
        body = b"".join(found.pieces())
    except (Improper, ImageTooLarge):
        assert ours(sent, cuts) is None
    else:
        again = ours(sent, cuts)
        assert again
        assert again[2] == body


@given(st.binary(max_size=200), st.lists(st.binary(max_size=40), max_size=5))
def test_what_is_sent_well_is_read(data: bytes, many: list[bytes]) -> None:
    framed = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in many if one)
    for sent, body in (
        (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(data), data), data),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n", b"".join(many)),
        (b"HTTP/1.1 200 OK\r\n\r\n" + data, data),
    ):
        found = ours(sent, [])
        assert found
        assert found[1:] == (200, body)
        assert h11s(sent)[:2] == (200, body)
