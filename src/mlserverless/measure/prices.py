"""What a million requests cost, by a dated price list that anybody can replace."""

import math
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from mlserverless.measure.sizes import SIZES, Size

FILE = Path(__file__).with_name("prices.toml")
TEXTS = ("checked", "region", "currency", "source")
NUMBERS = {"gb_second": None, "vcpu_second": 0.0, "request": None, "round_ms": None, "minimum_ms": 0.0}


class PricesError(ValueError):
    """The price file cannot be used; the text names the file, the value and what is accepted."""


class Prices(NamedTuple):
    """One provider's prices: ``gb_second`` (a GB is 1,024 MB), ``vcpu_second`` and ``request`` in ``currency``.

    A request's duration is rounded up to ``round_ms``, and is at least ``minimum_ms``. ``source`` is the list's
    URL, ``checked`` when it was looked at.
    """

    checked: str
    region: str
    currency: str
    source: str
    gb_second: float
    vcpu_second: float
    request: float
    round_ms: float
    minimum_ms: float

    def million(self, size: Size, durations_ms: Iterable[float]) -> float:
        """Return what a million requests of such durations cost on a function of ``size``, cold starts aside."""
        billed = [max(self.minimum_ms, self.round_ms * math.ceil(ms / self.round_ms)) for ms in durations_ms]
        seconds = sum(billed) / len(billed) / 1000
        by_time = size.mb / 1024 * self.gb_second + size.vcpu * self.vcpu_second
        return 1e6 * (seconds * by_time + self.request)


def read(provider: str, file: Path | None = None) -> Prices:
    """Return the prices of ``provider`` in ``file``, by default our own; raise PricesError for a wrong one."""
    path = file or FILE
    try:
        with open(path, "rb") as stream:
            tables: dict[str, Any] = tomllib.load(stream)
    except OSError as error:
        raise PricesError(f"the price file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PricesError(f"the price file {path} is not valid TOML: {error}") from error
    if unknown := sorted(set(tables) - set(SIZES)):
        raise PricesError(f"{path} has [{unknown[0]}]; tables are {', '.join(SIZES)}")
    if not isinstance(table := tables.get(provider), dict):
        raise PricesError(f"{path} has no table [{provider}]; {FILE} is an example")
    if unknown := sorted(set(table) - {*TEXTS, *NUMBERS}):
        raise PricesError(
            f"{path}, [{provider}]: {unknown[0]} is no price; known are {', '.join((*TEXTS, *NUMBERS))}"
        )
    where = f"{path}, [{provider}]"
    texts: dict[str, Any] = {name: _text(table, name, where) for name in TEXTS}
    numbers = {name: _number(table, name, default, where) for name, default in NUMBERS.items()}
    return Prices(**{**texts, **numbers})


def _text(table: dict[str, Any], name: str, where: str) -> str:
    value = table.get(name)
    if not isinstance(value, str) or not value.strip():
        raise PricesError(f"{where}: {name} is {value!r}; give a text, as in {FILE}")
    return value


def _number(table: dict[str, Any], name: str, default: float | None, where: str) -> float:
    value: Any = table.get(name, default)
    least = "above 0" if name == "round_ms" else "of 0 or more"
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or value < 0 or (name == "round_ms" and not value):
        raise PricesError(f"{where}: {name} is {value!r}; give a number {least}")
    return float(value)
