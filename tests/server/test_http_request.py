"""A head is read as gunicorn reads it, whether its lines were seen before or not."""

from collections.abc import Iterator
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import ParseException
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from hypothesis import example, given
from hypothesis import strategies as st

from llm_api.server import http_request
from llm_api.server.http_request import KnownRequest

NAMES = ["Host", "host", "X-A", "x-b", "X_C", "Content-Length", "Expect", "Accept", "", "a b", "é"]
LONG = "X-Long: " + "v" * 9_000
LINES = st.one_of(
    st.builds("{}:{}".format, st.sampled_from(NAMES), st.text(max_size=6)),
    st.builds("{}: {}".format, st.sampled_from(NAMES), st.sampled_from(["0", "x", "", " y\t"])),
    st.sampled_from(
        [" folded", "\tfolded", "no colon", ":", "Expect: 100-continue", "X-Long: " + "v" * 9_000]
    ),
)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    http_request._field.cache_clear()
    yield
    http_request._field.cache_clear()


def outcome(kind: type[Request], head: bytes, **settings: Any) -> object:
    """Return what is read of a head, or the kind of the error."""
    config = Config()
    for name, value in settings.items():
        config.set(name, value)
    try:
        request = kind(config, IterUnreader(iter([head])), ("192.0.2.1", 1))
    except ParseException as error:
        return type(error)
    return request.headers, request.scheme, request._expected_100_continue, request.should_close()


def head_of(lines: list[str]) -> bytes:
    """Return a head with these lines."""
    text = "".join(f"{line}\r\n" for line in ["POST / HTTP/1.1", *lines, ""])
    return text.encode("latin-1", "replace")


@given(st.lists(LINES, max_size=6))
@example(["Host: a", "Host: b"])
@example(["X-A: 1", "X-A: 2"])
@example(["X-A:", "Accept: */*"])
def test_every_head_is_read_as_gunicorn_does(lines: list[str]) -> None:
    head = head_of(lines)
    expected = outcome(Request, head)

    assert outcome(KnownRequest, head) == expected
    assert outcome(KnownRequest, head) == expected  # now its lines are known


@pytest.mark.parametrize(
    "settings",
    [
        {"limit_request_fields": 2},
        {"limit_request_field_size": 12},
        {"header_map": "refuse"},
        {"strip_header_spaces": True},
        {"secure_scheme_headers": {"X-A": "1"}, "forwarded_allow_ips": "*"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "lines",
    [["X-A: 1", "X_B: 2"], ["X-A: 1", "X-B: 2", "X-C: 3"], ["X-A : 1"], ["X-Name: 1234"]],
    ids=str,
)
def test_settings_of_gunicorn_hold(settings: dict[str, Any], lines: list[str]) -> None:
    head = head_of(lines)
    outcome(KnownRequest, head)

    assert outcome(KnownRequest, head, **settings) == outcome(Request, head, **settings)


def test_lines_are_checked_once() -> None:
    head = head_of(["Host: a", "Accept: */*", "X-Stainless-Lang: python"])
    outcome(KnownRequest, head)
    hits = http_request._field.cache_info().hits

    outcome(KnownRequest, head)

    assert http_request._field.cache_info().hits == hits + 3


@pytest.mark.parametrize(
    "line",
    [
        "Authorization: Bearer s",
        "cookie: s",
        "X-Api-Key: s",
        "Proxy-Authorization: s",
        "X-L: " + 200 * "v",
    ],
)
def test_what_is_secret_or_long_is_not_kept(line: str) -> None:
    outcome(KnownRequest, head_of([line]))

    assert http_request._field.cache_info().currsize == 0
