"""The settings file of a new project: every setting, as the settings themselves have it."""

import tomllib
from pathlib import Path

import pytest

from mlserverless.bundle.settings_file import SAYS, text
from mlserverless.config import Settings


def test_every_setting_is_told_in_order() -> None:
    assert tuple(SAYS) == Settings._fields


def test_what_is_given_is_in_force_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "mlserverless.toml").write_text(text(model="model", top_k=2, formats=("png",)))
    assert Settings.load({}, str(tmp_path)) == Settings(model="model", top_k=2, formats=("png",))


@pytest.mark.parametrize("name", Settings._fields)
def test_a_line_that_is_taken_out_of_its_comment_is_the_default(name: str, tmp_path: Path) -> None:
    lines = [line.removeprefix("# ") for line in text().splitlines() if line.startswith(f"# {name} = ")]
    assert len(lines) == 1
    assert set(tomllib.loads(lines[0])) == {name}
    (tmp_path / "mlserverless.toml").write_text(lines[0] if name != "schedule_source" else "")
    assert Settings.load({}, str(tmp_path)) == Settings()
