"""A first request: the model is loaded while its image is on the way. Events order it; nothing is timed."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.fakes import FakeEngine, fake_engine, folder
from helpers.images import encode, png_header, rows
from helpers.origin import Origin, Reply, response, serving
from mlserverless import engines, formats, predictor
from mlserverless.deadline import Deadline
from mlserverless.engines import Engine
from mlserverless.errors import (
    DeadlineExceeded,
    InvalidRequest,
    MlserverlessError,
    ModelUnavailable,
    SourceNotFound,
    UndecodableImage,
)
from mlserverless.overlap import Aside
from mlserverless.predictor import Predictor
from mlserverless.types import Request, Score

PNG = encode(rows([(1, 2, 3), (4, 5, 6)], [(7, 8, 9), (10, 11, 12)]))
BEST = (Score("dog", 1, 0.5), Score("cat", 0, 0.25), Score("owl", 2, 0.125))
URL = "https://h.example/a.png"
GREY, PICTURE = bytes(12), bytes(range(1, 13))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    return fake_engine(monkeypatch)


@pytest.fixture
def cold(tmp_path: Path, engine: FakeEngine) -> Predictor:
    """Return a predictor that has loaded nothing, with a fake engine."""
    return Predictor(folder(tmp_path / "mine"), allow_private_addresses=True)


def on_load(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Call ``do`` when a model is about to be loaded."""
    select = engines.select

    def selected(*given: Any) -> Engine:
        do()
        return select(*given)

    monkeypatch.setattr(engines, "select", selected)


def on_download(monkeypatch: pytest.MonkeyPatch, do: Callable[[], bytes]) -> None:
    """Let the download be ``do``, once the wait for the origin has begun."""

    def download(
        url: str, settings: Any, deadline: Deadline, version: str, pin: str, meanwhile: Any, trace: str
    ) -> bytes:
        if meanwhile:
            meanwhile()
        return do()

    monkeypatch.setattr(predictor, "download", download)


def raising(error: Exception) -> Any:
    raise error


class Asides:
    """What is begun aside from now on; ``begun`` tells of the first, and :meth:`then` waits for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls, self.begun = list[Any](), threading.Event()

        def aside(call: Callable[[], Any]) -> Aside[Any]:
            self.calls.append(call)
            self.begun.set()
            return Aside(call)

        monkeypatch.setattr(predictor, "Aside", aside)

    def then(self, answer: bytes) -> Reply:
        """Send ``answer`` when there is one: for an answer that comes at once none is begun."""
        return after(self.begun, answer)


def after(event: threading.Event, answer: bytes) -> Reply:
    """Send ``answer`` after ``event``, or nothing."""

    def reply(_: Origin, connection: Any) -> None:
        if event.wait(10):
            connection.sendall(answer)

    return reply


def test_model_is_loaded_after_the_request_was_sent_and_before_the_answer_comes(
    cold: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived, loading, order = threading.Event(), threading.Event(), list[str]()

    def load() -> None:
        assert arrived.wait(10)
        order.append("load")
        loading.set()

    def reply(_: Origin, connection: Any) -> None:
        order.append("request")
        arrived.set()
        if loading.wait(10):
            order.append("answer")
            connection.sendall(response(PNG))

    on_load(monkeypatch, load)
    with serving({"/": reply}) as origin:
        assert cold.predict(origin.url(), timeout=20).predictions == BEST
    assert order == ["request", "load", "answer"]


def test_it_is_begun_once_over_redirects(cold: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    asides = Asides(monkeypatch)
    moved = [asides.then(response(b"", "302 Found", Location=there)) for there in ("/b", "/c")]
    with serving({"/a": moved[0], "/b": moved[1], "/c": response(PNG)}) as origin:
        assert cold.predict(origin.url("/a"), timeout=20).predictions == BEST
        assert origin.paths == ["/a", "/b", "/c"]
    assert len(asides.calls) == 1


def test_it_is_begun_once_however_often_the_origin_is_waited_for(
    cold: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asides = Asides(monkeypatch)

    def download(
        _u: str, _s: Any, _d: Deadline, _v: str, _p: str, meanwhile: Callable[[], None], _t: str
    ) -> bytes:
        for _ in range(3):
            meanwhile()
        return PNG

    monkeypatch.setattr(predictor, "download", download)
    assert cold.predict(URL, timeout=20).predictions == BEST
    assert len(asides.calls) == 1


def test_where_the_origin_is_never_waited_for_the_model_is_loaded_after(
    cold: Predictor, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that comes at once is not worth a thread."""
    asides = Asides(monkeypatch)
    monkeypatch.setattr(predictor, "download", lambda *_: PNG)
    assert cold.predict(URL, timeout=20).predictions == BEST
    assert asides.calls == []
    assert engine.made[0].given == [PICTURE]


