"""``mlserverless batch``: what it writes, says and ends with; stopped and gone on with."""

import csv
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from helpers import origin
from helpers.s3 import moto_server, use_s3_at
from mlserverless.cli.batch import batch

PHOTOS = Path(__file__).parents[3] / "examples" / "photos"
WORDS = [sys.executable, "-W", "error", "-m", "mlserverless", "batch"]
MODEL = ["--model", "dogs-vs-cats"]


def run(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    words = [*map(str, arguments), *MODEL, "--workers", "1"]
    result = CliRunner().invoke(batch, words, input=stdin, catch_exceptions=False)
    assert "Traceback" not in result.output
    return result


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_bytes().splitlines()]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


def test_a_folder_becomes_json_lines(out: Path) -> None:
    result = run(PHOTOS, "--out", out)
    assert result.exit_code == 0, result.output
    found = rows(out)
    assert [Path(row["source"]).name for row in found] == sorted(path.name for path in PHOTOS.glob("*.*g"))
    assert list(found[0]) == ["index", "source", "model", "sha256", "predictions", "attempts"]
    assert result.stdout == ""
    assert f"{out}: 6 rows, no problems, " in result.stderr


def test_a_list_may_come_from_standard_input_and_a_problem_ends_with_1(out: Path) -> None:
    given = f"# photos\n{PHOTOS / 'china.jpg'}\nnone.jpg\n".encode()
    result = run("-", "--files", "--out", out, "--json", "--quiet", stdin=given)
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert (told["out"], told["rows"], told["classified"], told["kept"]) == (str(out), 2, 1, 0)
    assert told["problems"] == {"source-not-found": 1}
    assert result.stderr == ""
    assert rows(out)[1]["problem"]["detail"] == "The file none.jpg cannot be read: No such file or directory."


def test_a_column_becomes_a_table(tmp_path: Path) -> None:
    source, out = tmp_path / "items.csv", tmp_path / "results.csv"
    source.write_text(f"id,photo\n1,{PHOTOS / 'china.jpg'}\n2,\n")
    result = run(source, "--column", "photo", "--files", "--out", out)
    assert result.exit_code == 1
    first, second = csv.DictReader(out.read_text(encoding="utf-8").splitlines())
    assert (first["label_1"], first["problem_code"]) == ("dog", "")
    assert (second["source"], second["problem_code"]) == ("", "source-not-found")


def test_urls_are_fetched_and_told_as_they_were_given(out: Path, tmp_path: Path) -> None:
    photo = origin.response((PHOTOS / "china.jpg").read_bytes())
    with origin.serving({"/a.jpg?sig=secret": photo}) as running:
        (tmp_path / "urls.txt").write_text(running.url("/a.jpg?sig=secret"))
        blocked = run(tmp_path / "urls.txt", "--out", tmp_path / "blocked.jsonl")
        result = run(tmp_path / "urls.txt", "--out", out, "--allow-private-addresses")
    assert (blocked.exit_code, result.exit_code) == (1, 0)
    assert rows(tmp_path / "blocked.jsonl")[0]["problem"]["code"] == "source-blocked"
    assert rows(out)[0]["source"].endswith("/a.jpg?sig=secret")
    assert "secret" not in blocked.output + result.output


def test_what_is_below_a_stores_prefix_is_listed_and_read(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("obstore", reason="obstore, which reads the stores, is not installed")
    with moto_server() as (host, port):
        use_s3_at(monkeypatch, f"http://{host}:{port}")
        client = pytest.importorskip("boto3").client("s3")
        client.create_bucket(Bucket="photos")
        for key in ("2026/b.jpg", "2026/a.jpg", "2026/a.txt", "2025/c.jpg"):
            client.put_object(Bucket="photos", Key=key, Body=(PHOTOS / "china.jpg").read_bytes())
        result = run("s3://photos/2026", "--out", out)
        nowhere = run("s3://no-such-bucket", "--out", out.with_name("none.jsonl"))
    assert result.exit_code == 0, result.stderr
    assert [row["source"] for row in rows(out)] == ["s3://photos/2026/a.jpg", "s3://photos/2026/b.jpg"]
    assert rows(out)[0]["predictions"][0]["label"] == "dog"
    assert (nowhere.exit_code, "source-error: The store could not list" in nowhere.stderr) == (2, True)


def test_a_second_time_nothing_is_done_unless_begun_anew(out: Path) -> None:
    run(PHOTOS, "--out", out)
    before = out.stat().st_mtime_ns
    result = run(PHOTOS, "--out", out)
    assert result.exit_code == 0
    assert result.stderr == f"{out} is done already: 6 rows, no problems. Begin anew with --restart.\n"
    assert out.stat().st_mtime_ns == before
    assert run(PHOTOS, "--out", out, "--restart").exit_code == 0
    assert out.stat().st_mtime_ns != before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["none.txt", "--out", "a.jsonl"], "batch: There is no 'none.txt': SOURCE is a text"),
        ([".", "--out", "a.txt"], "batch: --out 'a.txt' says no format"),
        ([".", "--out", "none/a.csv"], "there is no folder 'none'"),
        ([".", "--out", "a.jsonl", "--top-k", "0"], "invalid-request: top_k is 0, which is not accepted"),
        ([".", "--out", "a.jsonl", "--engine", "abacus"], "misconfigured: engine is 'abacus'"),
        ([".", "--out", "a.jsonl", "--workers", "0"], "Invalid value for '--workers'"),
        ([".", "--out", "a.jsonl", "--column", "x"], "batch: --column is for a .csv or .parquet file"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(batch, arguments)
    assert (result.exit_code, told in result.stderr) == (2, True), result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_result_file_of_another_run_is_refused(out: Path) -> None:
    run(PHOTOS, "--out", out)
    result = run(PHOTOS, "--out", out, "--top-k", "1")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"batch: {out} was made with top_k 5, and now it is 1: give the same")


