"""Tables of a flatbuffer, read one field at a time and bounded: any bytes are read or refused, in limited time.

The layout is that of the flatbuffers project's "Internals" page: offsets are 32-bit and lead forwards, a table
leads back to its list of fields, a vector begins with its length. Nothing says that two offsets may not lead to
the same table, or a table's into itself, so every table, number and text that is read is charged to a budget
which all tables of one root share: a file that leads in circles is refused instead of followed.
"""

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlserverless.types import Contents

MAX_ENTRIES = 100_000  # of a vector
MAX_NAME_BYTES = 1000
# About the bytes of memory that Python takes for each, which is what they are charged.
TABLE_BYTES, NUMBER_BYTES = 256, 32
BUDGET_BYTES = 500_000_000  # two million tables: ten times what verify.MOST lets a graph have


class Table:
    """A flatbuffer table. Every read is checked against the buffer's end by ``struct`` itself.

    Slots are the numbers of the fields in the schema, from 0. Raises struct.error or ValueError where the file
    leads outside itself or announces too much.
    """

    __slots__ = ("_at", "_budget", "_data", "_fields")

    def __init__(self, data: "Contents", at: int, budget: list[int]) -> None:
        self._data, self._at, self._budget = data, at, budget
        self._charge(TABLE_BYTES)
        self._fields = at - self._unpack("<i", at)
        if self._fields < 0:
            raise ValueError(f"a field table is at {self._fields}")

    @classmethod
    def root(cls, data: "Contents", budget: int = BUDGET_BYTES) -> "Table":
        """Return the table that ``data`` begins with; it and all below may be charged ``budget`` bytes."""
        return cls(data, struct.unpack_from("<I", data)[0], [budget])

    def _charge(self, count: int) -> None:
        self._budget[0] -= count
        if self._budget[0] < 0:
            raise ValueError("it leads to more tables, numbers and texts than any model has")

    def _unpack(self, form: str, at: int) -> int:
        value: int = struct.unpack_from(form, self._data, at)[0]
        return value

    def _slot(self, slot: int) -> int:
        at = 4 + 2 * slot
        offset = self._unpack("<H", self._fields + at) if at < self._unpack("<H", self._fields) else 0
        return self._at + offset if offset else 0

    def _target(self, slot: int) -> int:
        at = self._slot(slot)
        return at + self._unpack("<I", at) if at else 0

    def address(self, slot: int) -> int:
        """Return where in the data the table, vector or text in ``slot`` stands; 0 where it is left out."""
        return self._target(slot)

    def addresses(self, slot: int) -> list[int]:
        """Return where in the data each table of the vector in ``slot`` stands."""
        return [place + self._unpack("<I", place) for place in self._places(slot)]

    def has(self, slot: int) -> bool:
        """Whether the field is there: a number that is left out has its default."""
        return bool(self._slot(slot))

    def number(self, slot: int, form: str) -> int:
        """Return the number in ``slot``, of the struct format ``form``; 0 where it is left out."""
        at = self._slot(slot)
        return self._unpack(form, at) if at else 0

    def real(self, slot: int) -> float:
        """Return the float32 in ``slot``; 0.0 where it is left out."""
        at = self._slot(slot)
        return float(struct.unpack_from("<f", self._data, at)[0]) if at else 0.0

    def table(self, slot: int) -> "Table | None":
        """Return the table in ``slot``, None where it is left out."""
        at = self._target(slot)
        return Table(self._data, at, self._budget) if at else None

    def tables(self, slot: int) -> list["Table"]:
        """Return the vector of tables in ``slot``."""
        return [self._entry(place) for place in self._places(slot)]

    def entry(self, slot: int, index: int) -> "Table":
        """Return one table of the vector in ``slot``, without a look at the others; IndexError beyond its end."""
        return self._entry(self._places(slot)[index])

    def texts(self, slot: int) -> tuple[str, ...]:
        """Return the vector of texts in ``slot``."""
        return tuple(self._text(place + self._unpack("<I", place), MAX_NAME_BYTES) for place in self._places(slot))

    def _entry(self, place: int) -> "Table":
        return Table(self._data, place + self._unpack("<I", place), self._budget)

    def _places(self, slot: int) -> range:
        at = self._target(slot)
        return range(at + 4, at + 4 + 4 * self._count(at), 4) if at else range(0)

    def _count(self, at: int) -> int:
        count = self._unpack("<I", at)
        if count > MAX_ENTRIES:
            raise ValueError(f"it announces {count:,} entries, more than {MAX_ENTRIES:,}")
        return count

    def raw(self, slot: int) -> bytes:
        """Return a copy of the bytes in ``slot``."""
        at = self._target(slot)
        return self._bytes(at) if at else b""

    def _bytes(self, at: int) -> bytes:
        length = self._unpack("<I", at)
        if at + 4 + length > len(self._data):
            raise ValueError(f"{length:,} bytes are announced where {len(self._data) - at - 4:,} are left")
        self._charge(length)
        return self._data[at + 4 : at + 4 + length]

    def text(self, slot: int, most: int = MAX_NAME_BYTES) -> str:
        """Return the text in ``slot``, of ``most`` bytes at most in UTF-8."""
        at = self._target(slot)
        return self._text(at, most) if at else ""

    def _text(self, at: int, most: int) -> str:
        if (length := self._unpack("<I", at)) > most:
            raise ValueError(f"a text in it has {length:,} bytes, more than {most:,}")
        return self._bytes(at).decode()

    def length(self, slot: int) -> int:
        """Return how many entries the vector in ``slot`` announces."""
        at = self._target(slot)
        return self._unpack("<I", at) if at else 0

    def floats(self, slot: int) -> tuple[float, ...]:
        """Return the vector of float32 in ``slot``."""
        return self._numbers(slot, "f")

    def whole_numbers(self, slot: int) -> tuple[int, ...]:
        """Return the vector of int32 in ``slot``."""
        return tuple(map(int, self._numbers(slot, "i")))

    def long_numbers(self, slot: int) -> tuple[int, ...]:
        """Return the vector of int64 in ``slot``."""
        return tuple(map(int, self._numbers(slot, "q")))

    def _numbers(self, slot: int, form: str) -> tuple[float, ...]:
        if not (at := self._target(slot)):
            return ()
        count = self._count(at)
        self._charge(NUMBER_BYTES * count)
        return struct.unpack_from(f"<{count}{form}", self._data, at + 4)