def test_second_request_has_nothing_aside(cold: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    asides = Asides(monkeypatch)
    with serving({"/": asides.then(response(PNG))}) as origin:
        for _ in range(3):
            assert cold.predict(origin.url(), timeout=20).predictions == BEST
    assert len(asides.calls) == 1


def test_bytes_are_opened_while_the_model_is_loaded(
    cold: Predictor, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, open_image = threading.Event(), formats.open_image

    def opening(*given: Any, **more: Any) -> Any:
        opened.set()
        return open_image(*given, **more)

    monkeypatch.setattr(formats, "open_image", opening)
    on_load(monkeypatch, lambda: opened.wait(10) or pytest.fail("the image waits for the model"))
    assert cold.predict(PNG, timeout=20).predictions == BEST
    assert engine.asked == ["auto"]


def test_several_first_requests_load_once(
    cold: Predictor, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    together, answers = threading.Barrier(4), []

    def download() -> bytes:
        together.wait(10)  # each has begun to load by now
        return PNG

    on_download(monkeypatch, download)

    def work() -> None:
        answers.append(cold.predict(URL, timeout=20).predictions)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert answers == [BEST] * 4
    assert engine.asked == ["auto"]


# --- the run that nobody asked for ---


def test_model_is_run_once_while_the_image_is_on_its_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = threading.Event()

    def answer(data: bytes) -> bytes:
        if data == GREY:
            ran.set()
        return b"\x40\x80\x20"

    engine = fake_engine(monkeypatch, answer)
    on_download(monkeypatch, lambda: PNG if ran.wait(10) else raising(SourceNotFound("it was not run")))
    assert Predictor(folder(tmp_path / "mine")).predict(URL, timeout=20).predictions == BEST
    assert engine.made[0].given == [GREY, PICTURE]


def test_model_is_not_run_where_the_image_waits_for_it(
    cold: Predictor, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, result = threading.Event(), Aside.result

    def asked(self: Aside[Any], deadline: Deadline, what: str) -> Any:
        waiting.set()
        return result(self, deadline, what)

    monkeypatch.setattr(Aside, "result", asked)
    on_load(monkeypatch, lambda: waiting.wait(10) or pytest.fail("nobody asked for the model"))
    assert cold.predict(PNG, timeout=20).predictions == BEST
    assert engine.made[0].given == [PICTURE]


def test_load_by_itself_runs_nothing(cold: Predictor, engine: FakeEngine) -> None:
    cold.load()
    assert engine.made[0].given == []
    assert cold.load(spare=lambda: True).pool.made == 1
    assert engine.made[0].given == [], "it was loaded before"


def test_load_runs_it_where_there_is_time_to_spare(cold: Predictor, engine: FakeEngine) -> None:
    cold.load(spare=lambda: True)
    assert engine.made[0].given == [GREY]


def test_what_opens_the_likeliest_kind_is_imported_meanwhile(
    tmp_path: Path, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared, ready = list[tuple[str, ...]](), threading.Event()
    monkeypatch.setattr(formats, "prepare", lambda kinds: prepared.append(kinds) or ready.set())
    on_download(monkeypatch, lambda: PNG if ready.wait(10) else raising(SourceNotFound("it was not")))
    Predictor(folder(tmp_path / "mine"), formats=("webp", "png")).predict(URL, timeout=20)
    assert prepared == [("webp",)]


# --- what goes wrong ---


def test_model_that_cannot_be_used_is_told_before_an_image_that_came_to_nothing_first(
    cold: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = threading.Event()

    def download() -> bytes:
        gone.set()
        raise SourceNotFound("There is no image.")

    on_download(monkeypatch, download)
    on_load(monkeypatch, lambda: gone.wait(10) and raising(ModelUnavailable("There is no model.")))
    with pytest.raises(ModelUnavailable, match=r"^There is no model\.$"):
        cold.predict(URL, timeout=20)


def test_model_that_cannot_be_used_is_told_before_an_image_that_comes_to_nothing_later(
    cold: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()

    def load() -> None:
        failed.set()
        raise ModelUnavailable("There is no model.")

    on_load(monkeypatch, load)
    on_download(monkeypatch, lambda: failed.wait(10) and raising(SourceNotFound("There is no image.")))
    with pytest.raises(ModelUnavailable, match=r"^There is no model\.$"):
        cold.predict(URL, timeout=20)


def test_model_that_cannot_be_used_is_told_where_the_image_is_fine(
    cold: Predictor, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [ModelUnavailable("There is no model.")]
    on_load(monkeypatch, lambda: broken and raising(broken[0]))
    on_download(monkeypatch, lambda: PNG)
    for _ in range(2):
        with pytest.raises(ModelUnavailable, match=r"^There is no model\.$"):
            cold.predict(URL, timeout=20)
    broken.clear()
    assert cold.predict(URL, timeout=20).predictions == BEST, "nothing is remembered of it"


@pytest.mark.parametrize("source", [URL, PNG])
def test_model_that_cannot_be_used_is_tried_once_a_request(
    cold: Predictor, monkeypatch: pytest.MonkeyPatch, source: str | bytes
) -> None:
    """It was told already; to read and to hash it again would take as long as the first time."""
    tried: list[int] = []
    on_load(monkeypatch, lambda: tried.append(1) or raising(ModelUnavailable("There is no model.")))
    monkeypatch.setattr(predictor, "download", lambda *_: PNG)  # so that nothing is begun aside
    for count in (1, 2):
        with pytest.raises(ModelUnavailable, match=r"^There is no model\.$"):
            cold.predict(source, timeout=20)
        assert len(tried) == count


@pytest.mark.parametrize("error", [SourceNotFound("There is no image."), UndecodableImage("It is none.")])
def test_images_error_is_told_where_the_model_is_fine(
    cold: Predictor, monkeypatch: pytest.MonkeyPatch, error: MlserverlessError
) -> None:
    on_download(monkeypatch, lambda: raising(error))
    with pytest.raises(type(error)) as caught:
        cold.predict(URL, timeout=20)
    assert caught.value is error
    assert cold.loaded is not None


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (Request(url="no url"), InvalidRequest),
        (Request(image=b"no image"), MlserverlessError),
        (Request(image=png_header(4, 4)), UndecodableImage),
    ],
)
def test_a_wrong_request_is_told_after_a_wrong_model(
    tmp_path: Path, engine: FakeEngine, request_: Request, error: type[Exception]
) -> None:
    """Or who tries a new deployment with a wrong request takes it to be right but for the request."""
    mine = folder(tmp_path / "mine", labels="one label\n")
    with pytest.raises(ModelUnavailable, match="has 1 labels"):
        Predictor(mine).answer(request_, Deadline(20))
    folder(tmp_path / "mine")
    with pytest.raises(error):
        Predictor(mine).answer(request_, Deadline(20))


def test_a_fault_of_ours_is_not_hidden(cold: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    on_download(monkeypatch, lambda: raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        cold.predict(URL, timeout=20)
    cold.load()  # what was begun aside must not reach into another test


def test_time_that_is_over_while_the_model_is_loaded(
    cold: Predictor, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    on_load(monkeypatch, lambda: go_on.wait(10))
    for _ in range(2):
        with pytest.raises(DeadlineExceeded) as caught:
            cold.predict(PNG, timeout=0.05)
        assert str(caught.value) == "The time granted to this request was over before the model was loaded."
    go_on.set()
    assert cold.predict(PNG, timeout=20).predictions == BEST
    assert engine.asked == ["auto"], "what the first request began is what the others wait for"


def test_where_no_thread_is_to_be_had_the_model_is_loaded_after_the_image_came(
    cold: Predictor, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_download(monkeypatch, lambda: PNG if not engine.asked else raising(SourceNotFound("loaded before")))
    monkeypatch.setattr(threading.Thread, "start", lambda _: raising(RuntimeError("can't start new thread")))
    assert cold.predict(URL, timeout=20).predictions == BEST
    assert engine.made[0].given == [PICTURE]
