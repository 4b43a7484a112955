"""Where the cases of the wire contract find their images."""

from typing import NamedTuple


class Places(NamedTuple):
    """URLs that the function can reach; an empty one is none that is known. ``odd`` has ``ö`` in its path."""

    image: str = ""
    missing: str = ""
    text: str = ""
    odd: str = ""
