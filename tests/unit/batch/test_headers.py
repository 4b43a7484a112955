"""What an endpoint wants of its callers, read without ever being repeated."""

import pytest

from mlserverless.batch.headers import headers_of
from mlserverless.errors import ConfigError


def test_headers_are_read_from_words_and_from_the_environment() -> None:
    given = ("Authorization: Bearer a:b", "X-Empty-Ends:  v  ")
    found = headers_of(given, ("x-functions-key=KEY",), {"KEY": "k"})
    assert found == {"Authorization": "Bearer a:b", "X-Empty-Ends": "v", "x-functions-key": "k"}


@pytest.mark.parametrize(
    ("given", "named", "told"),
    [
        (("secret",), (), "--header is written NAME: VALUE"),
        ((), ("secret",), "--header-env is written NAME=VARIABLE"),
        ((), ("name=",), "--header-env is written NAME=VARIABLE"),
        ((), ("name=MISSING",), "the variable MISSING is not set"),
        ((": secret",), (), "A header's name has letters"),
        (("a b: secret",), (), "A header's name has letters"),
        (("Host: secret",), (), "none that is sent anyway"),
        (("name: sec\r\nret",), (), "The value of the header name has a letter"),
        (("name: secretä",), (), "The value of the header name has a letter"),
        ((), ("name=BAD",), "The value of the header name has a letter"),
    ],
)
def test_what_is_no_header_is_refused_without_its_value(
    given: tuple[str, ...], named: tuple[str, ...], told: str
) -> None:
    with pytest.raises(ConfigError, match=told) as raised:
        headers_of(given, named, {"BAD": "secret\0"})
    assert "secret" not in str(raised.value)
    assert "sec" not in str(raised.value)
