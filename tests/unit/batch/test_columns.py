"""A table's column: every row is an item."""

import sys
from pathlib import Path

import pytest

from mlserverless.batch import columns
from mlserverless.batch.columns import open_table
from mlserverless.batch.sources import SourceUnreadable, find


def csv(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "items.CSV"
    path.write_bytes(text.encode(encoding))
    return path


def parquet(folder: Path, **given: list[object]) -> Path:
    files = pytest.importorskip(
        "pyarrow.parquet", reason="no pyarrow that goes with this numpy", exc_type=ImportError
    )
    import pyarrow

    path = folder / "items.parquet"
    files.write_table(pyarrow.table(given), path)
    return path


def test_csv_column(tmp_path: Path) -> None:
    path = csv(tmp_path, '\ufeffid,url\n1, https://x.example/a.jpg \n2,"https://x.example/b,1.jpg"\n\n3\n4,\n')
    texts, total = open_table(path, "url")
    assert list(texts()) == ["https://x.example/a.jpg", "https://x.example/b,1.jpg", "", ""]
    assert list(texts()) == list(texts())
    assert total() == 4


def test_a_table_is_found_by_its_name_and_told_from_others_by_its_column(tmp_path: Path) -> None:
    path = csv(tmp_path, "id,url,thumb\n1,u,t\n")
    assert [item.source for item in find(str(path), None, ("jpeg",)).items()] == ["u"]
    source = find(str(path), "thumb", ("jpeg",))
    assert ([item.source for item in source.items()], source.name) == (["t"], f"{path} thumb")


@pytest.mark.parametrize(
    ("text", "told"), [("id,link\n", "it has id, link."), ("", "it has none."), ("a" * 900, "it has " + "a" * 500)]
)
def test_a_column_that_is_not_there_is_told_at_once(tmp_path: Path, text: str, told: str) -> None:
    path = csv(tmp_path, text)
    with pytest.raises(SourceUnreadable) as caught:
        open_table(path, "url")
    assert str(caught.value).startswith(f"{path} has no column 'url'; {told}")
    assert str(caught.value).endswith("Choose with --column.")


@pytest.mark.parametrize("text", [b"url\n\xff\n", b"url\n" + b'"' + b"a" * 200_000 + b'"\n'])
def test_what_is_no_csv_is_told(tmp_path: Path, text: bytes) -> None:
    path = csv(tmp_path, text.decode("latin-1"), "latin-1")
    with pytest.raises(SourceUnreadable, match="is not CSV in UTF-8"):
        open_table(path, "url")


def test_parquet_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "ROWS", 2)
    path = parquet(tmp_path, url=[" u0 ", None, "u2", "", "u4"], id=[1, 2, 3, 4, 5])
    texts, total = open_table(path, "url")
    assert list(texts()) == list(texts()) == ["u0", "", "u2", "", "u4"]
    assert total() == 5
    assert list(open_table(path, "id")[0]()) == ["1", "2", "3", "4", "5"]


def test_what_is_no_parquet_is_told(tmp_path: Path) -> None:
    path = parquet(tmp_path, url=["u"])
    with pytest.raises(SourceUnreadable, match="has no column 'photo'; it has url"):
        open_table(path, "photo")
    path.write_bytes(b"PAR1 or not")
    with pytest.raises(SourceUnreadable, match=r"is not a Parquet file\.$"):
        open_table(path, "url")


def test_without_pyarrow_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SourceUnreadable, match=r'pip install "mlserverless\[parquet\]"'):
        open_table(tmp_path / "a.parquet", "url")
