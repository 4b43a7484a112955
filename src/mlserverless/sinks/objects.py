"""Results as objects: one JSON document a result below a prefix of S3, Cloud Storage, Azure Blob, or in a folder.

``s3://bucket/prefix``, ``gs://bucket/prefix``, ``az://container/prefix``, ``file:///folder``. The object's name is
the record's key, and it is only ever created: a second writer finds it there and leaves it.
"""

import os
from collections.abc import Callable
from typing import Any

from mlserverless import stores
from mlserverless.deadline import Deadline
from mlserverless.errors import ConfigError, SinkError, SourceError
from mlserverless.sinks.log import to_line

DOCS = "docs/reference/settings.md"


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
                raise ConfigError(f"The sink file:{folder} is no absolute path; give file:///folder. See {DOCS}.")
            self._prefix = folder.rstrip("/") + "/"
            self._create, self._exists = _create_file, lambda path, _: os.path.exists(path)
        else:
            # The form is checked now, not at the first result: obstore takes no key with such a segment.
            _, key = stores.place(f"{self._prefix}x")
            if any(part in ("", ".", "..") for part in key.split("/")):
                raise ConfigError(f"The sink's prefix has an empty part, or one that is . or .. See {DOCS}.")

    def put(self, key: str, record: dict[str, Any], deadline: Deadline) -> None:
        """Create the record's object; one that is there already is the same result, and stays."""
        try:
            self._create(f"{self._prefix}{key}.json", f"{to_line(record)}\n".encode(), deadline)
        except SourceError as error:
            raise SinkError(f"The result could not be written: {error}") from error

    def has(self, key: str, deadline: Deadline) -> bool:
        """Return whether the record's object is there."""
        try:
            return self._exists(f"{self._prefix}{key}.json", deadline)
        except SourceError:
            return False

    def owns(self, url: str) -> bool:
        """Return whether ``url`` lies below the prefix: a bucket that is watched may hold the results, too."""
        return url.startswith(self._prefix)


def _create_file(path: str, data: bytes, deadline: Deadline) -> None:  # noqa: ARG001 - as stores.create
    # A whole file under a name of its own first: a crash leaves that one behind, never half a result. Linking it
    # to its name fails where that exists, which renaming would not.
    from uuid import uuid4

    part = f"{path}.{uuid4().hex}.part"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)
        except FileExistsError:
            pass
        finally:
            os.unlink(part)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}.") from error
