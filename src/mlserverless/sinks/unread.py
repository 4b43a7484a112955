"""What sinks have in common that are written to and not read: a log, a queue, a stream of rows."""

from mlserverless.deadline import Deadline


class Unread:
    """Has no URLs, and cannot be asked for what it was given."""

    def has(self, key: str, deadline: Deadline) -> bool:  # noqa: ARG002 - the protocol's
        """Return False: what was written is not read."""
        return False

    def owns(self, url: str) -> bool:  # noqa: ARG002 - the protocol's
        """Return False: nothing in it has a URL."""
        return False
