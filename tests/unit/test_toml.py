"""The plain reader says what tomllib says, or nothing."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from helpers.child import run
from mlserverless import toml
from mlserverless.model import SHELVES

WORDS = st.sampled_from(
    [
        *(
            'a = "b"',
            "a = 1",
            "a = 1.5",
            "a=0.875 # why",
            "[input]",
            "[ input ]",
            "[input] # so",
            "# said",
            "",
            " ",
        ),
        *('a = ""', 'a = "b" # c', 'a = "x#y"', 'a = "b" c', "a = 'b'", 'a = """b"""', "a = true", "a = [1, 2]"),
        *("a.b = 1", '"a" = 1', "a = 01", "a = 1_000", "a = -1", "a = +1", "a = 1.", "a = .5", "a = 1e3", "a = 0"),
        *("a = { b = 1 }", "[[a]]", "[a.b]", "[a]", "[]", "=1", "a", "a =", "a = inf", "a = 1979-05-27", "b = 2"),
        *(
            'a = "é"',
            'a = "\\t"',
            "a\t= 1",
            "a = 1\r",
            "a = 1\x0b",
            'a = "\x7f"',
            'a = "b',
            "a == 1",
            "\ufeffa = 1",
        ),
    ]
)


@given(st.lists(st.one_of(WORDS, st.text(max_size=12)), max_size=8).map("\n".join))
@example('name = "x"\n[input]\ncrop = 0.875\n[output]\nactivation = "none"\n')
@example("[a]\n[a]\n")
@example("a = 1\n[a]\n")
def test_what_it_takes_tomllib_reads_alike(text: str) -> None:
    found = toml.plain(text)
    if found is not None:
        expected = tomllib.loads(text)
        assert found == expected
        assert repr(found) == repr(expected)  # 1 is not 1.0


def test_the_bundled_models_are_plain() -> None:
    texts = [path.read_text() for shelf in SHELVES for path in Path(shelf).glob("*/model.toml")]
    assert texts
    for text in texts:
        assert toml.plain(text) == tomllib.loads(text)


@pytest.mark.parametrize("text", ["a = [1, 2]", "a = true", "a.b = 'c'", 'a = "é"'])
def test_more_than_plain_is_read_all_the_same(text: str) -> None:
    assert toml.plain(text) is None
    assert toml.loads(text) == tomllib.loads(text)


@pytest.mark.parametrize("text", ["a = ", "[a", 'a = "b', "a = 1\na = 2", "a = 1\n[a]", "a = 01"])
def test_what_is_no_toml_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\(at "):
        toml.loads(text)


def test_a_plain_text_does_not_import_tomllib(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules.pop('tomllib', None)\n"  # a measured run has imported it
        "from mlserverless import toml; toml.loads({!r}); print(int('tomllib' in sys.modules))"
    )
    assert run(code.format("a = 1"), tmp_path) == 0
    assert run(code.format("a = [1]"), tmp_path) == 1
