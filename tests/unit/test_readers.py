"""How a setting's text becomes its value."""

from typing import Any

import pytest

from mlserverless import readers

WRONG = (ValueError, TypeError, KeyError, OverflowError)


@pytest.mark.parametrize(("given", "value"), [("1", 1), (" 10 ", 10), (10, 10), ("1_0", 10), ("+7", 7)])
def test_whole_reads(given: Any, value: int) -> None:
    assert readers.whole(1, 10)[1](given) == value


@pytest.mark.parametrize("given", ["0", "11", 11, 0, "", "x", "1.0", 1.0, True, None, [], "9" * 5000])
def test_whole_refuses(given: Any) -> None:
    with pytest.raises(WRONG):
        readers.whole(1, 10)[1](given)


@pytest.mark.parametrize(("given", "value"), [("0.5", 0.5), (1, 1.0), ("1e-1", 0.1), ("0", 0.0), (-0.0, 0.0)])
def test_number_reads(given: Any, value: float) -> None:
    read = readers.number(0, 1)[1](given)
    assert read == value
    assert isinstance(read, float)


@pytest.mark.parametrize("given", ["nan", float("nan"), "inf", "-inf", "2", -0.1, "", True, None, 10**400])
def test_number_refuses(given: Any) -> None:
    with pytest.raises(WRONG):
        readers.number(0, 1)[1](given)


@pytest.mark.parametrize("given", ["c", "", "A", None, 1, ["a"]])
def test_one_of_refuses(given: Any) -> None:
    assert readers.one_of("a", "b")[1]("b") == "b"
    with pytest.raises(WRONG):
        readers.one_of("a", "b")[1](given)


@pytest.mark.parametrize(("given", "value"), [("a", ("a",)), (" b , a ", ("b", "a")), (["a"], ("a",))])
def test_some_of_reads(given: Any, value: tuple[str, ...]) -> None:
    assert readers.some_of("a", "b")[1](given) == value


@pytest.mark.parametrize("given", ["", ",", "a,c", [], None, 5, [1]])
def test_some_of_refuses(given: Any) -> None:
    with pytest.raises(WRONG):
        readers.some_of("a", "b")[1](given)


@pytest.mark.parametrize(
    ("given", "value"), [("", ()), ((), ()), (" , ", ()), ("b", ("b",)), ("b, a,b", ("b", "a")), (["a"], ("a",))]
)
def test_any_of_reads(given: Any, value: tuple[str, ...]) -> None:
    assert readers.any_of("a", "b")[1](given) == value


@pytest.mark.parametrize("given", ["c", "a,c", 1, None, [1]])
def test_any_of_refuses(given: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        readers.any_of("a", "b")[1](given)


@pytest.mark.parametrize(
    ("given", "value"),
    [("", ()), (" , ", ()), ("tiger cat, owl", ("tiger cat", "owl")), (("x", " y "), ("x", "y")), ([], ())],
)
def test_split_reads(given: Any, value: tuple[str, ...]) -> None:
    assert readers.split(given) == value


@pytest.mark.parametrize("given", [None, 3, [1, 2], b"ab", [None], {"tench": 1}, {"tench"}, b"tench"])
def test_split_refuses(given: Any) -> None:
    with pytest.raises(WRONG):
        readers.split(given)


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("true", True),
        ("True", True),
        ("1", True),
        (1, True),
        ("YES", True),
        (True, True),
        ("false", False),
        ("no", False),
        ("0", False),
        (False, False),
        (0, False),
    ],
)
def test_flag_reads(given: Any, value: bool) -> None:
    assert readers.flag(given) is value


@pytest.mark.parametrize("given", ["", "maybe", "on", None, 2, []])
def test_flag_refuses(given: Any) -> None:
    with pytest.raises(WRONG):
        readers.flag(given)


@pytest.mark.parametrize(
    ("given", "value"),
    [("white", "white"), ("black", "black"), ("drop", "drop"), ("#0aF1c9", "#0af1c9"), ("#000000", "#000000")],
)
def test_colour_reads(given: str, value: str) -> None:
    assert readers.colour(given) == value


@pytest.mark.parametrize(
    "given",
    [
        "",
        "red",
        "#12345",
        "#1234567",
        "123456#",
        "#gggggg",
        "#+12345",
        "#1_2_34",
        "# 12345",
        None,
        7,
        list("#000000"),
    ],
)
def test_colour_refuses(given: Any) -> None:
    with pytest.raises(WRONG):
        readers.colour(given)


def test_text_is_stripped_and_not_empty() -> None:
    assert readers.text("  models/mine ") == "models/mine"
    with pytest.raises(ValueError, match=r"^ {3}$"):
        readers.text("   ")


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("log:", "log:"),
        (" S3://Bucket/Key ", "s3://Bucket/Key"),
        ("FILE:///a:b", "file:///a:b"),
        ("file:", "file:"),
        ("", ""),
    ],
)
def test_url_reads_the_scheme_in_any_case_and_the_rest_as_it_is(given: str, value: str) -> None:
    assert readers.url("", "log:", "file:", "s3://")[1](given) == value


@pytest.mark.parametrize("given", ["", "log", "s3:bucket", "ftp://h/", "/tmp", None, 3, ["log:"], b"log:"])
def test_url_refuses(given: Any) -> None:
    with pytest.raises(WRONG):
        readers.url("log:", "s3://")[1](given)


def test_each_reader_says_what_it_accepts() -> None:
    assert readers.url("", "log:", "s3://")[0] == "a URL that begins with log:, s3://"
    assert readers.whole(1, 1000)[0] == "a whole number from 1 to 1,000"
    assert readers.number(0.001, 900, " seconds")[0] == "a number from 0.001 to 900 seconds"
    assert readers.one_of("a", "b")[0] == "one of a, b"
    assert readers.some_of("a", "b")[0] == "one or more of a, b, with commas between"
    assert readers.any_of("a", "b")[0] == "one or more of a, b, with commas between, or nothing"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (5, "5"),
        (-1e300, "-1e+300"),
        (10**40, "something of the type int that is not repeated here"),
        ("", "''"),
        ("five", "'five'"),
        ("#12345x", "'#12345x'"),
        ("two plain words, and-more_1.5", "'two plain words, and-more_1.5'"),
        ("x" * 31, "a text that is not repeated here"),
        ("h.example/?sig=secret", "a text that is not repeated here"),
        (["https://h.example/?sig=secret"], "something of the type list that is not repeated here"),
        ([1, 2], "[1, 2]"),
        (None, "None"),
    ],
)
def test_only_what_can_be_no_secret_is_shown(value: object, told: str) -> None:
    assert readers.shown(value) == told


def test_bounds_can_be_told_from_the_reader() -> None:
    """By what describes the options to clients."""
    for _, read in (readers.whole(1, 9), readers.number(1, 9)):
        assert read.__self__ == (1, 9)  # type: ignore[attr-defined]


@pytest.mark.parametrize("given", ["", "*", "https://a.example,http://localhost:3000", ["HTTPS://A.example"]])
def test_origins_read(given: Any) -> None:
    words = given if isinstance(given, list) else [word for word in given.split(",") if word]
    assert readers.origins(given) == tuple(word.lower() for word in words)


@pytest.mark.parametrize(
    "given", ["a.example", "https://", "https://a/b", "ftp://a", "*,https://a", "https://ä", 5]
)
def test_origins_refuses(given: Any) -> None:
    with pytest.raises(WRONG):
        readers.origins(given)
