"""The rows of a batch, a line of JSON each, and what they come to."""

import json
from collections import Counter
from hashlib import sha256
from typing import Any

from mlserverless.batch.engine import Done
from mlserverless.sinks.log import to_line


class Tally:
    """What the rows come to: how many there are, which problems they tell, a digest of their sources."""

    def __init__(self) -> None:
        self.rows, self.problems, self._sources = 0, Counter[str](), sha256()

    def add(self, source: str, problem: str) -> None:
        """Count a row."""
        self.rows += 1
        self._sources.update(source.encode(errors="backslashreplace") + b"\n")
        if problem:
            self.problems[problem] += 1

    def to_dict(self) -> dict[str, Any]:
        """Return all of it for the file beside the result."""
        problems = dict(sorted(self.problems.items()))
        return {"rows": self.rows, "problems": problems, "sources_sha256": self._sources.hexdigest()}


def row(done: Done) -> bytes:
    """Return the line of an item: index, source, the answer's members or ``problem``, attempts."""
    told = {"problem": done.result} if done.problem else done.result
    return head(done.index, done.source) + to_line({**told, "attempts": done.attempts})[1:].encode() + b"\n"


def problem_of(line: bytes) -> str:
    """Return the code of the problem that a row tells, or ""."""
    if b'"problem":{' not in line:  # in a text the quotes would be escaped
        return ""
    return str(json.loads(line)["problem"]["code"])


def head(index: int, source: str) -> bytes:
    """Return what the row of an item begins with: its place, its source, and a comma."""
    return to_line({"index": index, "source": source})[:-1].encode() + b","
