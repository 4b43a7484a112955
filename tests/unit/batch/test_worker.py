"""The worker as a process: what it says first, what it answers, when it ends."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers import origin
from mlserverless import Predictor

PHOTO = Path(__file__).parents[3] / "examples" / "photos" / "china.jpg"
WORDS = [sys.executable, "-W", "error", "-P", "-m", "mlserverless.batch.worker"]
SETTINGS = {"model": "dogs-vs-cats", "allow_private_addresses": True}


class Worker:
    """The process, with what it has said first."""

    def __init__(self, settings: dict[str, Any], options: dict[str, Any]) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(WORDS, stdin=pipe, stdout=pipe, stderr=pipe)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._in, self._out = self.process.stdin, self.process.stdout
        self._in.write(json.dumps({"settings": settings, "options": options, "downloads": 2}).encode() + b"\n")
        self._in.flush()
        self.said = json.loads(self._out.readline())

    def ask(self, *items: tuple[int, str, bool]) -> dict[int, tuple[int, dict[str, Any]]]:
        self._in.write(b"".join(json.dumps(item).encode() + b"\n" for item in items))
        self._in.flush()
        found = {}
        for _ in items:
            index, asked, text = self._out.readline().split(b" ", 2)
            found[int(index)] = int(asked), json.loads(text)
        return found

    def end(self) -> tuple[int, bytes]:
        _, told = self.process.communicate(timeout=30)
        return self.process.returncode, told


@pytest.fixture
def worker() -> Iterator[Worker]:
    started = Worker(SETTINGS, {"top_k": 1})
    yield started
    started.process.kill()
    started.process.communicate()


def test_it_says_which_model_answers_and_with_what(worker: Worker) -> None:
    assert worker.said["model"] == "dogs-vs-cats"
    assert worker.said["sha256"] == Predictor("dogs-vs-cats").load().model.sha256
    assert worker.said["chosen"]["top_k"] == 1
    assert worker.said["chosen"]["formats"] == ["jpeg", "png", "webp"]


def test_it_answers_urls_and_files_and_tells_problems(worker: Worker) -> None:
    busy = origin.response(status="503 Busy", Retry_After="7")
    with origin.serving({"/a.jpg": origin.response(PHOTO.read_bytes()), "/busy.jpg": busy}) as running:
        found = worker.ask(
            (5, str(PHOTO), True),
            (6, running.url("/a.jpg"), False),
            (7, running.url("/busy.jpg"), False),
            (8, str(PHOTO), False),
        )
    expected = Predictor("dogs-vs-cats").predict(PHOTO, top_k=1).to_dict()
    assert found[5] == found[6] == (0, expected)
    asked, problem = found[7]
    assert (asked, problem["code"], problem["retryable"], problem["instance"]) == (7, "source-error", True, "7")
    assert found[8][1]["code"] == "invalid-request"


def test_it_ends_with_its_input_and_not_by_what_a_terminal_sends(worker: Worker) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        worker.process.send_signal(number)
    assert worker.ask((0, str(PHOTO), True))[0][0] == 0
    assert worker.end() == (0, b"")


def test_a_fault_of_ours_is_a_problem_and_its_trace_is_logged(worker: Worker) -> None:
    asked = worker.ask((0, "a\0b", True))
    assert asked[0][1]["code"] == "internal"
    code, told = worker.end()
    assert code == 0
    assert b"request 0 failed" in told


def test_a_model_that_cannot_be_used_is_said_instead(tmp_path: Path) -> None:
    started = Worker({"model": str(tmp_path)}, {})
    assert started.said["code"] == "model-unavailable"
    assert started.end()[0] == 0


def test_it_ends_though_an_origin_never_answers() -> None:
    started = Worker({**SETTINGS, "download_timeout": 60}, {})
    with origin.serving({"/a.jpg": origin.ended, "/b.jpg": origin.response(PHOTO.read_bytes())}) as running:
        started.process.stdin.write(json.dumps([0, running.url("/a.jpg"), False]).encode() + b"\n")  # type: ignore[union-attr]
        assert started.ask((1, running.url("/b.jpg"), False))[1][0] == 0
        assert started.end() == (0, b"")
