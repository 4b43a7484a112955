"""A fault inside the function whose text, and whose cause's text, repeat the URL."""

from typing import Any

from mlserverless.predictor import Predictor


def install() -> None:
    """Make every predictor of this process fail on URLs with /fault in them."""
    answer = Predictor.answer

    def failing(self: Predictor, request: Any, deadline: Any, **more: Any) -> Any:
        if "/fault" in (request.url or ""):
            try:
                raise ValueError(f"netloc and query of {request.url!r}")
            except ValueError as cause:
                raise RuntimeError(f"{request.url} could not be handled") from cause
        return answer(self, request, deadline, **more)

    Predictor.answer = failing  # type: ignore[method-assign]  # that is the fault
