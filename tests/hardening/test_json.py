"""A1 to A12: bodies that are no JSON, no object, or JSON that no parser should be given."""

import gzip

import pytest

from tests.faults.gateway import Gateway
from tests.hardening.sending import (
    BODY_ROUTES,
    CLOSE,
    HOST,
    invalid,
    posted,
    refusal_of,
    sampled,
)
from tests.support.raw import request_bytes
from tests.web.refusals import CHAT, COMPLETIONS, EMBEDDINGS, TEXT, body_text

on_every_route = pytest.mark.parametrize("path", sampled(BODY_ROUTES, CHAT, COMPLETIONS))
NOT_FINITE = ("NaN", "Infinity", "-Infinity", "1e999", "-1e999")
TOO_LARGE = (2**31, 2**63, 10**30)


@on_every_route
@pytest.mark.parametrize("body", sampled([b"{bad", b"{} {}", b"\xff\xfe{}"]))
def test_a1_no_json(gateway: Gateway, path: str, body: bytes) -> None:
    assert refusal_of(gateway, path, posted(path, body)).verdict == invalid("json_invalid")


@on_every_route
@pytest.mark.parametrize("body", sampled([b"", b" \r\n\t"]), ids=["nothing", "white space"])
def test_a2_empty(gateway: Gateway, path: str, body: bytes) -> None:
    assert refusal_of(gateway, path, posted(path, body)).verdict == invalid("json_invalid")


@on_every_route
@pytest.mark.parametrize("body", sampled([b"null", b"[]", b'"x"', b"1"]))
def test_a3_no_object(gateway: Gateway, path: str, body: bytes) -> None:
    assert refusal_of(gateway, path, posted(path, body)).verdict == invalid("not_an_object")


@on_every_route
@pytest.mark.parametrize(
    "media_type",
    sampled(
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
    ),
)
def test_a4_other_media_type(gateway: Gateway, path: str, media_type: str) -> None:
    payload = posted(path, body_text(path), media_type=("Content-Type", media_type))

    verdict = refusal_of(gateway, path, payload).verdict

    assert verdict == invalid("unsupported_media_type", 415)


@on_every_route
def test_a4_no_media_type(gateway: Gateway, path: str) -> None:
    body = body_text(path)
    headers = [HOST, CLOSE, ("Content-Length", str(len(body)))]

    verdict = refusal_of(gateway, path, request_bytes("POST", path, headers, body)).verdict

    assert verdict == invalid("unsupported_media_type", 415)


@on_every_route
@pytest.mark.parametrize("encoding", sampled(["gzip", "br", "gzip, gzip"]))
def test_a5_compressed(gateway: Gateway, path: str, encoding: str) -> None:
    payload = posted(path, gzip.compress(body_text(path)), ("Content-Encoding", encoding))

    assert refusal_of(gateway, path, payload).verdict == invalid("content_encoding", 415)


@on_every_route
@pytest.mark.parametrize("literal", sampled([*NOT_FINITE, '[{"b": [-1e999]}]']))
def test_a7_not_finite(gateway: Gateway, path: str, literal: str) -> None:
    body = body_text(path, temperature=literal)

    refusal = refusal_of(gateway, path, posted(path, body))

    assert refusal.verdict == invalid("number_not_finite")
    assert refusal.fields[0].startswith("temperature")


@pytest.mark.parametrize(
    ("path", "field", "literal"),
    sampled(
        [
            (COMPLETIONS, "logit_bias", '{"1": NaN}'),
            (COMPLETIONS, "tools", '[{"function": {"parameters": {"x": -Infinity}}}]'),
            (COMPLETIONS, "metadata", '{"x": 1e999}'),
            (TEXT, "logit_bias", '{"1": Infinity}'),
            (EMBEDDINGS, "nobodys", '{"1": [-1e999]}'),
        ]
    ),
)
def test_a7_not_finite_in_what_is_passed_through(
    gateway: Gateway, path: str, field: str, literal: str
) -> None:
    body = body_text(path, **{field: literal})

    verdict = refusal_of(gateway, path, posted(path, body)).verdict

    assert verdict == invalid("number_not_finite")


