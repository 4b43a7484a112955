"""The documents: every example run or read, every link followed, every public name described, a search."""

import shlex
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from helpers import browser, examples, site
from helpers.examples import Example
from helpers.figures import Figure, Scale, skip
from mlserverless.cli import group
from mlserverless.local.process import free_port

ALL, NONE = "all", "0"
# What is typed into the search -> the page that is to be among the first answers.
SEARCHES = {
    "Kinesis": "reference/http",
    "score_threshold": "reference/",
    "certificate": "certify",
    "cold start": "cold",
}


def measure(scale: Scale) -> list[Figure]:
    """Measure the four."""
    return [_examples(scale), *_site(), _docstrings()]


def _examples(scale: Scale) -> Figure:
    found = [one for page in examples.document() for one in examples.found(page)]
    counted: Counter[str] = Counter()
    wrong: list[str] = []
    left: Counter[str] = Counter()
    for one in found:
        if one.kind in examples.READERS:
            wrong += filter(None, [examples.validated(one)])
            counted["read"] += 1
        elif one.reason:
            wrong += [] if examples.known(one.reason) else [f"{one.where}: {one.reason!r} is no reason"]
            wrong += looked_through(one)
            counted["looked through"] += 1
            left[one.reason] += 1
        elif one.slow and scale.short:
            counted["left for the whole form"] += 1
        else:
            counted["run"] += 1
    wrong += _run(found, scale)
    told = ", ".join(f"{count} {what}" for what, count in counted.items())
    details: dict[str, Any] = {"wrong": wrong, "counted": dict(counted), "not run": dict(left)}
    name, bar = "examples of the documents that are right", f"{ALL} of {len(found)}"
    return Figure(name, bar, f"{len(found) - len(wrong)}: {told}", not wrong and len(found) > 100, details)


def _run(found: list[Example], scale: Scale) -> Iterator[str]:
    """Run what is run, page by page; yield what was wrong."""
    pages: dict[Path, list[Example]] = {}
    for one in found:
        if one.kind not in examples.READERS and not one.reason and not (one.slow and scale.short):
            pages.setdefault(one.page, []).append(one)
    for of_page in pages.values():
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            examples.world(folder)
            with site.served(folder) as origin:
                code = [one for one in of_page if one.kind == "python"]
                typed = [one for one in of_page if one.kind != "python"]
                yield from examples.script(code, folder, origin, free_port("127.0.0.1")) if code else ()
                yield from examples.shell(typed, folder, origin, free_port("127.0.0.1")) if typed else ()


def looked_through(one: Example) -> list[str]:
    """Return what is wrong with an example that is not run: its syntax, commands and options of ours."""
    if one.kind == "python":
        try:
            compile(one.text, one.where, "exec")
        except SyntaxError as error:
            return [f"{one.where}: {error}"]
        return []
    prompted = one.text.startswith("$ ")
    text = "".join(f"{command.text}\n" for command in examples.commands(one)) if prompted else one.text
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    wrong = [f"{one.where}: {done.stderr.strip()}"] if done.returncode else []
    for line in text.replace("\\\n", " ").splitlines():
        wrong += [f"{one.where}: {told}" for told in _unknown(line)]
    return wrong


def _unknown(line: str) -> list[str]:
    """Return what of a line's call of ours there is not: the command, an option."""
    words = shlex.split(line, comments=True)
    at = words.index("mlserverless") if "mlserverless" in words else -1
    if at < 0 or (at and words[at - 1] not in ("&&", ";", "sudo", "-E", "do") and "=" not in words[at - 1]):
        return []
    words = words[at + 1 :]
    whole: click.Group = group(click)
    with click.Context(whole) as context:
        command = whole.get_command(context, words[0]) if words and not words[0].startswith("-") else whole
    if command is None:
        return [f"there is no command {words[0]!r}"]
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
    ended = next((i for i, word in enumerate(words) if word in ("|", "&&", ";", "&", ">")), len(words))
    used = {word.partition("=")[0] for word in words[:ended] if word.startswith("-") and len(word) > 1}
    return [f"{command.name} has no option {word}" for word in sorted(used - known)]


def _site() -> list[Figure]:
    links, search = (
        "links of the site that lead nowhere, and warnings of its build",
        "searches in the site that find their page",
    )
    if reason := site.lacking():
        return [skip(links, NONE, reason), skip(search, ALL, reason)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        warned = site.built(folder)
        wrong, count = site.broken(folder)
        details: dict[str, Any] = {"broken": wrong, "warned": warned, "links": count}
        figure = Figure(
            links,
            NONE,
            f"{len(wrong) + len(warned)} of {count}",
            not wrong and not warned and count > 1000,
            details,
        )
        if reason := browser.lacking():
            return [figure, skip(search, ALL, reason)]
        return [figure, _searched(search, folder)]


def _searched(name: str, folder: Path) -> Figure:
    found: dict[str, str] = {}
    outside, errors = [], []
    with site.served(folder) as address, browser.started() as chromium:
        for query, wanted in SEARCHES.items():
            with browser.Visit(chromium, f"{address}index.html") as visit:
                visit.page.locator(".md-search__input").click()
                visit.page.locator(".md-search__input").press_sequentially(query, delay=20)
                visit.page.locator(".md-search-result__link").first.wait_for()
                results = visit.page.locator(".md-search-result__link")
                for i in range(min(results.count(), 5)):
                    if wanted in (results.nth(i).get_attribute("href") or ""):
                        results.nth(i).click()
                        visit.page.wait_for_url(f"**{wanted}**")
                        found[query] = visit.page.url.removeprefix(address)
                        break
                outside += visit.outside
                errors += visit.errors
    details: dict[str, Any] = {"found": found, "outside": outside, "errors": errors}
    measured = f"{len(found)} of {len(SEARCHES)}; {len(outside)} requests to elsewhere"
    return Figure(
        name,
        f"{ALL} of {len(SEARCHES)}, 0 requests",
        measured,
        len(found) == len(SEARCHES) and not outside,
        details,
    )


def _docstrings() -> Figure:
    missing, count = site.undocumented()
    missing += site.unnamed()
    details = {"missing": missing, "objects": count}
    return Figure(
        "public objects without a docstring",
        NONE,
        f"{len(missing)} of {count}",
        not missing and count > 50,
        details,
    )
