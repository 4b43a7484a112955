"""The documents say what the code does: settings, problem codes, links, the picture, the changelog's names."""

import re
import runpy
from pathlib import Path

import pytest

import mlserverless
from mlserverless import errors
from mlserverless.config import Settings
from mlserverless.model_toml import ACTIVATIONS, FIT, RANGES, RESIZE

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for page in ROOT.rglob("*.md")
    if not any(part.startswith((".", "build")) or part == "node_modules" for part in page.relative_to(ROOT).parts)
)


def rows(page: str) -> list[list[str]]:
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]


def test_every_setting_is_documented_with_its_default() -> None:
    told = {
        row[0].strip("`").removeprefix("MLSERVERLESS_").lower(): row[1].strip("`")
        for row in rows("docs/reference/settings.md")
    }
    defaults = Settings()._asdict()
    assert told.keys() == defaults.keys()
    for name, text in told.items():
        value = defaults[name]
        shown = ",".join(value) if isinstance(value, tuple) else str(value).lower()
        assert shown in (text, f"{text}.0"), name


def test_every_problem_is_documented_with_its_status() -> None:
    told = {row[0].strip("`"): int(row[1]) for row in rows("docs/reference/http.md") if row[1].isdigit()}
    raised = {
        kind.code: kind.status
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.MlserverlessError)
    }
    assert told == raised


@pytest.mark.parametrize("word", [*RESIZE, *FIT, *RANGES, *ACTIVATIONS])
def test_every_word_of_a_model_folder_is_documented(word: str) -> None:
    assert re.search(rf"\b{word}\b", (ROOT / "docs/reference/model-folder.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_picture_is_the_one_that_its_script_draws() -> None:
    drawn = runpy.run_path(str(ROOT / "docs/pictures/shape.py"))["draw"]()
    assert (ROOT / "docs/pictures/shape.svg").read_text(encoding="utf-8") == drawn


def test_public_names_have_docstrings() -> None:
    for name in mlserverless.__all__:
        if name != "__version__":
            assert getattr(mlserverless, name).__doc__, name
