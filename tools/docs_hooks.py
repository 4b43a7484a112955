"""MkDocs hooks: pages that stand outside docs/, and links between both kinds.

On a git host every link is a path in the repository. The site has the files of ``OUTSIDE`` as pages of its own,
and a link to any page, wherever it stands, is made one between the site's pages.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
# A file of the repository -> the page that the site makes of it.
OUTSIDE = {
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "adapters/aws/README.md": "adapters/aws.md",
    "adapters/azure/README.md": "adapters/azure.md",
    "adapters/container/README.md": "adapters/container.md",
    "adapters/gcp/README.md": "adapters/gcp.md",
    "examples/alibaba/README.md": "project/alibaba.md",
    "examples/photos/LICENSES.md": "project/photos.md",
    "tests/golden/README.md": "project/golden.md",
}
# The README is the git host's; the site has a front page of its own.
PAGES = {**OUTSIDE, "README.md": "index.md", "examples/alibaba": "project/alibaba.md"}
SOURCES = {page: source for source, page in OUTSIDE.items()}
FENCED = re.compile(r"^(```|~~~).*?^\1`*$", re.M | re.S)
ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):(?=<code>)")
LINK = re.compile(r"(\]\()([^)#\s]+)((?:#[^)\s]*)?\))")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that stand outside docs/."""
    from mkdocs.structure.files import File

    for source, page in OUTSIDE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return a page's text with its links as the site's."""
    return relinked(markdown, page.file.src_uri)


def on_page_content(html: str, **_: Any) -> str:
    """Return a page without the names of roles that docstrings have before a name: ``:meth:`load```."""
    return ROLE.sub("", html)


def relinked(markdown: str, page: str) -> str:
    """Return ``markdown``, of the site's page ``page``, with its links to the repository's files as the site's."""
    source = SOURCES.get(page, f"docs/{page}")
    done, pieces = 0, []
    for fence in FENCED.finditer(markdown):
        pieces += [_linked(markdown[done : fence.start()], source, page), fence[0]]
        done = fence.end()
    return "".join((*pieces, _linked(markdown[done:], source, page)))


def _linked(text: str, source: str, page: str) -> str:
    def link(found: re.Match[str]) -> str:
        led = posixpath.normpath(posixpath.join(posixpath.dirname(source), found[2]))
        target = PAGES.get(led, led.removeprefix("docs/") if led.startswith("docs/") else None)
        if "://" in found[2] or target is None:
            return found[0]
        return found[1] + posixpath.relpath(target, posixpath.dirname(page) or ".") + found[3]

    return LINK.sub(link, text)
