"""The operators of TFLite: their names, and which engine has which versions of them.

``ops.json`` is what the engines answered when they were asked one by one (``tools/op_versions.py``), never typed.
"""

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

FLEX = "Flex"  # begins the name of a TensorFlow operator in a .tflite file
CUSTOM = "CUSTOM"
FLEX_TOLD = "needs TensorFlow's Flex delegate"
PLACES = Path(__file__).with_name("ops.json")


class Known(NamedTuple):
    """What ``ops.json`` says.

    ``engines``: the version of each that was asked; ``names`` and ``types`` by number, as in ``schema.fbs``;
    ``had``: operator -> engine -> its lowest and highest version; ``custom``: operator -> engines that have it.
    """

    engines: dict[str, str]
    names: dict[int, str]
    types: dict[int, str]
    had: dict[str, dict[str, tuple[int, int]]]
    custom: dict[str, tuple[str, ...]]


@cache
def known() -> Known:
    """Return what is known of the operators."""
    told = json.loads(PLACES.read_text(encoding="utf-8"))
    rows = told["operators"]
    return Known(
        engines=told["engines"],
        names={row["code"]: name for name, row in rows.items()},
        types={number: name for name, number in told["types"].items()},
        had={
            name: {engine: (span[0], span[1]) for engine, span in row.items() if engine != "code"}
            for name, row in rows.items()
        },
        custom={name: tuple(engines) for name, engines in told["custom"].items()},
    )


class Use(NamedTuple):
    """An operator that a model uses, in one version, so many times. ``custom``: it is none of TFLite's own."""

    name: str
    version: int
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody calls on this
    custom: bool = False

    @property
    def flex(self) -> bool:
        """Whether it is one of TensorFlow's own, which only the Flex delegate runs."""
        return self.custom and self.name.startswith(FLEX)


def lacks(use: Use, engine: str) -> str:
    """Return what of ``use`` the ``engine`` lacks, as it was measured; "" for nothing, or where it was not.

    A custom operator that was not asked for counts as one that it lacks: an engine has hardly any.
    """
    told = known()
    if engine not in told.engines:
        return ""
    if use.flex:
        return f"{use.name}, which {FLEX_TOLD}"
    if use.custom:
        return "" if engine in told.custom.get(use.name, ()) else f"the custom operator {use.name}"
    span = told.had.get(use.name, {}).get(engine)
    if span is None:
        return use.name
    if not span[0] <= use.version <= span[1]:
        return f"{use.name} version {use.version} (it has up to {span[1]})"
    return ""
