"""The documentation's site: built, its links followed, served on this machine, its names' docstrings."""

import functools
import http.server
import inspect
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import mlserverless

ROOT = Path(__file__).parents[2]
MKDOCS = ROOT / ".venv-docs/bin/mkdocs"
# Attributes by which a page asks for something by itself, wherever that is.
ASKS = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}


def lacking() -> str | None:
    """Return why the site cannot be built here, or None."""
    return None if MKDOCS.exists() else ".venv-docs is not there: make .venv-docs/.ready"


def built(folder: Path) -> list[str]:
    """Build the site into ``folder``; return what MkDocs warns of."""
    done = subprocess.run(
        [MKDOCS, "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    told = [line for line in done.stderr.splitlines() if line.strip() and "DeprecationWarning" not in line]
    return told if done.returncode else []


class _Page(HTMLParser):
    """What a page links to, what it asks for by itself, and what can be linked in it."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.asked: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.names |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in ASKS and ASKS[tag] in given and given.get("rel") != "canonical":
            self.asked.append(given[ASKS[tag]])


def broken(folder: Path) -> tuple[list[str], int]:
    """Return what of the built site's links and resources leads nowhere or elsewhere; how many there are."""
    pages = {page: _read(page) for page in sorted(folder.rglob("*.html"))}
    wrong, count = [], 0
    for page, read in pages.items():
        here = page.relative_to(folder)
        if here.name == "404.html":  # its links are absolute, for a site at the root of its host
            continue
        for link in (*read.links, *read.asked):
            count += 1
            at = urlsplit(link)
            if at.scheme or at.netloc:
                if link in read.asked:
                    wrong.append(f"{here} asks {link}")
                continue
            target = (page.parent / unquote(at.path)).resolve() if at.path else page
            target = target / "index.html" if target.is_dir() else target
            named = target not in pages or not at.fragment or unquote(at.fragment) in pages[target].names
            if not target.is_file() or not named:
                wrong.append(f"{here}: {link}")
    return wrong, count


def _read(page: Path) -> _Page:
    read = _Page()
    read.feed(page.read_text(encoding="utf-8"))
    return read


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine; yield the address, with a slash at its end."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def undocumented() -> tuple[list[str], int]:
    """Return the public objects without a docstring, their methods included; and how many there are.

    Public are the names of ``mlserverless.__all__``, and what stands in the modules that the reference page names.
    """
    objects: dict[str, Any] = {
        f"mlserverless.{name}": getattr(mlserverless, name)
        for name in mlserverless.__all__
        if name != "__version__"
    }
    named = re.findall(r"^::: ([\w.]+)$", (ROOT / "docs/reference/python.md").read_text(encoding="utf-8"), re.M)
    for path in named:
        if path in objects:
            continue
        module = import_module(path)
        objects[path] = module
        own = {name: one for name, one in vars(module).items() if getattr(one, "__module__", "") == path}
        objects |= {f"{path}.{name}": one for name, one in own.items() if _public(name) and _definition(one)}
    for path, one in list(objects.items()):
        if inspect.isclass(one):
            methods = {name: each for name, each in vars(one).items() if _public(name) and _method(each)}
            objects |= {f"{path}.{name}": _function(each) for name, each in methods.items()}
    return [path for path, one in objects.items() if not (inspect.getdoc(one) or "").strip()], len(objects)


def unnamed() -> list[str]:
    """Return the public names that the reference page leaves out."""
    page = (ROOT / "docs/reference/python.md").read_text(encoding="utf-8")
    return [
        one for one in mlserverless.__all__ if one != "__version__" and f"::: mlserverless.{one}\n" not in page
    ]


def _public(name: str) -> bool:
    return not name.startswith("_")


def _definition(one: Any) -> bool:
    return inspect.isclass(one) or inspect.isfunction(one)


def _method(one: Any) -> bool:
    return inspect.isfunction(one) or isinstance(one, property | classmethod | staticmethod)


def _function(one: Any) -> Any:
    return one.__func__ if isinstance(one, classmethod | staticmethod) else one
