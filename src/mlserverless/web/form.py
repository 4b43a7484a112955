"""A form (multipart/form-data): an image and options. Only a form pays for what reads it."""

import re
from collections.abc import Iterator
from email.parser import BytesHeaderParser
from typing import Any

from mlserverless.errors import InvalidRequest
from mlserverless.options import LISTS
from mlserverless.web.body import MAX_FIELDS, named

MAX_HEAD = 8192  # bytes of a field's headers


def read(content_type: str, body: bytes) -> tuple[bytes, dict[str, Any]]:
    """Return the image in the field ``file`` and the other fields' texts; raise InvalidRequest."""
    parse = BytesHeaderParser().parsebytes
    boundary = parse(f"Content-Type: {content_type}\r\n\r\n".encode()).get_boundary() or ""
    image, fields = b"", dict[str, Any]()
    for count, (head, content) in enumerate(_parts(boundary.encode(errors="surrogateescape"), body)):
        if count == MAX_FIELDS or len(head) > MAX_HEAD:
            raise InvalidRequest(
                f"The form has more than {MAX_FIELDS} fields, or a field whose headers are too long."
            )
        name = parse(head.lstrip() + b"\r\n\r\n").get_param("name", header="content-disposition")
        text, name = content.decode("utf-8", "replace") if name != "file" else "", str(name)
        if name in LISTS and name in fields:
            fields[name] += f",{text}"
        elif name in fields or (name == "file" and image):
            raise InvalidRequest(f"{named(name)} stands more than once in the form; give it once.")
        elif name == "file":
            image = content
        else:
            fields[name] = text
    if not image:
        raise InvalidRequest("The form has no field named file that holds an image.")
    return image, fields


def _parts(boundary: bytes, body: bytes) -> Iterator[tuple[bytes, bytes]]:
    # Each part's headers and content (RFC 2046, 5.1.1). email's own parser takes up to 35 times the body's memory.
    start = -1
    for line in re.finditer(rb"(?:\A|\r\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r\n|\Z)", body):
        if start >= 0:
            head, _, content = body[start : line.start()].partition(b"\r\n\r\n")
            yield head, content
        if line[1]:
            return
        start = line.end()
