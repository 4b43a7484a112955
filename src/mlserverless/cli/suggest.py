"""What was meant by a word that is none: only on the way to an error, so that nothing else pays for it."""

import re
from collections.abc import Iterable

# What the errors of settings and models say: the word that was given, and all that there are.
UNKNOWN = (
    re.compile(r"There is no model '(?P<given>[^']*)'.* one of (?P<known>[^.]*)\."),
    re.compile(r"(?P<given>\w+) is not a setting\. Settings are: (?P<known>[^.]*)\."),
)
PREFIX = "mlserverless_"


def near(word: str, known: Iterable[str]) -> list[str]:
    """Return the words of ``known`` that ``word`` may have been meant for, the likeliest first."""
    from difflib import get_close_matches

    return get_close_matches(word.lower(), list(known), n=2, cutoff=0.6)


def meant(word: str, known: Iterable[str]) -> str:
    """Return `` Did you mean …?``, with a blank before it, or nothing where nothing is near."""
    return _asked(near(word, known))


def _asked(names: list[str]) -> str:
    return f" Did you mean {' or '.join(map(repr, names))}?" if names else ""


def better(told: str) -> str:
    """Return an error's text with what was probably meant, where it names no known model or setting."""
    for pattern in UNKNOWN:
        if found := pattern.search(told):
            word, known = found["given"].lower(), found["known"].split(", ")
            begin = PREFIX if word.startswith(PREFIX) else ""  # a variable of the environment
            names = near(word.removeprefix(begin), known)
            return told + _asked([begin.upper() + (name.upper() if begin else name) for name in names])
    return told
