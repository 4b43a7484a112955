"""URL -> the bytes of an image, from the web or an object store, within the limits."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlserverless.config import Settings
from mlserverless.deadline import Deadline
from mlserverless.errors import InvalidRequest

if TYPE_CHECKING:
    from PIL.Image import Image


def download(
    url: str,
    settings: Settings,
    deadline: Deadline,
    version: str = "",
    pin: str = "",
    meanwhile: Callable[[], None] | None = None,
    trace: str = "",
) -> bytes:
    """Return the bytes at ``url``: http, https, s3, gs or az; of an object the ``version`` that ``pin`` asks for.

    ``meanwhile`` is called when the wait for the origin begins, at times more than once. ``trace`` is a
    ``traceparent`` that a web host is told, an object store is not.
    At most ``settings.max_bytes`` bytes, within ``settings.download_timeout`` seconds and the ``deadline``. Raises
    InvalidRequest, a SourceError or ImageTooLarge.
    """
    if not isinstance(url, str):
        raise InvalidRequest(f"The url is {type(url).__name__}, not a text.")
    limit = deadline.within(settings.download_timeout)
    if url[:5].lower() in ("s3://", "gs://", "az://"):
        from mlserverless import stores

        if meanwhile:
            meanwhile()
        return stores.read(
            url,
            limit,
            max_bytes=settings.max_bytes,
            allowed_hosts=settings.allowed_hosts,
            version=version,
            pin=pin,
        )
    from mlserverless.net import client

    return client.get(
        url,
        limit,
        max_bytes=settings.max_bytes,
        max_redirects=settings.max_redirects,
        allowed_hosts=settings.allowed_hosts,
        allow_private=settings.allow_private_addresses,
        meanwhile=meanwhile,
        trace=trace,
    )


def download_image(url: str, **settings: Any) -> "Image":
    """Return the image at ``url`` as a Pillow image, opened and checked but not decoded yet.

    ``settings`` override the environment's, by the names in :class:`mlserverless.config.Settings`. Raises what
    :func:`download` and :func:`mlserverless.formats.open_image` raise.
    """
    from mlserverless.formats import open_image

    chosen = Settings.load(**settings)
    data = download(url, chosen, Deadline())
    return open_image(data, formats=chosen.formats, max_pixels=chosen.max_pixels)
