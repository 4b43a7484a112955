"""What schemathesis is told beyond the document: URLs that lead nowhere outside, images, what no schema can say.

Schemathesis loads it (``SCHEMATHESIS_HOOKS``). ``CONTRACT_URLS`` is a JSON list of URLs, ``CONTRACT_CLOUD``
the adapter's name.
"""

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import schemathesis
from hypothesis import strategies as st

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"
JPEG, PNG = (PHOTOS / "flower.jpg").read_bytes(), (PHOTOS / "chelsea.png").read_bytes()
# Of other hosts than the loopback origin none is looked up: the setting ALLOWED_HOSTS refuses them before.
OTHERS = (
    "https://example.com/cat.jpg",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::1]:9/x",
    "ftp://x.example/a.jpg",
    "file:///etc/passwd",
    "s3://images/cat.jpg",
    "gs://images/ä b.jpg",
    "az://images/cat.jpg",
    "data:image/png;base64,AAAA",
    "HTTP://EXAMPLE.COM:80/%zz?a=b#c",
)
URLS = json.loads(os.environ["CONTRACT_URLS"])

schemathesis.openapi.format("uri", st.sampled_from((*URLS, *URLS, *OTHERS)))
for kind, image in (("image/jpeg", JPEG), ("image/png", PNG), ("application/octet-stream", JPEG)):
    schemathesis.openapi.media_type(kind, st.sampled_from((image, image[: len(image) // 2], image[:100])))

LONGEST = (
    3000  # letters of a query: before gunicorn's application gunicorn itself refuses a longer line, with a page
)


@schemathesis.hook
def filter_query(ctx: Any, query: Any) -> bool:
    """Leave out queries that never come to the function."""
    return len(urlencode(query, doseq=True, errors="replace") if isinstance(query, dict) else str(query)) < LONGEST


@schemathesis.hook
def before_call(ctx: Any, case: Any, kwargs: Any) -> None:
    """Take out of the query what the body has, too: a schema cannot say that an option stands in one of them."""
    if isinstance(case.body, dict) and case.query:
        for name in list(case.query):
            if name in case.body:
                del case.query[name]
    if os.environ["CONTRACT_CLOUD"] == "gcp":
        # Google's framework answers a path with a line break itself, with a page: its router knows no such path.
        for name, value in dict(case.path_parameters or {}).items():
            case.path_parameters[name] = str(value).replace("\n", " ").replace("%0A", "%20")
