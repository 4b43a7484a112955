"""What people do with the page, each in a browser of its own; what is not as it should be is an AssertionError."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from helpers.browser import Visit

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"
HOSTILE = "<img src=x onerror=alert(1)> \u202eowl"
# A file's name that is dangerous wherever it is quoted wrongly.
NAME = 'it\'s "$(touch harmed)" `touch harmed` \\ \u202e\x1b[201~.jpg'
OUTLINED = "parseFloat(getComputedStyle(document.activeElement).outlineWidth) >= 2 && "
OUTLINED += "getComputedStyle(document.activeElement).outlineStyle === 'solid'"
# What could end a paste into a terminal, or show a line otherwise than it is.
ODD = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Elements to touch that are smaller than a finger, but for links in a text.
SMALL = """() => [...document.querySelectorAll("button, input, select, summary")]
  .filter((one) => one.checkVisibility()).map((one) => [one, one.getBoundingClientRect()])
  .filter(([, box]) => box.height < 43.9 || box.width < 43.9).map(([one]) => one.outerHTML.slice(0, 80))"""
WIDE = "document.documentElement.scrollWidth > innerWidth"
PAPER = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"


class Place(NamedTuple):
    """Where the page is, the origin of pictures, a folder to write to, how a browser visits it."""

    url: str
    photos: str
    folder: Path
    visit: Callable[..., Visit]


def ready(visit: Visit) -> Any:
    """Wait until the page knows its model."""
    visit.page.wait_for_selector("#facts div")
    return visit.page


def answered(page: Any, what: str = ".result") -> Any:
    """Wait for an answer and return its first element."""
    page.wait_for_selector("#take:not([hidden])")
    assert page.locator("#problem").inner_text() == "", page.locator("#problem").inner_text()
    return page.locator(what).first


def best(page: Any, label: str, what: str = ".result .label") -> None:
    """Check that the answer's first class is ``label``, and that it was told to who does not see it."""
    found = answered(page, what).inner_text()
    assert found == label, found
    assert page.locator("#status").text_content().startswith(f"{label}, ")


def copied(page: Any, what: str) -> str:
    """Press the button that copies the block ``what``; return what is in the clipboard then."""
    page.evaluate("navigator.clipboard.writeText('')")
    page.get_by_role("button", name=f"Copy {what}").click()
    return held(page)


def held(page: Any) -> str:
    """Return what is in the clipboard as soon as there is something."""
    for _ in range(100):
        if found := page.evaluate("navigator.clipboard.readText()"):
            return str(found)
        page.wait_for_timeout(20)
    raise AssertionError("nothing was copied")


def opened(page: Any) -> bool:
    """Return whether the options are open."""
    return bool(page.locator("#more").evaluate("(one) => one.open"))


def drop(place: Place) -> None:
    """A photo is dropped; its classes, bars and stages are shown."""
    with place.visit() as visit:
        page = ready(visit)
        visit.hand_over("#drop", PHOTOS / "rocket.jpg", "drop")
        best(page, "missile")
        assert (
            page.locator("#shown").evaluate("async (one) => { await one.decode(); return one.naturalWidth; }") > 0
        )
        assert "rocket.jpg" in page.locator("#caption").inner_text()
        assert page.locator(".result").count() == 5
        stages = page.locator("#stages th").all_inner_texts()
        assert {"Open it", "Decode and resize", "Run the model", "On the way, there and back"} <= set(stages), (
            stages
        )
        assert page.locator("#warmth").inner_text() in ("warm", "cold start")
        assert json.loads(copied(page, "JSON"))["predictions"][0]["label"] == "missile"
        page.fill("#top", "2")
        page.press("#top", "Tab")
        page.wait_for_selector(".result:nth-child(2):last-child")
        assert "top_k=2" in copied(page, "curl")


