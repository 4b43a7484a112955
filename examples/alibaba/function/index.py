"""The entry of a function: what s.yaml names. There is no logic in it."""

from mlserverless_alibaba import handler, warm_up

__all__ = ["handler", "initialize"]


def initialize(context: object) -> None:  # noqa: ARG001 - the runtime's signature
    """Load the model before the first request."""
    warm_up()
