"""A sink in memory, which fails when it is told to."""

from typing import Any

from mlserverless.deadline import Deadline
from mlserverless.errors import SinkError


class MemorySink:
    """Keeps the first record under each key. ``fail`` says which writes fail; ``own`` is its prefix."""

    keeps = True

    def __init__(self, fail: list[bool] | None = None, own: str = "") -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.offered = 0
        self._fail, self._own = list(fail or ()), own

    def put(self, key: str, record: dict[str, Any], deadline: Deadline) -> None:
        self.offered += 1
        if self._fail and self._fail.pop(0):
            raise SinkError("no space")
        self.records.setdefault(key, record)

    def has(self, key: str, deadline: Deadline) -> bool:
        return key in self.records

    def owns(self, url: str) -> bool:
        return bool(self._own) and url.startswith(self._own)
