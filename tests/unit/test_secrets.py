"""What a caller sends stays with the caller: no answer, error or trace repeats the secret part of a URL."""

import json
import traceback

import pytest

from helpers.harness.aws import Context
from helpers.services import FakeService
from helpers.web import JSON, ask
from mlserverless.adapters.aws import make_handler
from mlserverless.errors import InternalError, InvalidRequest, MlserverlessError
from mlserverless.sinks.log import trace

SECRET = "c4n4ry"
SIGNED = f"https://x.example/y.jpg?X-Amz-Date=1&X-Amz-Signature={SECRET}"


@pytest.mark.parametrize(
    "query",
    [
        f"url={SIGNED}",
        f"url=https://x.example/y?a=1&{SECRET}",
        f"url=https://x.example/y&{SECRET}=1&{SECRET}=2&url=z",
        f"https://x.example/y?sig={SECRET}",
        f"url=https://x.example/y&https://z/?sig%3D{SECRET}=1",
    ],
)
def test_a_url_that_came_unquoted_is_not_repeated(query: str) -> None:
    answer = ask(FakeService(), "GET", "/predict", query)
    assert answer.status == 400
    assert SECRET not in answer.body.decode().replace(f"'{SECRET}'", "a name of one word, which no secret is")


@pytest.mark.parametrize(
    "given",
    [
        {"url": [SIGNED]},
        {"url": {"href": SIGNED}},
        {"urls": SIGNED},
        {"urls": [[SIGNED]]},
        {SIGNED: 1, "url": "https://x.example/y"},
        {"url": SIGNED, "urls": [SIGNED]},
        {"url": "https://x.example/y", "link": SIGNED},
    ],
)
def test_a_url_in_the_wrong_place_is_not_repeated(given: object) -> None:
    answer = ask(FakeService(), "POST", "/predict", "", JSON, json.dumps(given).encode())
    assert SECRET not in answer.body.decode()


def test_the_name_of_a_forms_field_is_not_repeated() -> None:
    part = f'--x\r\nContent-Disposition: form-data; name="{SIGNED}"\r\n\r\n1\r\n'
    file = '--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nimage\r\n--x--\r\n'
    kind = {"content-type": "multipart/form-data; boundary=x"}
    answer = ask(FakeService(), "POST", "/predict", "", kind, (part + file).encode())
    assert b"One of the names given is not an option" in answer.body
    assert SECRET not in answer.body.decode()


PATHS = [f"/Bearer {SECRET}", f"/get?sig={SECRET}", f"/https://u:{SECRET}@h/y", f"/x#{SECRET}", f"/a&b={SECRET}"]


@pytest.mark.parametrize("path", PATHS)
def test_a_url_as_the_path_is_not_repeated(path: str) -> None:
    answer = ask(FakeService(), "GET", path)
    assert answer.status == 404
    assert SECRET not in answer.body.decode()


def direct(answer: object, given: dict[str, object]) -> Exception:
    """Return what a direct invoke raises, which Lambda logs and answers."""
    with pytest.raises(MlserverlessError) as caught:
        make_handler(FakeService(answer))(given, Context())
    return caught.value


def chained(error: Exception) -> Exception:
    try:
        raise ValueError(SIGNED)
    except ValueError as cause:
        error.__cause__ = cause
    return error


def test_a_direct_invoke_raises_our_own_errors_without_their_causes() -> None:
    error = direct(chained(InvalidRequest("It is not one.")), {"url": SIGNED})
    assert str(error) == "It is not one."
    assert SECRET not in "".join(traceback.format_exception(error))


def test_a_direct_invoke_raises_no_error_that_is_not_ours(caplog: pytest.LogCaptureFixture) -> None:
    error = direct(chained(RuntimeError(f"{SIGNED} is what failed")), {"url": SIGNED})
    assert isinstance(error, InternalError)
    assert SECRET not in "".join(traceback.format_exception(error))
    assert "request c6af9ac6-7b61-11e6-9a41-93e8deadbeef failed" in caplog.text, "its trace is in the log"


def test_a_direct_invoke_with_a_wrong_option_has_no_cause() -> None:
    error = direct(None, {"url": "https://x.example/", "top_k": "http://u@h/" + 60 * "x" + SECRET})
    assert SECRET not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    "text",
    [
        SIGNED,
        f"cannot read {SIGNED!r} now",
        f"bad query field: 'X-Goog-Signature={SECRET}'",
        f"netloc 'u:{SECRET}@ho\u2100st' is http://u:{SECRET}@ho\u2100st/",
        f"https://u:{SECRET}/@host/",
        f"https://x.example/#access_token={SECRET}",
        f"url=https%3A%2F%2Fx%3Fsig%3D{SECRET}",
        f"opaque:{SECRET}",
        f"{{'AccountKey={SECRET}', 'sig={SECRET}'}}",
    ],
)
def test_a_trace_has_the_frames_and_no_secrets(text: str) -> None:
    try:
        try:
            raise KeyError(text)
        except KeyError as cause:
            raise RuntimeError(text) from cause
    except RuntimeError as error:
        told = trace(error, f"opaque:{SECRET}")
    assert "in test_a_trace_has_the_frames_and_no_secrets" in told
    assert "The above exception was the direct cause" in told
    assert SECRET not in told


def test_a_trace_keeps_what_is_no_secret() -> None:
    told = trace(ValueError("3 of 5 tensors, is 'x' != 'y': #3? no"))
    assert told == "ValueError: 3 of 5 tensors, is 'x' != 'y': #3? no\n"
