"""Take the page's pictures for the docs: ``PYTHONPATH=tests python -m ux.pictures``.

It writes docs/pictures/page-*.webp: a real Chromium before the bundled model in Lambda's runtime. On another
machine the fonts are others.
"""

import io
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from helpers import browser
from helpers.runtimes import start
from ux.page import served, write_models
from ux.page_jobs import PHOTOS, Place, answered, ready

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
LARGEST = 100_000  # bytes


class Shot(NamedTuple):
    """A picture: its file's name, the photo that is dropped or the address that is asked for, how it is seen."""

    name: str
    photo: str
    width: int
    height: int
    how: dict[str, Any]


PHONE = {"color_scheme": "light", "is_mobile": True, "has_touch": True}
SHOTS = (
    Shot("page-light.webp", "coffee.png", 1280, 960, {"color_scheme": "light"}),
    Shot("page-dark.webp", "chelsea.png", 1280, 960, {"color_scheme": "dark"}),
    Shot("page-problem.webp", "http://127.0.0.1:9/cat.jpg", 1280, 720, {"color_scheme": "light"}),
    Shot("page-phone.webp", "flower.jpg", 390, 844, PHONE),
)


def take(place: Place, shot: Shot) -> bytes:
    """Return the picture as WebP."""
    with place.visit(width=shot.width, height=shot.height, device_scale_factor=1.5, **shot.how) as visit:
        page = ready(visit)
        if shot.photo.startswith("http"):
            page.fill("#url", shot.photo)
            page.press("#url", "Enter")
            page.wait_for_selector(".problem")
        else:
            for _ in range(2):  # what the first one waits for, others do not
                page.set_input_files("#file", PHOTOS / shot.photo)
                answered(page)
        page.wait_for_timeout(800)  # the bars have grown
        page.evaluate("document.activeElement.blur()")
        taken = Image.open(io.BytesIO(page.screenshot()))
    out = io.BytesIO()
    taken.convert("RGB").save(out, "WEBP", quality=78, method=6)
    return out.getvalue()


def main() -> int:
    """Write all; return 1 where one is too large."""
    with tempfile.TemporaryDirectory() as folder, served() as photos, browser.started() as chromium:
        write_models(Path(folder))
        runtime = start("aws", {"MLSERVERLESS_ALLOW_PRIVATE_ADDRESSES": "true"})
        try:
            url = f"{runtime.url}/"
            place = Place(url, photos, Path(folder), lambda **how: browser.Visit(chromium, url, **how))
            sizes = {}
            for shot in SHOTS:
                (FOLDER / shot.name).write_bytes(data := take(place, shot))
                sizes[shot.name] = len(data)
        finally:
            runtime.close()
    for name, size in sizes.items():
        print(f"{name}: {size:,} bytes")
    return int(max(sizes.values()) > LARGEST)


if __name__ == "__main__":
    sys.exit(main())