@on_every_route
@pytest.mark.parametrize(
    ("field", "digits"),
    sampled([("seed", "9" * 5_000), ("seed", "-" + "9" * 5_000), ("x", "9" * 20)]),
)
def test_a8_number_too_long(gateway: Gateway, path: str, field: str, digits: str) -> None:
    refusal = refusal_of(gateway, path, posted(path, body_text(path, **{field: digits})))

    assert refusal.verdict == invalid("number_too_long")
    assert refusal.fields == (field,)


@pytest.mark.parametrize(
    ("path", "field", "number"),
    sampled(
        [
            *(
                (path, "max_tokens", n)
                for path in (CHAT, COMPLETIONS, TEXT)
                for n in (*TOO_LARGE, -1, 0)
            ),
            *((path, "n", n) for path in (COMPLETIONS, TEXT) for n in (*TOO_LARGE, -1, 0)),
            # Vendors and image tools have seeds of 64 bits.
            *((path, "seed", n) for path in (COMPLETIONS, TEXT) for n in (10**30, 2**64)),
            *((EMBEDDINGS, "dimensions", n) for n in (*TOO_LARGE, -1, 0)),
        ],
        (CHAT, "max_tokens", 2**31),
        (COMPLETIONS, "n", 2**63),
    ),
)
def test_a9_integer_out_of_range(gateway: Gateway, path: str, field: str, number: int) -> None:
    refusal = refusal_of(gateway, path, posted(path, body_text(path, **{field: str(number)})))

    assert (refusal.status, refusal.code) == (400, "VALIDATION_ERROR")
    assert refusal.reason in {"out_of_range", "number_too_long"}
    assert refusal.fields == (field,)


def nested(levels: int, opening: str, closing: str) -> bytes:
    """Nest values so many levels deep, the body itself counted; `closing` may be missing."""
    inner = levels - 1
    return f'{{"x":{opening * inner}{f"1{closing * inner}}}" if closing else ""}'.encode()


TOO_DEEP = {
    "33": nested(33, '{"a":', "}"),
    "990": nested(990, "[", "]"),
    "100,000": nested(100_000, "[", "]"),
    "100,000 objects": nested(100_000, '{"a":', "}"),
    "100,000 unclosed": nested(100_000, "[", ""),
    "100,000 objects unclosed": nested(100_000, '{"a":', ""),
}


@on_every_route
@pytest.mark.parametrize("body", sampled(TOO_DEEP.values()), ids=TOO_DEEP)
def test_a10_too_deep(gateway: Gateway, path: str, body: bytes) -> None:
    assert refusal_of(gateway, path, posted(path, body)).verdict == invalid("too_deep")


@on_every_route
@pytest.mark.parametrize(
    "pair",
    sampled(['"model": "m", "model": "m"', '"model": "m", "model": "other"', '"a": 1, "a": 1']),
)
def test_a11_duplicate_key(gateway: Gateway, path: str, pair: str) -> None:
    body = body_text(path, model="0").replace(b'"model": 0', pair.encode())

    verdict = refusal_of(gateway, path, posted(path, body)).verdict

    assert verdict == invalid("duplicate_key")


@on_every_route
@pytest.mark.parametrize(
    ("field", "text"),
    sampled(
        [
            ("prompt", r"\ud800"),
            ("input", r"\udc00\ud800"),
            ("model", r"a\udfff"),
            ("user", r"\ud800\n"),
            ("x", r"\udbff\\udc00"),
        ]
    ),
)
def test_a12_half_a_character(gateway: Gateway, path: str, field: str, text: str) -> None:
    refusal = refusal_of(gateway, path, posted(path, body_text(path, **{field: f'"{text}"'})))

    assert refusal.verdict == invalid("invalid_unicode")
    assert refusal.fields == (field,)


@on_every_route
def test_a12_half_a_character_in_a_key(gateway: Gateway, path: str) -> None:
    refusal = refusal_of(gateway, path, posted(path, body_text(path, x=r'[{"\ud800": 1}]')))

    assert refusal.verdict == invalid("invalid_unicode")
