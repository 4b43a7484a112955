import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks import page, venvs

from helpers.figures import Figure

MACHINE = {"date": "2026-01-02", "python": "3.12.1", "cores": 2}


def kept(*figures: Figure, short: bool = False) -> dict[str, Any]:
    return {"machine": MACHINE, "short": short, "figures": [figure._asdict() for figure in figures]}


def test_every_figure_is_a_row_and_what_is_missing_is_said() -> None:
    found = {
        "cold": kept(Figure("start", "≤ 0.65 ×", "0.50 ×", True), Figure("peak", "≤ 1 ×", "2 | 3", False)),
        "peers": kept(Figure("other", "< 1 ×", skipped="no wheel", held=True), Figure("size", "shown", "9", True)),
    }
    text = page.text(found, ("cold", "warm", "peers"))
    assert "| start | ≤ 0.65 × | 0.50 × | yes |" in text
    assert "| peak | ≤ 1 × | 2 \\| 3 | **no** |" in text
    assert "| other | < 1 × | no wheel | not measured |" in text
    assert "| size | shown | 9 | – |" in text
    assert "Not measured yet: `warm`." in text
    assert "Measured: 2026-01-02, 2 cores, Python 3.12.1.\n" in text
    assert max(map(len, text.split("\n"))) < 120


def test_a_shortened_run_is_told_as_one() -> None:
    text = page.text({"cold": kept(Figure("start", "shown", "1", True), short=True)}, ("cold",))
    assert "Too few runs to rely on, from `--short`: `cold`." in text


def test_only_pictures_that_are_there_are_shown(tmp_path: Path) -> None:
    (tmp_path / "bench-far.svg").touch()
    text = page.text({"cold": kept()}, ("cold",), tmp_path)
    assert "../pictures/bench-far.svg" in text
    assert "bench-cold.svg" not in text


def test_without_matplotlib_the_page_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: str) -> Path:
        raise venvs.Unavailable("no registry")

    monkeypatch.setattr(venvs, "python", missing)
    (tmp_path / "threads.json").write_text(json.dumps(kept(Figure("two", "≥ 1.8 ×", "1.9 ×", True))))
    with pytest.raises(venvs.Unavailable, match="no registry"):
        page.write(tmp_path, ("threads",), tmp_path / "page.md", tmp_path)
    assert "| two | ≥ 1.8 × | 1.9 × | yes |" in (tmp_path / "page.md").read_text()
