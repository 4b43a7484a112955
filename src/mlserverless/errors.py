"""Everything that can go wrong, each with its problem code.

    MlserverlessError
    ├── ConfigError              misconfigured            500
    ├── InvalidRequest           invalid-request          400
    │   ├── NotFound             not-found                404
    │   ├── MethodNotAllowed     method-not-allowed       405
    │   └── NotAcceptable        not-acceptable           406
    ├── SourceError              source-error             502
    │   ├── SourceBlocked        source-blocked           403
    │   ├── SourceNotFound       source-not-found         404
    │   └── SourceTimeout        source-timeout           504
    ├── ImageError
    │   ├── ImageTooLarge        image-too-large          413
    │   ├── UnsupportedMediaType unsupported-media-type   415
    │   └── UndecodableImage     undecodable-image        422
    ├── ModelUnavailable         model-unavailable        503
    ├── Overloaded               overloaded               503
    ├── DeadlineExceeded         deadline-exceeded        504
    ├── SinkError                sink-error               503
    └── InternalError            internal                 500

``status`` is the HTTP status; ``retryable`` says whether the same request may succeed later, and is decided
here, once, for HTTP and events alike. This module imports nothing.
"""


class MlserverlessError(Exception):
    """Base of every error this package raises on purpose. ``str(error)`` is fit for the caller's eyes."""

    code = "internal"
    status = 500
    title = "The function failed"
    retryable = False
    deployment = False
    """Whether the deployment is to blame (settings, model, rights): once it is mended the request may succeed."""


class ConfigError(MlserverlessError):
    """A setting is unknown or its value is not accepted. The deployment must be mended, not the request."""

    code, status, title = "misconfigured", 500, "The function is not configured correctly"
    deployment = True


class InvalidRequest(MlserverlessError):
    """The request does not say what to classify, or says it wrongly.

    ``about`` is the id of the message that cannot be read, where it has one: the same at every delivery.
    """

    code, status, title = "invalid-request", 400, "The request is not valid"
    about = ""


class NotFound(InvalidRequest):
    """No such path on this function."""

    code, status, title = "not-found", 404, "There is nothing at this path"


class MethodNotAllowed(InvalidRequest):
    """The path exists, the method does not. ``allow`` names those that do: also HEAD where GET is, and OPTIONS."""

    code, status, title = "method-not-allowed", 405, "The method is not allowed at this path"

    def __init__(self, message: str, allow: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allow = (*allow, "HEAD", "OPTIONS") if "GET" in allow else (*allow, "OPTIONS")


class NotAcceptable(InvalidRequest):
    """The answer is JSON, and the request's Accept header takes none."""

    code, status, title = "not-acceptable", 406, "The answer is of no type that is accepted"


class SourceError(MlserverlessError):
    """The image's origin answered with an error, or with something that is not a whole answer.

    Retryable for what may pass (HTTP 408, 429 and 5xx, a reset connection), permanent for the rest. ``deployment``
    where a store refuses this function: its role may be wrong. ``retry_after`` is what the origin says of when to
    ask again, as it says it.
    """

    retry_after = ""
    code, status, title = "source-error", 502, "The image could not be fetched"

    def __init__(self, message: str, *, retryable: bool = True, deployment: bool = False) -> None:
        super().__init__(message)
        self.retryable, self.deployment = retryable, deployment


class SourceBlocked(SourceError):
    """The URL's scheme, host or address is not one this function may read."""

    code, status, title = "source-blocked", 403, "The image's address is not allowed"

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=False)


class SourceNotFound(SourceError):
    """There is no image at the URL (HTTP 404 or 410, a missing object, an unknown host name)."""

    code, status, title = "source-not-found", 404, "There is no image at this address"

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=False)


class SourceTimeout(SourceError):
    """The origin did not deliver the whole image in time."""

    code, status, title = "source-timeout", 504, "The image's origin took too long"


class ImageError(MlserverlessError):
    """The bytes are not an image this function takes."""


class ImageTooLarge(ImageError):
    """More bytes or more pixels than the limits allow."""

    code, status, title = "image-too-large", 413, "The image is too large"


class UnsupportedMediaType(ImageError):
    """The bytes are of no accepted image format, or the request's body is of no accepted type."""

    code, status, title = "unsupported-media-type", 415, "The format is not accepted"


class UndecodableImage(ImageError):
    """The bytes begin like an accepted format and cannot be decoded: truncated or corrupt."""

    code, status, title = "undecodable-image", 422, "The image cannot be decoded"


class ModelUnavailable(MlserverlessError):
    """The model is missing, is not the pinned file, or no engine here can run it.

    Retryable where its download failed for a reason that may pass.
    """

    code, status, title = "model-unavailable", 503, "The model cannot be used"
    deployment = True

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class Overloaded(MlserverlessError):
    """Every interpreter is busy, and none came free in time or too many wait. ``retry_after``: whole seconds."""

    code, status, title, retryable = "overloaded", 503, "The function is busy", True
    retry_after = 1


class DeadlineExceeded(MlserverlessError):
    """The time that the platform or the caller granted is over."""

    code, status, title, retryable = "deadline-exceeded", 504, "The time is over", True


class SinkError(MlserverlessError):
    """The result could not be recorded where the setting ``sink`` says. The event must be delivered again."""

    code, status, title, retryable = "sink-error", 503, "The result could not be recorded", True
    deployment = True


class InternalError(MlserverlessError):
    """A fault of ours. The caller is told nothing but the request id; the log has the traceback."""

    retryable = True
