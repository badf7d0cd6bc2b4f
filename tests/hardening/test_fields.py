"""A14 to A20: JSON whose keys and values are wrong, forbidden, or without end."""

import json
from collections.abc import Mapping

import pytest

from tests.faults.gateway import Gateway
from tests.hardening.sending import (
    BODY_ROUTES,
    answers_to,
    invalid,
    posted,
    refusal_of,
    sampled,
)
from tests.support.upstream import ScriptedUpstream
from tests.web.refusals import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    ENGINE,
    MODEL_ROUTES,
    OPTIMIZE,
    TEXT,
    Refusal,
    good_body,
)

on_every_route = pytest.mark.parametrize("path", sampled(BODY_ROUTES, CHAT, COMPLETIONS))
FORGERY = 'x\r\n{"level": "FORGED"}\n\x1b[31m\u2028'
CONVERSATIONS = (CHAT, COMPLETIONS, ENGINE)
in_conversations = pytest.mark.parametrize("path", sampled(CONVERSATIONS, CHAT, COMPLETIONS))
MESSAGE = {"role": "user", "content": "Hello"}


def refused(gateway: Gateway, path: str, fields: Mapping[str, object]) -> Refusal:
    """Post a good body with these fields, which make it a bad one."""
    return refusal_of(gateway, path, posted(path, json.dumps(good_body(path) | fields).encode()))


@pytest.mark.parametrize("text", sampled(["a\r\nb", "\x1b[31mred", "a\u2028b", FORGERY], FORGERY))
@pytest.mark.parametrize(
    ("path", "field"),
    sampled(
        [
            (CHAT, "model"),
            (OPTIMIZE, "style"),
            *((path, field) for path in MODEL_ROUTES for field in ("model", "user", "metadata")),
        ],
        (CHAT, "model"),
        (COMPLETIONS, "metadata"),
    ),
)
def test_a14_line_breaks(gateway: Gateway, path: str, field: str, text: str) -> None:
    seen = len(gateway.service.log().splitlines())

    refusal = refused(gateway, path, {field: {"label": text} if field == "metadata" else text})

    lines = gateway.service.log().splitlines()[seen:]
    assert refusal.verdict == invalid("out_of_range")
    assert refusal.fields == (field,)
    assert [line for line in lines if not line.startswith('{"time":')] == []
    assert "\x1b" not in "".join(lines)


WRONG_TYPES = [
    *(
        (path, "max_tokens", value)
        for path in (CHAT, COMPLETIONS, TEXT)
        for value in (1.5, "12", True)
    ),
    *((path, "stream", "yes") for path in (CHAT, COMPLETIONS, ENGINE, TEXT)),
    *((path, "temperature", "nan") for path in (CHAT, COMPLETIONS, ENGINE, TEXT)),
    *((path, "temperature", True) for path in (CHAT, COMPLETIONS, ENGINE, TEXT)),
    *((path, "messages", "Hello") for path in CONVERSATIONS),
    *((path, "model", 1) for path in (CHAT, *MODEL_ROUTES)),
    (COMPLETIONS, "metadata", []),
    (COMPLETIONS, "stream_options", "x"),
    (OPTIMIZE, "prompt", 1),
    (OPTIMIZE, "style", []),
    (OPTIMIZE, "enhance_details", "yes"),
    (TEXT, "prompt", [1, "a"]),
    (TEXT, "echo", 1),
    (EMBEDDINGS, "input", {}),
    (EMBEDDINGS, "dimensions", 1.5),
]


@pytest.mark.parametrize(("path", "field", "value"), sampled(WRONG_TYPES))
def test_a15_wrong_type(gateway: Gateway, path: str, field: str, value: object) -> None:
    refusal = refused(gateway, path, {field: value})

    assert refusal.verdict == invalid("invalid_type")
    assert refusal.fields == (field,)


OUT_OF_RANGE = [
    *((path, "temperature", n) for path in (CHAT, COMPLETIONS, TEXT) for n in (-0.1, 2.01)),
    *((path, "top_p", n) for path in (COMPLETIONS, ENGINE, TEXT) for n in (0, 1.01)),
    *((path, "n", 129) for path in (COMPLETIONS, TEXT)),
    *((path, "model", text) for path in (CHAT, *MODEL_ROUTES) for text in ("", "m" * 300)),
    (OPTIMIZE, "type", "audio"),
    (OPTIMIZE, "prompt", "p" * 4_001),
    (TEXT, "prompt", []),
    (EMBEDDINGS, "input", ["a"] * 2_049),
    (EMBEDDINGS, "encoding_format", "hex"),
]


@pytest.mark.parametrize(
    ("path", "field", "value"), sampled(OUT_OF_RANGE), ids=lambda value: str(value)[:30]
)
def test_a16_out_of_range(gateway: Gateway, path: str, field: str, value: object) -> None:
    refusal = refused(gateway, path, {field: value})

    assert refusal.verdict == invalid("out_of_range")
    assert refusal.fields == (field,)


