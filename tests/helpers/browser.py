"""A real Chromium, and a record of all that a page in it asks for and complains of."""

import base64
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# Whatever name a page comes up with, only this machine is there.
ARGUMENTS = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
SECONDS = 30
REFUSED = "Failed to load resource: the server responded with a status of"

# What a drop or a paste hands over: one file, made of base64 in the page.
HAND_OVER = """([text, name, type]) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)), held = new DataTransfer();
  held.items.add(new File([bytes], name, { type }));
  return held;
}"""


def chromium() -> str | None:
    """Return the path of the browser, None where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def lacking() -> str | None:
    """Return why no page can be shown here, or None."""
    if find_spec("playwright") is None:
        return "playwright is not installed"
    return None if chromium() else "there is no Chromium: tools/ci_packages.sh installs Debian's"


@contextmanager
def started() -> Iterator[Any]:
    """Yield a browser without a window."""
    from playwright.sync_api import sync_playwright

    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS + root)
        yield browser
        browser.close()


class Visit:
    """One page in a context of its own. ``allowed``: addresses that it may ask for beside its own origin's.

    ``refusals``: whether an answer of its own function may be a problem, which Chromium notes as an error.
    """

    def __init__(self, browser: Any, url: str, *, width: int = 1280, height: int = 900, **context: Any) -> None:
        self.origin = "/".join(url.split("/")[:3])
        self.allowed: list[str] = []
        self.refusals = False
        self.requests: list[str] = []
        self.complaints: list[tuple[str, str]] = []  # what, of which address
        self._context = browser.new_context(viewport={"width": width, "height": height}, **context)
        self._context.set_default_timeout(SECONDS * 1000)
        self._context.grant_permissions(["clipboard-read", "clipboard-write"], origin=self.origin)
        self.page = self._context.new_page()
        self._context.on("request", lambda request: self.requests.append(request.url))
        self._context.on("weberror", lambda error: self.complaints.append((str(error.error), "")))
        self.page.on("console", self._told)
        # From the first a chooser is caught: one that opens while that is only being asked for would be missed.
        self.page.on("filechooser", lambda _: None)
        self.page.goto(url)

    def _told(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append((message.text, message.location.get("url", "")))

    def __enter__(self) -> "Visit":
        return self

    def __exit__(self, *_: object) -> None:
        self._context.close()

    @property
    def outside(self) -> list[str]:
        """The requests to anywhere but its own origin and what is allowed."""
        own = (f"{self.origin}/", f"blob:{self.origin}/", "data:")
        return [url for url in self.requests if not url.startswith(own) and url not in self.allowed]

    @property
    def errors(self) -> list[str]:
        """What the browser complained of: scripts, the policy, resources."""
        return [
            text
            for text, url in self.complaints
            if not (self.refusals and text.startswith(REFUSED) and url.startswith(f"{self.origin}/"))
        ]

    def hand_over(self, where: str, photo: Path, kind: str, name: str = "") -> None:
        """Drop the ``photo`` onto the element ``where``, or paste it there: ``kind`` is drop or paste."""
        text = base64.b64encode(photo.read_bytes()).decode()
        type_ = "image/png" if photo.suffix == ".png" else "image/jpeg"
        held = self.page.evaluate_handle(HAND_OVER, [text, name or photo.name, type_])
        if kind == "paste":
            made = "([held, where]) => document.querySelector(where).dispatchEvent(new ClipboardEvent('paste', "
            made += "{ clipboardData: held, bubbles: true, cancelable: true }))"
            self.page.evaluate(made, [held, where])
            return
        for event in ("dragenter", "dragover", "drop"):
            self.page.dispatch_event(where, event, {"dataTransfer": held})
