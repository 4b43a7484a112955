"""The images' origin."""

import http.client
from pathlib import Path

from mlserverless.measure import origin


def get(url: str, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(url.split("/")[2], timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_files_are_served_by_another_process_until_the_block_ends(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    for file in files:
        file.write_bytes(file.name.encode() * 100_000)
    with origin.serving(files) as urls:
        assert [get(url, f"/{url[-1]}") for url in urls] == [(200, file.read_bytes()) for file in files]
        port = int(urls[0].split(":")[2].split("/")[0])
    try:
        get(f"http://127.0.0.1:{port}/", "/0")
    except ConnectionError:
        return
    raise AssertionError("it still answers")


def test_what_is_not_there_is_a_404(url: str) -> None:
    assert [get(url, path)[0] for path in ("/1", "/", "/x", "/-1", "/0")] == [404, 404, 404, 404, 200]


def test_it_ends_with_its_standard_input(tmp_path: Path, monkeypatch, capsys) -> None:
    import io
    import sys

    file = tmp_path / "a"
    file.write_bytes(b"x")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    origin.main([str(file)])
    assert 0 < int(capsys.readouterr().out) < 65536
