"""The tutorials' pages: their code is the scripts', their commands are there, and what types them in notices."""

import os
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from helpers import pages
from mlserverless.certification.reference import Reference

ROOT = Path(__file__).parents[2]
# The one of ten minutes trains nothing: tests/ux/newcomer.py types it.
PAGES = [page for page in sorted((ROOT / "docs/tutorials").glob("*.md")) if page.stem != "ten-minutes"]
SCRIPTS = {"keras": "keras", "pytorch": "pytorch", "scikit-learn": "sklearn"}
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def test_there_are_three() -> None:
    assert [page.stem for page in PAGES] == sorted(SCRIPTS)


@each_page
def test_the_code_shown_is_the_script_that_is_run(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    script = ROOT / "examples/tutorials" / SCRIPTS[page.stem] / "train.py"
    # The page leaves out the docstring, which its own words replace, and empty lines between two blocks.
    code = script.read_text(encoding="utf-8").split('"""\n\n', 1)[1]
    shown = "".join(pages.blocks(text, "python"))
    assert list(filter(None, shown.splitlines())) == list(filter(None, code.splitlines()))
    assert any(one.text == "python train.py" for one in pages.commands(text))


@each_page
def test_commands_name_files_that_are_there_or_made(page: Path) -> None:
    folder = ROOT / "examples/tutorials" / SCRIPTS[page.stem]
    for one in pages.commands(page.read_text(encoding="utf-8")):
        for script in re.findall(r"\S+\.py\b", one.text):
            assert (folder / script).is_file(), one.text


@each_page
def test_each_goes_through_certify_and_three_runtimes(page: Path) -> None:
    typed = [one.text for one in pages.commands(page.read_text(encoding="utf-8"))]
    for start in (
        "mlserverless convert ",
        "mlserverless inspect ",
        "mlserverless certify ",
        "mlserverless predict ",
    ):
        assert any(text.startswith(start) for text in typed), start
    assert any(text.startswith("python ../agree.py ") for text in typed), "asks aws, azure and gcp"


PAGE = """
```console
$ echo one; echo 'took 1.5 s'
took 0.2 s
$ printf '%s\\n' a \\
    b
a
b
c
$ false   # exits with 1
$ sleep 60 &
$ echo answer {"score":0.25}
answer …
```

```console
$ false
$ echo never
```
"""


def test_commands_are_typed_and_what_they_print_is_compared(tmp_path: Path) -> None:
    done = pages.typed(PAGE, tmp_path, {"PATH": os.environ["PATH"]})
    assert [one.code for one in done] == [0, 0, 1, 0, 0, 1, None]
    assert [one.missing for one in done] == [(), ("c",), (), (), (), (), ()]
    assert done[1].printed == "a\nb\n"


def test_a_block_begins_with_a_command() -> None:
    with pytest.raises(ValueError, match="begins with 'hello"):
        pages.commands("```console\nhello\n```\n")


@pytest.mark.parametrize(
    ("second", "same", "largest"),
    [({"b": 0.7, "a": 0.3}, 2, 0.0), ({"b": 0.6, "a": 0.4}, 2, 0.1), ({"a": 0.7, "b": 0.3}, 1, 0.4)],
)
def test_answers_that_differ_from_the_notebooks_are_counted(
    second: dict[str, float], same: int, largest: float
) -> None:
    compare = runpy.run_path(str(ROOT / "examples/tutorials/agree.py"))["compare"]
    scores = np.array([[0.9, 0.1], [0.3, 0.7]])
    notebook = Reference(Path("reference.npz"), "", output=scores * 8, scores=scores, labels=("a", "b"))
    assert compare([{"a": 0.9, "b": 0.1}, second], notebook) == (same, pytest.approx(largest))
