"""Where a redirect leads: a reference, relative or not, to the URL that it was found at (RFC 3986, 5.2)."""

from mlserverless.net.url import Url, parse, scheme_of


def join(base: Url, reference: str) -> Url:
    """Return what ``reference`` leads to from ``base``. Raises what :func:`~mlserverless.net.url.parse` raises.

    A reference with a scheme is absolute, also where it is the base's own: "http:x" leads nowhere.
    """
    if scheme_of(reference):
        return parse(reference)
    if reference.startswith("//"):
        return parse(f"{base.scheme}:{reference}")
    path, mark, query = reference.partition("#")[0].partition("?")
    here, _, asked = base.target.partition("?")
    if path:
        path = _without_dots(path if path.startswith("/") else f"{here.rpartition('/')[0]}/{path}")
    else:
        path, query = here, query if mark else asked
    return parse(f"{base.scheme}://{base.netloc}{path}?{query}")


def _without_dots(path: str) -> str:
    # RFC 3986, 5.2.4, for a path that begins with a slash.
    segments, kept = path.split("/")[1:], list[str]()
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
