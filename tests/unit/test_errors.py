"""The hierarchy of errors: what each says to HTTP and to the events' platforms, and that its drawing is true."""

import ast
import inspect
import re

import pytest

from mlserverless import errors
from mlserverless.errors import MlserverlessError

CLASSES = [
    value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, MlserverlessError)
]
# code, status, parent, retryable
EXPECTED = {
    "ConfigError": ("misconfigured", 500, "MlserverlessError", False),
    "InvalidRequest": ("invalid-request", 400, "MlserverlessError", False),
    "NotFound": ("not-found", 404, "InvalidRequest", False),
    "MethodNotAllowed": ("method-not-allowed", 405, "InvalidRequest", False),
    "NotAcceptable": ("not-acceptable", 406, "InvalidRequest", False),
    "SourceError": ("source-error", 502, "MlserverlessError", True),
    "SourceBlocked": ("source-blocked", 403, "SourceError", False),
    "SourceNotFound": ("source-not-found", 404, "SourceError", False),
    "SourceTimeout": ("source-timeout", 504, "SourceError", True),
    "ImageTooLarge": ("image-too-large", 413, "ImageError", False),
    "UnsupportedMediaType": ("unsupported-media-type", 415, "ImageError", False),
    "UndecodableImage": ("undecodable-image", 422, "ImageError", False),
    "ModelUnavailable": ("model-unavailable", 503, "MlserverlessError", False),
    "Overloaded": ("overloaded", 503, "MlserverlessError", True),
    "DeadlineExceeded": ("deadline-exceeded", 504, "MlserverlessError", True),
    "SinkError": ("sink-error", 503, "MlserverlessError", True),
    "InternalError": ("internal", 500, "MlserverlessError", True),
}


def make(kind: type[MlserverlessError]) -> MlserverlessError:
    return kind("what is wrong", ("GET",)) if kind is errors.MethodNotAllowed else kind("what is wrong")


@pytest.mark.parametrize("name", EXPECTED)
def test_class_says_what_the_wire_contract_says(name: str) -> None:
    kind = getattr(errors, name)
    code, status, parent, retryable = EXPECTED[name]
    error = make(kind)
    assert (error.code, error.status, kind.__base__.__name__, error.retryable) == (
        code,
        status,
        parent,
        retryable,
    )
    assert str(error) == "what is wrong"


def test_every_class_is_in_the_table_or_only_a_base() -> None:
    assert {kind.__name__ for kind in CLASSES} == set(EXPECTED) | {"MlserverlessError", "ImageError"}


def test_docstring_draws_exactly_these_classes_with_their_codes() -> None:
    drawn = re.findall(r"[├└]── (\w+)(?: +([a-z-]+) +(\d+))?$", errors.__doc__ or "", re.MULTILINE)
    assert {name: (code, int(status)) for name, code, status in drawn if code} == {
        name: (code, status) for name, (code, status, _, _) in EXPECTED.items()
    }
    assert {name for name, code, _ in drawn if not code} == {"ImageError"}


def test_docstring_draws_each_class_under_its_parent() -> None:
    above: dict[int, str] = {0: "MlserverlessError"}
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"    ([│ ]*)[├└]── (\w+)", line):
            depth = len(found[1]) // 4 + 1
            above[depth] = found[2]
            assert getattr(errors, found[2]).__base__.__name__ == above[depth - 1]


def test_codes_are_unique() -> None:
    codes = [code for code, _, _, _ in EXPECTED.values()]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_title_and_docstring_are_sentences(kind: type[MlserverlessError]) -> None:
    assert kind.title
    assert kind.title[0].isupper()
    assert not kind.title.endswith(".")
    assert kind.__doc__


def test_titles_of_different_codes_differ() -> None:
    titles = {getattr(errors, name).title for name in EXPECTED}
    assert len(titles) == len(EXPECTED)


def test_source_error_can_be_permanent_for_one_instance() -> None:
    assert errors.SourceError("x", retryable=False).retryable is False
    assert errors.SourceError("x").retryable is True
    assert errors.SourceTimeout("x").retryable is True


def test_method_not_allowed_names_the_methods() -> None:
    """HEAD wherever GET is, and OPTIONS everywhere, which no route lists."""
    assert errors.MethodNotAllowed("x", ("GET", "POST")).allow == ("GET", "POST", "HEAD", "OPTIONS")
    assert errors.MethodNotAllowed("x", ("POST",)).allow == ("POST", "OPTIONS")


def test_overloaded_says_when_to_come_back() -> None:
    assert errors.Overloaded("x").retry_after >= 1


def test_module_imports_nothing() -> None:
    tree = ast.parse(inspect.getsource(errors))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
