"""URLs as callers write them: refused early where they are ambiguous, and never logged with their secrets."""

from string import ascii_lowercase, digits
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from mlserverless.errors import InvalidRequest, SourceBlocked

WEB = ("http", "https")
STORES = ("s3", "gs", "az")
MAX_LENGTH = 8192
HOST_LETTERS = frozenset(ascii_lowercase + digits + "-._")
V6_LETTERS = frozenset(":." + "abcdef" + digits)  # no zone: no public address has one
# What stands in a request line as it is; everything else there is percent-encoded (RFC 3986, 3.3 and 3.4).
SAFE = "%/:?#[]@!$&'()*+,;=-._~"


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
        return host if self.port == {"http": 80, "https": 443}.get(self.scheme) else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.target.partition('?')[0]}"


def parse(url: str) -> Url:
    """Take ``url`` apart; only http and https.

    Raises InvalidRequest for what is not a URL, SourceBlocked for another scheme, credentials, control characters
    or backslashes: two parsers read those differently, which is how a check is walked around.
    """
    if not isinstance(url, str) or len(url) > MAX_LENGTH:
        raise InvalidRequest(f"The url is not a text of at most {MAX_LENGTH:,} characters.")
    if any(ord(letter) <= 0x20 or ord(letter) == 0x7F for letter in url) or "\\" in url:
        raise InvalidRequest("The url has a space, a control character or a backslash in it; percent-encode them.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its text repeats what stands before the host, which may be a password
        raise InvalidRequest(
            "The url's host or port is not valid: a port is 0 to 65535, an IPv6 address stands in brackets."
        ) from None
    scheme = parts.scheme.lower()
    if not scheme or ("://" not in url and scheme in WEB + STORES):
        raise InvalidRequest("The url is not a URL: it begins with http://, https://, s3://, gs:// or az://.")
    if scheme not in WEB:
        raise SourceBlocked(
            f"URLs of the scheme {scheme[:20]!r} are not read; accepted are {', '.join(WEB + STORES)}."
        )
    if "@" in parts.netloc:
        raise SourceBlocked("The url carries a user name or password before its host; that is not accepted.")
    if not parts.hostname or port == 0:
        raise InvalidRequest("The url names no host, or the port 0.")
    try:
        host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise InvalidRequest(f"The url's host name is not a valid one: {error}.") from None
    if not (host := host.lower().rstrip(".")):
        raise InvalidRequest("The url names no host: only dots.")
    # Full-width and other compatible letters have become plain ones by now, a backslash or a slash among them.
    if set(host) - (V6_LETTERS if ":" in host else HOST_LETTERS):
        raise InvalidRequest("The url's host name is not a valid one: it has letters, digits, dots, - and _.")
    try:
        target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=SAFE)
    except UnicodeError:
        raise InvalidRequest("The url has half a surrogate pair in it, which is no character.") from None
    return Url(scheme, host, port or (443 if scheme == "https" else 80), target)


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
