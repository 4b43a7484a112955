"""A service that fails as its URL says: what cannot be brought about from outside, on the real runtimes."""

import mlserverless.errors
from mlserverless.deadline import Deadline
from mlserverless.serving import Service
from mlserverless.types import Prediction, Request


def install() -> None:
    """Make every service of this process raise the error that a request's URL names: ``fault://Overloaded``."""

    def predict(self: Service, request: Request, deadline: Deadline) -> Prediction:
        name = (request.url or "").partition("://")[2]
        if kind := getattr(mlserverless.errors, name, None):
            raise kind("said on purpose")
        raise RuntimeError("a secret that no caller may see")

    Service.predict = predict  # type: ignore[method-assign]  # that is the fault
