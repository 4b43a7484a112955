"""URLs as callers write them: refused early where they are ambiguous, and never logged with their secrets.

Taken apart by hand: ``urllib.parse`` costs a cold start 4 ms, and it accepts what no URL of an image has. Whatever
is accepted here it reads alike, which the tests hold it to.
"""

from mlserverless.errors import InvalidRequest, SourceBlocked
from mlserverless.named_tuple import NamedTuple

WEB = ("http", "https")
STORES = ("s3", "gs", "az")
PORTS = {"http": 80, "https": 443}
MAX_LENGTH = 8192
LOWER, DIGITS = "abcdefghijklmnopqrstuvwxyz", "0123456789"  # ``string`` would import ``re``
HOST_LETTERS = frozenset(LOWER + DIGITS + "-._")
V6_LETTERS = frozenset(":.abcdef" + DIGITS)  # no zone: no public address has one
SCHEME_LETTERS = frozenset(LOWER + DIGITS + "+-.")
FORBIDDEN = frozenset([*map(chr, range(0x21)), "\x7f", "\\"])
# What stands in a request line as it is; everything else there is percent-encoded (RFC 3986, 3.3 and 3.4).
PLAIN = frozenset(LOWER + LOWER.upper() + DIGITS + "%/:?#[]@!$&'()*+,;=-._~")
NO_URL = "The url is not a URL: it begins with http://, https://, s3://, gs:// or az://."
NO_HOST = "The url names no host, or the port 0."
BAD_HOST = "The url's host or port is not valid: a port is 0 to 65535, an IPv6 address stands in brackets."


class Url(NamedTuple):
    """A URL taken apart. ``host`` is lower case, ASCII, without brackets; ``target`` is path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def netloc(self) -> str:
        """The Host header's value: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS.get(self.scheme) else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.target.partition('?')[0]}"


def parse(url: str) -> Url:
    """Take ``url`` apart; only http and https.

    Raises InvalidRequest for what is not a URL, SourceBlocked for another scheme, credentials, control characters
    or backslashes: two parsers read those differently, which is how a check is walked around.
    """
    if not isinstance(url, str) or len(url) > MAX_LENGTH:
        raise InvalidRequest(f"The url is not a text of at most {MAX_LENGTH:,} characters.")
    if not FORBIDDEN.isdisjoint(url):
        raise InvalidRequest("The url has a space, a control character or a backslash in it; percent-encode them.")
    scheme = scheme_of(url)
    rest = url[len(scheme) + 1 :]
    if not scheme or (not rest.startswith("//") and scheme in WEB + STORES):
        raise InvalidRequest(NO_URL)
    if scheme not in WEB:
        raise SourceBlocked(
            f"URLs of the scheme {scheme[:20]!r} are not read; accepted are {', '.join(WEB + STORES)}."
        )
    end = min((found for mark in "/?#" if (found := rest.find(mark, 2)) >= 0), default=len(rest))
    host, port = _place(rest[2:end])
    path, mark, query = rest[end:].partition("#")[0].partition("?")
    return Url(scheme, host, port or PORTS[scheme], _quoted(f"{path or '/'}{mark if query else ''}{query}"))


def scheme_of(url: str) -> str:
    """Return the scheme that ``url`` begins with, in lower case, or "" where it has none (RFC 3986, 3.1)."""
    scheme, colon, _ = url.partition(":")
    plain = scheme.isascii() and scheme[:1].isalpha() and SCHEME_LETTERS.issuperset(scheme.lower())
    return scheme.lower() if colon and plain else ""


def _place(authority: str) -> tuple[str, int]:
    # The host and the port, 0 where none is given.
    if "@" in authority:
        raise SourceBlocked("The url carries a user name or password before its host; that is not accepted.")
    if bracketed := authority.startswith("["):
        host, closed, port = authority[1:].partition("]")
        if not closed or port[:1] not in ("", ":"):
            raise InvalidRequest(BAD_HOST)
        port = port[1:]
    else:
        host, _, port = authority.partition(":")
    number = port.lstrip("0")
    if port and not (port.isascii() and port.isdigit() and len(number) < 6 and int(number or 0) < 65_536):
        raise InvalidRequest(BAD_HOST)
    if not host or (port and not number):
        raise InvalidRequest(NO_HOST)
    return _v6(host) if bracketed else _name(host), int(number or 0)


def _v6(host: str) -> str:
    from socket import AF_INET6, inet_pton  # log lines are redacted here, too, by what opens no socket

    host = host.lower()
    try:
        if V6_LETTERS.issuperset(host):
            inet_pton(AF_INET6, host)
            return host
    except OSError:
        pass
    raise InvalidRequest(BAD_HOST)


def _name(host: str) -> str:
    try:
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise InvalidRequest(f"The url's host name is not a valid one: {error}.") from None
    if not (host := host.lower().rstrip(".")):
        raise InvalidRequest("The url names no host: only dots.")
    # Full-width and other compatible letters have become plain ones by now, a backslash or a slash among them.
    if not HOST_LETTERS.issuperset(host):
        raise InvalidRequest("The url's host name is not a valid one: it has letters, digits, dots, - and _.")
    return host


def _quoted(target: str) -> str:
    if PLAIN.issuperset(target):
        return target
    try:
        return "".join(chr(byte) if chr(byte) in PLAIN else f"%{byte:02X}" for byte in target.encode())
    except UnicodeError:
        raise InvalidRequest("The url has half a surrogate pair in it, which is no character.") from None


def redact(url: str) -> str:
    """Return ``url`` without query, fragment and credentials, fit for a log: presigned URLs are passwords."""
    scheme, found, rest = url.partition("?")[0].partition("#")[0].partition("://")
    if not found:
        return f"{scheme.partition(':')[0][:20]}:…" if ":" in scheme else "…"
    netloc, slash, path = rest.partition("/")
    host = netloc.rpartition("@")[2]
    if not host.rpartition("]")[2].partition(":")[2].isdigit() and ":" in host.rpartition("]")[2]:
        return f"{scheme[:20]}://…"  # no port: the beginning of a password that has a slash in it
    shown = f"{scheme}://{host}{slash}{path}"
    return shown if len(shown) <= 200 else shown[:199] + "…"


def allowed(host: str, patterns: tuple[str, ...]) -> bool:
    """Return whether ``host`` is one of ``patterns``: exact names, or ``*.name`` for any name below it."""
    for pattern in patterns:
        wanted = pattern.lower().rstrip(".")
        if host == wanted or (wanted.startswith("*.") and host.endswith(wanted[1:]) and host != wanted[2:]):
            return True
    return not patterns