@pytest.mark.parametrize("path", sampled([CHAT, OPTIMIZE]))
@pytest.mark.parametrize("value", sampled([1, None, {"deep": [{}]}]))
def test_a17_unknown_field_in_rest(gateway: Gateway, path: str, value: object) -> None:
    refusal = refused(gateway, path, {"temprature": value})

    assert refusal.verdict == invalid("unknown_field")
    assert refusal.fields == ("temprature",)


@pytest.mark.parametrize("path", sampled([COMPLETIONS, ENGINE]))
@pytest.mark.parametrize("value", sampled([1, None, {"deep": [{}]}, FORGERY], FORGERY))
def test_a17_unknown_field_in_the_openai_dialect(
    gateway: Gateway, path: str, value: object
) -> None:
    body = good_body(path) | {"temprature": value, "top_p": 0.5, "a\r\nx-evil: 1": 1}

    (answer,) = answers_to(gateway, posted(path, json.dumps(body).encode()))

    [request] = gateway.upstream.requests
    assert answer.status == 200
    is_named = (answer.header("x-dropped-params") or "").startswith("temprature")
    assert is_named == (value is not None)  # null is not sent
    assert answer.header("x-evil") is None
    assert request.json.keys() == {"model", "messages", "top_p"}


FORBIDDEN = (
    "api_base",
    "base_url",
    "api_key",
    "extra_headers",
    "user_config",
    "custom_llm_provider",
    "proxy",
)
PLACES = ['{"%s": "URL"}', '{"x": {"%s": "URL"}}', '{"x": [[{"y": [{"%s": "URL"}]}]]}']


@on_every_route
@pytest.mark.parametrize("name", sampled(FORBIDDEN))
def test_a18_parameter_of_the_operator(gateway: Gateway, path: str, name: str) -> None:
    with ScriptedUpstream() as evil:
        for place in PLACES:
            injected = json.loads((place % name).replace("URL", evil.url))

            refusal = refused(gateway, path, injected)

            assert refusal.verdict == invalid("forbidden_parameter")
            assert refusal.fields[0].endswith(name)
        assert evil.connections == 0


UNKNOWN_KEYS = json.dumps({f"key{i}": i for i in range(90_000)}).encode()
EMPTY_MESSAGES = b'{"model": "m", "messages": [' + b",".join([b"{}"] * 200_000) + b"]}"
EMPTY_INPUTS = b'{"model": "m", "input": [' + b",".join([b"[]"] * 200_000) + b"]}"


@pytest.mark.parametrize(
    ("path", "body"),
    sampled(
        [
            *((path, UNKNOWN_KEYS) for path in BODY_ROUTES),
            *((path, EMPTY_MESSAGES) for path in CONVERSATIONS),
            (TEXT, EMPTY_INPUTS.replace(b'"input"', b'"prompt"')),
            (EMBEDDINGS, EMPTY_INPUTS),
        ],
        (CHAT, UNKNOWN_KEYS),
        (COMPLETIONS, EMPTY_MESSAGES),
        (EMBEDDINGS, EMPTY_INPUTS),
    ),
    ids=lambda value: value if isinstance(value, str) else value[:24].decode(),
)
def test_a19_errors_without_end(gateway: Gateway, path: str, body: bytes) -> None:
    refusal = refusal_of(gateway, path, posted(path, body))

    assert (refusal.status, refusal.code) == (400, "VALIDATION_ERROR")


@in_conversations
def test_a19_first_ten_errors(gateway: Gateway, path: str) -> None:
    wrong = {"role": "\N{GRINNING FACE}" * 500, "content": "x", "\x01" * 500: 1}

    refusal = refused(gateway, path, {"messages": [wrong] * 2_000})

    assert len(refusal.fields) == 10
    assert refusal.fields[0].startswith("messages[0].")


CONVERSATION_ERRORS = {
    "none": ([], "messages"),
    "2,049": ([MESSAGE] * 2_049, "messages"),
    "unknown role": ([MESSAGE] * 3 + [{"role": "wizard", "content": "x"}], "messages[3].role"),
    "no role": ([MESSAGE, {"content": "x"}], "messages[1].role"),
    "null without tool calls": (
        [MESSAGE, {"role": "assistant", "content": None}],
        "messages[1].content",
    ),
    "1,000 parts": (
        [{"role": "user", "content": [{"type": "text", "text": "x"}] * 1_000}],
        "messages[0].content",
    ),
    "null": ([MESSAGE, None], "messages[1]"),
}


@in_conversations
@pytest.mark.parametrize(
    ("messages", "field"), sampled(CONVERSATION_ERRORS.values()), ids=CONVERSATION_ERRORS
)
def test_a20_wrong_conversation(
    gateway: Gateway, path: str, messages: list[object], field: str
) -> None:
    refusal = refused(gateway, path, {"messages": messages})

    assert (refusal.status, refusal.code) == (400, "VALIDATION_ERROR")
    assert refusal.fields == (field,)
