"""Results as objects: one JSON document a result below a prefix of S3, Cloud Storage, Azure Blob, or in a folder.

``s3://bucket/prefix``, ``gs://bucket/prefix``, ``az://container/prefix``, ``file:///folder``. The object's name is
the record's key, and it is only ever created: a second writer finds it there and leaves it.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from mlserverless import stores
from mlserverless.deadline import Deadline
from mlserverless.errors import ConfigError, InvalidRequest, SinkError, SourceError
from mlserverless.sinks.log import to_line

DOCS = "docs/reference/settings.md"
KEY_LENGTH, HEX = 64, frozenset("0123456789abcdef")


class ObjectSink:
    """Write each record as ``PREFIX/KEY.json``."""

    keeps = True

    def __init__(self, url: str) -> None:
        scheme, _, rest = url.partition(":")
        self._prefix = url.rstrip("/") + "/"
        self._create: Callable[[str, bytes, Deadline], None] = stores.create
        self._exists: Callable[[str, Deadline], bool] = stores.exists
        if scheme == "file":
            folder = rest.removeprefix("//")
            if not folder.startswith("/"):
                raise ConfigError(f"The sink file: wants an absolute path, as in file:///folder. See {DOCS}.")
            self._prefix = folder.rstrip("/") + "/"
            self._create, self._exists = _create_file, lambda path, _: os.path.exists(path)
        else:
            # The form is checked now, not at the first result: obstore takes no key with such a segment.
            bucket, *parts = rest.removeprefix("//").rstrip("/").split("/")
            if not bucket or set(bucket) - stores.NAME or {"", ".", ".."} & set(parts):
                raise ConfigError(f"The sink is not of the form {scheme}://BUCKET/PREFIX. See {DOCS}.")

    def put(self, key: str, record: dict[str, Any], deadline: Deadline) -> None:
        """Create the record's object; one that is there already is the same result, and stays."""
        try:
            self._create(f"{self._prefix}{key}.json", f"{to_line(record)}\n".encode(), deadline)
        except (SourceError, InvalidRequest) as error:
            raise SinkError(f"The result could not be written: {error}") from error

    def has(self, key: str, deadline: Deadline) -> bool:
        """Return whether the record's object is there."""
        try:
            return self._exists(f"{self._prefix}{key}.json", deadline)
        except (SourceError, InvalidRequest):
            return False

    def owns(self, url: str) -> bool:
        """Return whether ``url`` is a result below the prefix: a bucket that is watched may hold them, too."""
        name = url.removeprefix(self._prefix)
        return name != url and len(name) == KEY_LENGTH + 5 and name.endswith(".json") and HEX.issuperset(name[:-5])


def _create_file(path: str, data: bytes, deadline: Deadline) -> None:  # noqa: ARG001 - as stores.create
    # A whole file under a name of its own first: a crash leaves that one behind, never half a result. Linking it
    # to its name fails where that exists, which renaming would not.
    from uuid import uuid4

    part = f"{path}.{uuid4().hex}.part"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            with open(part, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(part, path)
        finally:
            with suppress(OSError):  # it may not even have been made
                os.unlink(part)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}.") from error
