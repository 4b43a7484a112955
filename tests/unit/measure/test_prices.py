"""Prices: ours, anybody's, and what is wrong with a file."""

from pathlib import Path

import pytest

from mlserverless.measure.prices import FILE, PricesError, read
from mlserverless.measure.sizes import SIZES, Size

GOOD = """
[aws]
checked = "2027-01"
region = "eu-west-1"
currency = "EUR"
source = "https://prices.example/"
gb_second = 0.00001
request = 0
round_ms = 1
"""


@pytest.mark.parametrize("provider", list(SIZES))
def test_ours_are_dated_and_sourced(provider: str) -> None:
    prices = read(provider)
    assert prices.source.startswith("https://")
    assert prices.currency == "USD"
    assert prices.checked == "from memory of the public price list, 2026-11; check yourself"
    assert "check them yourself" in FILE.read_text(encoding="utf-8")


def test_lambda_is_a_gb_second_and_a_request() -> None:
    size = Size(1024, 1, 1, 2)
    assert read("aws").million(size, [1000.0]) == pytest.approx(16.6667 + 0.2)
    assert read("aws").million(size, [10.2, 29.8]) == pytest.approx(16.6667 * 0.0205 + 0.2), "rounded up, each"


def test_google_rounds_to_100_ms_and_counts_vcpus_apart() -> None:
    size = Size(512, 0.333, 0.333, 1)
    assert read("gcp").million(size, [101.0]) == pytest.approx(0.2 * (0.5 * 2.5 + 0.333 * 24) + 0.4)


def test_azure_bills_a_second_at_least() -> None:
    size = Size(2048, 1, 1, 1)
    assert read("azure").million(size, [30.0]) == pytest.approx(52 + 0.4)
    assert read("azure").million(size, [1001.0]) == pytest.approx(1.1 * 52 + 0.4)


def test_another_file_takes_their_place(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(GOOD)
    prices = read("aws", file)
    assert (prices.currency, prices.vcpu_second, prices.minimum_ms) == ("EUR", 0.0, 0.0)
    assert prices.million(Size(1024, 1, 1, 2), [100.0]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[aws", "is not valid TOML"),
        ("[ibm]\nx = 1", r"has \[ibm\]; tables are aws, azure, gcp"),
        ("[gcp]\n", r"has no table \[aws\]; .*prices.toml is an example"),
        ("aws = 3", r"has no table \[aws\]"),
        (GOOD.replace("round_ms", "round"), "round is no price; known are checked, "),
        (GOOD.replace('"EUR"', "5"), "currency is 5; give a text"),
        (GOOD.replace('"2027-01"', '" "'), "checked is ' '; give a text"),
        (GOOD.replace("= 0.00001", "= -1"), "gb_second is -1; give a number of 0 or more"),
        (GOOD.replace("= 0.00001", "= nan"), "gb_second is nan; give a number of 0 or more"),
        (GOOD.replace("= 0.00001", "= true"), "gb_second is True; give a number"),
        (GOOD.replace("= 0.00001", '= "much"'), "gb_second is 'much'; give a number"),
        (GOOD.replace("gb_second = 0.00001", ""), "gb_second is None; give a number"),
        (GOOD.replace("round_ms = 1", "round_ms = 0"), "round_ms is 0; give a number above 0"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(PricesError, match=told) as caught:
        read("aws", file)
    assert "mine.toml" in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(PricesError, match="cannot be read: Is a directory"):
        read("aws", tmp_path)