def test_a_model_that_cannot_be_used_ends_with_3(out: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(batch, [str(PHOTOS), "--out", str(out), "--model", str(tmp_path / "none")])
    assert result.exit_code == 3
    assert result.stderr.startswith("model-unavailable: ")


def started(out: Path, source: Path, **more: Any) -> "subprocess.Popen[bytes]":
    words = [*WORDS, str(source), "--out", str(out), "--files", "--workers", "2", *MODEL]
    return subprocess.Popen(words, stderr=subprocess.PIPE, start_new_session=True, **more)


def rows_there(out: Path, number: int) -> bytes:
    part, end = out.with_name(out.name + ".part"), time.monotonic() + 60
    while time.monotonic() < end:
        if part.exists() and (found := part.read_bytes()).count(b"\n") >= number:
            return found
        time.sleep(0.02)
    raise AssertionError(f"no {number} rows within a minute")


def many(folder: Path, number: int) -> Path:
    (folder / "list.txt").write_text(f"{PHOTOS / 'china.jpg'}\n" * number)
    return folder / "list.txt"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_what_is_done_and_the_same_command_goes_on(
    out: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    source = many(tmp_path, 2000)
    with started(out, source) as process:
        rows_there(out, 1)
        os.killpg(process.pid, number)  # as a terminal does: the workers get it, too
        _, told = process.communicate(timeout=60)
    assert process.returncode == code, told
    kept = out.with_name("results.jsonl.part").read_bytes()
    assert kept.endswith(b"}\n")
    assert b"rows are kept, and the same command goes on." in told
    assert b"Traceback" not in told
    source.write_text(f"{PHOTOS / 'china.jpg'}\n" * kept.count(b"\n"))  # the rest takes a while
    assert run(source, "--files", "--out", out, "--json").exit_code == 0
    assert [row["index"] for row in rows(out)] == list(range(kept.count(b"\n")))


def test_a_kill_loses_nothing_and_leaves_no_process(out: Path, tmp_path: Path) -> None:
    source = many(tmp_path, 400)
    with started(out, source) as process:
        before = rows_there(out, 1)
        workers = [
            int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        ]
        process.kill()
        process.communicate(timeout=60)
    assert len(workers) == 2
    end = time.monotonic() + 20
    while any(_runs(pid) for pid in workers):
        assert time.monotonic() < end
        time.sleep(0.05)
    result = run(source, "--files", "--out", out, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["kept"] >= before.count(b"\n")
    assert [row["index"] for row in rows(out)] == list(range(400))
    assert out.read_bytes().startswith(before[: before.rindex(b"\n")])


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_two_at_once_are_refused(out: Path, tmp_path: Path) -> None:
    source = many(tmp_path, 2000)
    with started(out, source) as process:
        rows_there(out, 1)
        result = run(source, "--files", "--out", out)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    assert result.exit_code == 2
    assert result.stderr == f"batch: Another batch is writing {out}.part.\n"


def test_a_bar_is_shown_on_a_terminal(out: Path) -> None:
    leader, follower = pty.openpty()
    words = [*WORDS, str(PHOTOS), "--out", str(out), "--workers", "1", *MODEL]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(words, stderr=follower, env=environment) as process:
        os.close(follower)
        shown = b""
        try:
            while more := os.read(leader, 65536):
                shown += more
        except OSError:  # Linux's word for its end
            pass
    os.close(leader)
    assert process.returncode == 0
    assert b"/6" in shown
    assert b"6 rows, no problems" in shown