def paste(place: Place) -> None:
    """A photo is pasted, and then an address, which is only asked for when the person says so."""
    with place.visit() as visit:
        page = ready(visit)
        visit.hand_over("body", PHOTOS / "flower.jpg", "paste")
        best(page, "daisy")
        page.evaluate("(text) => navigator.clipboard.writeText(text)", f"{place.photos}/coffee.png")
        page.locator("h1").click()
        page.keyboard.press("Control+V")
        assert page.input_value("#url") == f"{place.photos}/coffee.png"
        assert not any(url.endswith("coffee.png") for url in visit.requests)


def address(place: Place) -> None:
    """A picture is asked for by its address, and shown from there once the function has read it."""
    url = f"{place.photos}/coffee.png?signature=a%20b'c\"&x=$(id)"
    with place.visit() as visit:
        visit.allowed.append(url.replace('"', "%22").replace("'", "%27"))
        page = ready(visit)
        page.fill("#url", url)
        page.click("#form button")
        best(page, "espresso")
        assert (
            page.locator("#shown").evaluate("async (one) => { await one.decode(); return one.naturalWidth; }") > 0
        )
        assert "Fetch the picture" in page.locator("#stages").inner_text()
        check_copied(page, place)


def bad_address(place: Place) -> None:
    """What is wrong with an address is told in plain words; the browser never asks for it."""
    words = {
        f"{place.photos}/missing.jpg": ("There is no picture at this address", "source-not-found"),
        f"{place.photos}/LICENSES.md": ("This is no picture that the function reads", "unsupported-media-type"),
        "file:///etc/passwd": ("This address is not allowed", "source-blocked"),
        "http://127.0.0.1:9/x.jpg": ("The picture could not be fetched", "source-error"),
    }
    with place.visit() as visit:
        visit.refusals = True
        page = ready(visit)
        for url, (title, code) in words.items():
            page.fill("#url", url)
            page.press("#url", "Enter")
            page.wait_for_selector(f".problem h3:has-text('{title}')")
            told = page.locator("[role=alert]").inner_text()
            assert re.search(rf"{code} · status \d+ · request \S", told), told
            assert page.get_by_role("button", name="Try again").count() == (code == "source-error")
            assert url not in visit.requests, "the browser asked for what the function refused"


def keyboard(place: Place) -> None:
    """All of it is done with the keyboard alone; where one is, is always seen."""
    stops: list[str] = []

    def tab(to: str) -> None:
        for _ in range(20):
            page.keyboard.press("Tab")
            assert page.evaluate(OUTLINED), f"focus is not seen after {stops}"
            stops.append(
                page.evaluate("document.activeElement.id || document.activeElement.innerText.slice(0, 30)")
            )
            if page.evaluate("(to) => document.activeElement.matches(to)", to):
                return
        raise AssertionError(f"{to} is not reached: {stops}")

    with place.visit() as visit:
        visit.refusals = True
        page = ready(visit)
        tab(".choose")
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Enter")
        chooser.value.set_files(PHOTOS / "china.jpg")
        best(page, "palace")
        assert page.evaluate("document.activeElement.matches('#seen .choose')"), (
            "focus was lost with the drop zone"
        )
        tab("#url")
        page.keyboard.type(f"{place.photos}/missing.jpg")
        page.keyboard.press("Enter")
        page.wait_for_selector(".problem")
        page.keyboard.press("Control+A")
        page.keyboard.type(f"{place.photos}/rocket.jpg")
        visit.allowed.append(f"{place.photos}/rocket.jpg")
        page.keyboard.press("Enter")
        page.wait_for_selector(".result")
        best(page, "missile")
        tab("summary")
        page.keyboard.press("Enter")
        assert not opened(page), "with several models they are open at first"
        page.keyboard.press("Enter")
        tab("#top")
        page.keyboard.type("1")
        page.keyboard.press("Enter")
        page.wait_for_selector(".result:only-child")
        tab("[aria-label='Copy curl']")
        page.evaluate("navigator.clipboard.writeText('')")
        page.keyboard.press("Enter")
        assert '"top_k":1' in held(page)
        assert sum("/predict" in url for url in visit.requests) == 4, "each is asked once"


