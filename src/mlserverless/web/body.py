"""What an HTTP request asks for: its items (URLs or image bytes) and its options."""

import json
from collections.abc import Callable
from typing import Any

from mlserverless.errors import ImageTooLarge, InvalidRequest, UnsupportedMediaType
from mlserverless.named_tuple import NamedTuple
from mlserverless.options import LISTS, NUMBERS, READERS, read_options
from mlserverless.readers import shown
from mlserverless.types import Options, Request
from mlserverless.web.http import HttpRequest

EXAMPLE = '{"url": "https://example.com/cat.jpg"}'
MAX_FIELDS = 100  # in a query or a form
NAME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
# What people's clients send with a JSON body when they are not told otherwise.
JSON_TYPES = ("application/json", "application/x-www-form-urlencoded", "text/plain", "")


class Asked(NamedTuple):
    """The items to classify with their ids; ``decode`` makes a request of one; ``batch``: a list is the answer.

    ``options`` are those of every item.
    """

    items: list[tuple[str, Any]]
    decode: Callable[[Any], Request]
    batch: bool
    options: Options = Options()


def read(http: HttpRequest, request_id: str, *, max_bytes: int, max_batch: int) -> Asked:
    """Return what ``http`` asks for; raise InvalidRequest, UnsupportedMediaType or ImageTooLarge."""
    query = _query(http.query)
    if http.method == "GET":
        return asked(query, request_id, max_batch)
    if len(http.body) > max_bytes:
        raise ImageTooLarge(f"The request's body has more than the {max_bytes:,} bytes that are accepted.")
    if not http.body:
        raise InvalidRequest(f"The request has no body: send an image, or JSON such as {EXAMPLE}.")
    kind, _, parameters = http.headers.get("content-type", "").partition(";")
    kind = kind.strip().lower()
    if kind in JSON_TYPES or kind.endswith("+json"):
        return asked(_merge(query, _json(http.body)), request_id, max_batch)
    if kind == "multipart/form-data":
        from mlserverless.web import form

        image, fields = form.read(f"{kind};{parameters}", http.body)
        return _image(image, request_id, _options(_merge(query, fields)))
    if kind.startswith("image/") or kind == "application/octet-stream":
        return _image(http.body, request_id, _options(query))
    raise UnsupportedMediaType(
        f"The body's type {kind.partition('?')[0][:60]!r} is not accepted: send image/*, application/json or "
        "multipart/form-data."
    )


def chosen(http: HttpRequest) -> str | None:
    """Return the name of the model that the query asks of, None for the first; raise InvalidRequest."""
    return _options(_query(http.query)).model


def _image(data: bytes, request_id: str, options: Options) -> Asked:
    return Asked([(request_id, data)], lambda image: Request(image=image, options=options), batch=False)


def _options(given: dict[str, Any]) -> Options:
    if unknown := [name for name in given if name not in READERS]:
        raise InvalidRequest(f"{named(unknown[0])} is not an option; options are {', '.join(READERS)}.")
    return read_options(given)


def asked(given: dict[str, Any], request_id: str, max_batch: int) -> Asked:
    """Return what the JSON object ``given`` asks for: ``url`` or ``urls``, and options; raise InvalidRequest."""
    known = ("url", "urls", *READERS)
    if unknown := [name for name in given if name not in known]:
        raise InvalidRequest(f"{named(unknown[0])} is not known; known are {', '.join(known)}.")
    if ("url" in given) == ("urls" in given):
        raise InvalidRequest(f"Give either url or urls, as in {EXAMPLE}.")
    options = read_options({name: value for name, value in given.items() if name in READERS})

    def decode(url: Any) -> Request:
        return Request(url=_text(url), options=options)

    if "url" in given:
        return Asked([(request_id, given["url"])], decode, batch=False)
    urls = given["urls"]
    if not isinstance(urls, list) or not 0 < len(urls) <= max_batch:
        found = f"a list of {len(urls)}" if isinstance(urls, list) else type(urls).__name__
        raise InvalidRequest(f"urls is {found}; accepted is a list of 1 to {max_batch} URLs.")
    return Asked([(f"{request_id}/{i}", url) for i, url in enumerate(urls)], decode, True, options)


def _text(url: Any) -> str:
    if not isinstance(url, str) or not url:
        raise InvalidRequest(f"A url is a text that is not empty; here it is {type(url).__name__}, or empty.")
    return url


def named(name: str) -> str:
    """Return ``name``, which is none that is known, for an error's text."""
    # A slip of the pen is repeated. What looks like no name may be a part of a URL, which may be a secret.
    return repr(name) if 0 < len(name) <= 30 and NAME_LETTERS.issuperset(name) else "One of the names given"


def _merge(query: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    if both := query.keys() & body.keys():
        raise InvalidRequest(f"{named(min(both))} stands in the query and in the body; give it once.")
    return {**query, **body}


def _query(text: str) -> dict[str, Any]:
    if not text:
        return {}
    from urllib.parse import parse_qs  # 2 ms that a cold function with the request in its body does not pay

    try:
        pairs = parse_qs(text, keep_blank_values=True, strict_parsing=True, max_num_fields=MAX_FIELDS)
    except ValueError:  # its text repeats a part of the query
        raise InvalidRequest(
            f"The query string cannot be read: accepted are up to {MAX_FIELDS} pairs name=value, percent-encoded."
        ) from None
    found: dict[str, Any] = {}
    for name, values in pairs.items():
        if name in (*LISTS, "urls"):
            found[name] = [word for value in values for word in value.split(",")] if name != "urls" else values
        elif len(values) > 1:
            raise InvalidRequest(f"{named(name)} stands {len(values)} times in the query; give it once.")
        else:
            found[name] = values[0]
    return found


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"The body is not valid JSON ({error}); expected is {EXAMPLE}.") from error
    if not isinstance(value, dict):
        raise InvalidRequest(f"The body's JSON is not an object; expected is {EXAMPLE}.")
    for name in NUMBERS:  # a query says them as text; JSON has numbers, of one kind: 2.0 is 2
        given = value.get(name)
        if isinstance(given, str):
            raise InvalidRequest(f"{name} is {shown(given)}, which is not accepted: give {READERS[name][0]}.")
        if isinstance(given, float) and given.is_integer():
            value[name] = int(given)
    return value
