"""Which of the types that there are an Accept header likes best (RFC 9110, 12.5.1)."""

from mlserverless.errors import NotAcceptable

TOKEN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~")


def best(accept: str, offered: tuple[str, ...]) -> str:
    """Return the one of ``offered`` that ``accept`` prefers, the first of equals, "" where it takes none.

    Parameters other than q are not looked at, since no type here has any. What is no media range is passed over; a
    header without one takes all.
    """
    ranges = [found for part in accept.split(",") if (found := _range(part))]
    if not ranges:
        return offered[0]
    liked = [(_quality(ranges, *kind.split("/")), -place) for place, kind in enumerate(offered)]
    quality, place = max(liked)
    return offered[-place] if quality > 0 else ""


def check(accept: str, offered: tuple[str, ...]) -> str:
    """Return what :func:`best` does; raise NotAcceptable where that is none."""
    if found := best(accept, offered):
        return found
    raise NotAcceptable(
        f"Accept is {accept[:60]!r}, and the answer here is {' or '.join(offered)}: name one of these, or */*."
    )


def _range(text: str) -> tuple[str, str, float] | None:
    kind, *parameters = (part.strip().lower() for part in text.split(";"))
    main, _, sub = kind.partition("/")
    if not main or not sub or not TOKEN.issuperset(main + sub) or (main == "*" and sub != "*"):
        return None
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return main, sub, _weight(value.strip())
    return main, sub, 1.0


def _weight(text: str) -> float:
    # Three digits at most (RFC 9110, 12.4.2); what is none is taken for the default.
    whole, _, part = text.partition(".")
    plain = whole in ("0", "1") and len(part) <= 3 and (not part or (part.isascii() and part.isdigit()))
    return min(float(text), 1.0) if plain else 1.0


def _quality(ranges: list[tuple[str, str, float]], main: str, sub: str) -> float:
    # The most specific range that matches decides.
    for wanted in ((main, sub), (main, "*"), ("*", "*")):
        if found := [quality for *kind, quality in ranges if tuple(kind) == wanted]:
            return max(found)
    return 0.0
