"""The function's log as a sink: one line that a log can be searched by, without secrets."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from helpers.services import PREDICTION, WIRE
from mlserverless.deadline import Deadline
from mlserverless.errors import MlserverlessError, SourceTimeout
from mlserverless.serving import answer_each, problem
from mlserverless.sinks.log import LogSink, print_line
from mlserverless.sinks.records import ModelId, record
from mlserverless.types import Outcome, Prediction, Request

PRESIGNED = "https://user:pw@b.s3.amazonaws.com/cat.jpg?X-Amz-Credential=AKIA&X-Amz-Signature=0123#frag"


def put(outcome: Outcome) -> str:
    """Return the line that is written of ``outcome``."""
    lines: list[str] = []
    LogSink(lines.append).put("k", record(outcome, ModelId(), "k"), Deadline())
    (line,) = lines
    return line


def test_a_record_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    LogSink().put("k", record(Outcome(None, "id-1", "s3://b/é.jpg", PREDICTION), ModelId(), "k"), Deadline())
    out = capsys.readouterr().out
    assert out.endswith("}\n")
    assert out.count("\n") == 1
    kept = json.loads(out)
    assert (kept["key"], kept["source"], kept["request_id"]) == ("k", "s3://b/é.jpg", "id-1")
    assert kept["predictions"] == WIRE["predictions"]
    assert "é" in out, "readable as it is"
    assert ": " not in out


def test_a_line_is_written_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Members of a batch write from several threads, and each line must be whole."""
    calls: list[str] = []
    stream = SimpleNamespace(write=calls.append, flush=lambda: calls.append("flush"))
    monkeypatch.setattr(sys, "stdout", stream)
    print_line('{"key":"k"}')
    assert calls == ['{"key":"k"}\n', "flush"]


def test_lines_of_many_threads_are_whole(tmp_path: Path) -> None:
    code = """
import json, sys, threading
from mlserverless.sinks.log import print_line
texts = [json.dumps({"n": n, "x": "y" * 500}) for n in range(1600)]
threads = [threading.Thread(target=lambda at=at: [print_line(text) for text in texts[at::16]]) for at in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert sorted(json.loads(line)["n"] for line in done.stdout.splitlines()) == list(range(1600))


def test_a_problems_text_does_not_break_the_line() -> None:
    line = put(Outcome(None, "id-2", "s3://b/1", problem(SourceTimeout("It took\ntoo long."), "id-2")))
    assert "\n" not in line
    assert json.loads(line)["problem"]["detail"] == "It took\ntoo long."


@pytest.mark.parametrize("error", [None, SourceTimeout("It took too long.")])
def test_a_presigned_url_is_recorded_without_its_signature(error: MlserverlessError | None) -> None:
    """It is a password for as long as it lasts."""

    def predict(request: Request, deadline: Deadline) -> Prediction:
        assert request.url == PRESIGNED, "the stages see all of it"
        if error:
            raise error
        return PREDICTION

    (outcome,) = answer_each([("i", PRESIGNED)], lambda url: Request(url=url), predict, Deadline())
    line = put(outcome)
    assert json.loads(line)["source"] == "https://b.s3.amazonaws.com/cat.jpg"
    for secret in ("X-Amz", "AKIA", "0123#", "pw", "frag"):
        assert secret not in line


def test_image_bytes_have_no_source_and_are_not_recorded() -> None:
    (outcome,) = answer_each(
        [("i", b"pixels")], lambda data: Request(image=data), lambda *_: PREDICTION, Deadline()
    )
    line = put(outcome)
    assert json.loads(line)["source"] == ""
    assert "pixels" not in line


def test_half_a_surrogate_pair_is_written_as_an_escape() -> None:
    """UTF-8 has no form for it, so that printing it would fail the whole event."""
    line = put(Outcome(None, "i", "s3://b/\ud800.jpg", PREDICTION))
    assert line.encode()
    assert json.loads(line)["source"] == "s3://b/\ud800.jpg"


def test_a_log_keeps_no_work_and_is_not_read() -> None:
    """So that what fails is handed back, and what is recorded twice is written twice."""
    lines: list[str] = []
    sink = LogSink(lines.append)
    for _ in range(2):
        sink.put("k", {"key": "k"}, Deadline())
    assert lines == ['{"key":"k"}'] * 2
    assert not sink.keeps
    assert not sink.has("k", Deadline())
    assert not sink.owns("log:")