def phone(place: Place) -> None:
    """On phones nothing runs out of the screen, and everything is large enough for a finger."""
    for width, height in ((390, 844), (320, 640)):
        with place.visit(width=width, height=height, has_touch=True, is_mobile=True) as visit:
            visit.refusals = True
            page = ready(visit)
            assert page.locator(".snap").first.is_visible(), "a phone has a camera"
            assert not page.evaluate(WIDE)
            with page.expect_file_chooser() as chooser:
                page.locator(".snap").first.tap()
            assert page.get_attribute("#camera", "capture") == "environment"
            chooser.value.set_files(PHOTOS / "coffee.png")
            best(page, "espresso")
            page.tap("summary")
            assert not opened(page)
            page.tap("summary")
            assert not page.evaluate(WIDE), f"it is wider than {width}"
            assert page.evaluate(SMALL) == []
            page.fill("#url", f"{place.photos}/missing.jpg?{'long' * 100}")
            page.tap("#form button")
            page.wait_for_selector(".problem")
            assert not page.evaluate(WIDE), f"it is wider than {width}"
            assert page.evaluate(SMALL) == []


def dark(place: Place) -> None:
    """It is dark where the system is, unless the person chose otherwise; nothing moves for who wants it still."""
    with place.visit(color_scheme="dark", reduced_motion="reduce") as visit:
        page = ready(visit)
        assert max(page.evaluate(PAPER)) < 60
        visit.hand_over("#drop", PHOTOS / "chelsea.png", "drop")
        best(page, "tiger cat")
        assert page.locator(".bar i").first.evaluate("(one) => getComputedStyle(one).transitionDuration") == "0s"
        assert page.locator("#busy i").evaluate("(one) => getComputedStyle(one).animationName") == "none"
        page.click("#theme")
        assert min(page.evaluate(PAPER)) > 200
        page.reload()
        ready(visit)
        assert min(page.evaluate(PAPER)) > 200, "the choice is not kept"
        page.click("#theme")
        assert max(page.evaluate(PAPER)) < 60


def boxes(place: Place) -> None:
    """A detector's objects are drawn where they are; labels are text, whatever stands in them."""
    wanted = ([0.1, 0.0, 0.3, 0.2], [0.4, 0.2, 0.6, 0.6], [0.5, 0.5, 1.0, 1.0])
    with place.visit() as visit:
        page = ready(visit)
        page.select_option("#model", "detector")
        page.wait_for_selector("#facts:has-text('finds objects')")
        for photo in sorted(place.folder.glob("colours-*.png")):
            visit.hand_over("body", photo, "drop")
            page.wait_for_selector(f"#caption:has-text('{photo.name}')")
            answered(page)
            assert page.locator(".result .label").all_inner_texts() == ["cat", "dog", HOSTILE]
            assert page.locator("img").count() == 1, "a label was read as HTML"
            page.locator("#shown").evaluate("async (one) => await one.decode()")
            frame = page.locator("#shown").bounding_box()
            for at, (top, left, bottom, right) in enumerate(wanted):
                drawn = page.locator(".box").nth(at).bounding_box()
                for side, share in (("x", left), ("width", right - left), ("y", top), ("height", bottom - top)):
                    whole = frame["width" if side in ("x", "width") else "height"]
                    want = share * whole + (frame[side] if side in "xy" else 0)
                    assert abs(drawn[side] - want) < 1.5, (photo.name, at, side, drawn, want)
        check_copied(page, place, {photo.name: photo})


