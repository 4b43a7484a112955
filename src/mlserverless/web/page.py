"""The page at ``/`` for people with a browser: one file, which asks nothing but this function.

Its policy allows the very script and style that stand in the file, by their sums, and no others.
"""

import os
from binascii import b2a_base64
from functools import cache
from hashlib import sha256

from mlserverless.deadline import Deadline
from mlserverless.serving import Service
from mlserverless.web import caching
from mlserverless.web.answers import HTML
from mlserverless.web.http import HttpRequest, HttpResponse

FILE = os.path.join(os.path.dirname(__file__), "page.html")
POLICY = (
    "default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; "
    "img-src blob: data: https: http:; "  # http(s): the picture at the address that was asked for
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
HEADERS = (
    ("Content-Type", f"{HTML}; charset=utf-8"),
    ("Referrer-Policy", "no-referrer"),  # its own address may hold a key
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=(), clipboard-write=(self)"),
)


def answer(service: Service, request: HttpRequest, request_id: str, deadline: Deadline) -> HttpResponse:  # noqa: ARG001
    """Return the page, or 304 to who has it."""
    body, policy = read()
    headers = (*HEADERS, ("Content-Security-Policy", policy), ("X-Request-Id", request_id))
    return caching.tagged(request, HttpResponse(200, headers, body), vary="Accept, Origin")


@cache
def read() -> tuple[bytes, str]:
    """Return the file's bytes and the policy that they are shown under; read once."""
    with open(FILE, "rb") as file:
        body = file.read()
    return body, POLICY.format(script=_sum_of(body, b"script"), style=_sum_of(body, b"style"))


def _sum_of(body: bytes, tag: bytes) -> str:
    # The source expression of the one element ``tag`` (Content Security Policy Level 3, 2.3.1).
    text = body.partition(b"<%b>" % tag)[2].partition(b"</%b>" % tag)[0]
    return f"'sha256-{b2a_base64(sha256(text).digest(), newline=False).decode()}'"