def tensors(place: Place) -> None:
    """Raw tensors are a table; what cannot be chosen of them is not offered."""
    with place.visit() as visit:
        page = ready(visit)
        page.select_option("#model", "tensors")
        page.wait_for_selector("#facts:has-text('answers tensors')")
        assert not page.locator("#top").is_visible()
        visit.hand_over("#drop", PHOTOS / "chelsea.png", "drop")
        row = answered(page, "#result tbody tr").inner_text()
        assert re.search("1\u202f×\u202f1\\s+FP32", row), row


def smaller(place: Place) -> None:
    """A photo that is too large is told so, and a smaller copy of it is sent where the person wants it."""
    with place.visit() as visit:
        visit.refusals = True
        page = ready(visit)
        page.set_input_files("#file", place.folder / "large.png")
        page.wait_for_selector(".problem h3:has-text('The picture is too large')")
        page.get_by_role("button", name="Send a smaller copy").click()
        page.wait_for_selector(".result")
        assert page.locator("#caption a").get_attribute("download") == "large-smaller.jpg"


def names(place: Place) -> None:
    """What is copied runs as it is, whatever the file is called."""
    photo = place.folder / NAME
    shutil.copyfile(PHOTOS / "rocket.jpg", photo)
    with place.visit() as visit:
        page = ready(visit)
        visit.hand_over("#drop", photo, "drop", NAME)
        best(page, "missile")
        check_copied(page, place, {NAME: photo})


def check_copied(page: Any, place: Place, files: dict[str, Path] | None = None) -> None:
    """Run the copied curl and Python lines where the ``files`` are; they answer what the page shows."""
    folder = place.folder / "copied"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, source in (files or {}).items():
        shutil.copyfile(source, folder / name)
    shown, environment = json.loads(copied(page, "JSON")), {**os.environ, "FUNCTION_KEY": "a+b/c=="}
    line = ["bash", "-c", copied(page, "curl")]
    assert not ODD.search(line[-1]), line
    curl = subprocess.run(line, cwd=folder, env=environment, capture_output=True, timeout=60, check=True)
    assert json.loads(curl.stdout) == shown, curl.stdout
    line = [sys.executable, "-I", "-c", copied(page, "Python")]
    assert not ODD.search(line[-1]), line
    python = subprocess.run(
        line, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert python.stdout.strip() == str(shown), python.stdout
    assert sorted(path.name for path in folder.iterdir()) == sorted(files or {}), "a name was run as a command"


def unscripted(place: Place) -> None:
    """Without JavaScript it says how to ask all the same."""
    with place.visit(java_script_enabled=False) as visit:
        assert "curl --data-binary" in visit.page.inner_text("body")
        assert not visit.page.locator("main").is_visible()


JOBS: tuple[Callable[[Place], None], ...] = (drop, address, bad_address, keyboard, phone, dark)
MORE: tuple[Callable[[Place], None], ...] = (paste, boxes, tensors, smaller, names, unscripted)


def looked_at(place: Place, scheme: str, width: int, height: int) -> list[tuple[str, str]]:
    """Let axe-core look at each state of the page; return the states with what it found, "" where it is clean."""
    from axe_playwright_python.sync_playwright import Axe

    found: list[tuple[str, str]] = []
    with place.visit(width=width, height=height, color_scheme=scheme, reduced_motion="reduce") as visit:
        visit.refusals = True
        page = ready(visit)

        def look(state: str) -> None:
            broken = Axe().run(page).response["violations"]
            found.append((state, "; ".join(f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in broken)))

        look("empty")
        visit.hand_over("#drop", PHOTOS / "coffee.png", "drop")
        answered(page)
        look("classes")
        page.fill("#url", "http://127.0.0.1:9/x.jpg")
        page.press("#url", "Enter")
        page.wait_for_selector(".problem")
        look("a problem")
        page.select_option("#model", "detector")
        page.wait_for_selector("#facts:has-text('finds objects')")
        page.set_input_files("#file", place.folder / "colours-1.png")
        answered(page)
        look("boxes")
        page.select_option("#model", "tensors")
        answered(page, "#result tbody tr")
        look("tensors")
    return found
