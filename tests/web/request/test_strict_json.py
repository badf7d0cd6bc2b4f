"""Bodies that are refused before anything is called or counted, and some that are not.

The same lines of the fault matrix are tested under gunicorn in `tests/hardening/`.
"""

import gzip
import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from llm_api.errors import InvalidRequest
from llm_api.web.request.strict_json import MAX_DEPTH, decode_object
from tests.support.upstream import ScriptedUpstream
from tests.web.conftest import Refuse
from tests.web.refusals import (
    CHAT,
    CHATS,
    COMPLETIONS,
    JSON_TYPE,
    OPTIMIZE,
    POSTS,
    body_text,
    good_body,
)


@pytest.fixture
def upstream(service_upstream: ScriptedUpstream) -> ScriptedUpstream:
    """Lend the module's upstream, which has forgotten the tests before."""
    service_upstream.clear()
    return service_upstream


@pytest.fixture
def client(module_app: Flask) -> FlaskClient:
    """Call the module's application: requests leave nothing behind in it."""
    return module_app.test_client()


MESSAGE = {"role": "user", "content": "Hello"}
TWO_TO_31, TWO_TO_63 = 2**31, 2**63


def invalid(reason: str, status: int = 400) -> tuple[int, str, str, bool]:
    """Build the verdict on a request that stays wrong when repeated."""
    return (status, "VALIDATION_ERROR", reason, False)


# --- A1 to A5: is it JSON at all ---


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("body", [b"{bad", b"", b" ", b"{} {}", b"\xff\xfe{}", b'{"a": 01}'])
def test_a_body_that_is_not_json_is_refused(refuse: Refuse, path: str, body: bytes) -> None:
    refusal = refuse(path, body)

    assert refusal.verdict == invalid("json_invalid")


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("body", [b"null", b"[]", b'"x"', b"1", b"[{}]"])
def test_a_body_that_is_no_object_is_refused(refuse: Refuse, path: str, body: bytes) -> None:
    refusal = refuse(path, body)

    assert refusal.verdict == invalid("not_an_object")


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""]
)
def test_a_media_type_other_than_json_is_refused(
    refuse: Refuse, path: str, media_type: str
) -> None:
    refusal = refuse(path, good_body(path), ("Content-Type", media_type))

    assert refusal.verdict == invalid("unsupported_media_type", 415)


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("encoding", ["gzip", "br", "gzip, identity"])
def test_a_compressed_body_is_refused_and_not_inflated(
    refuse: Refuse, path: str, encoding: str
) -> None:
    body = gzip.compress(body_text(path))

    refusal = refuse(path, body, JSON_TYPE, ("Content-Encoding", encoding))

    assert refusal.verdict == invalid("content_encoding", 415)


# --- A7 to A9: numbers ---

NOT_FINITE = ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("number", NOT_FINITE)
def test_a_number_that_is_not_finite_is_refused(refuse: Refuse, path: str, number: str) -> None:
    refusal = refuse(path, body_text(path, temperature=number))

    assert refusal.verdict == invalid("number_not_finite")
    assert refusal.fields == ("temperature",)


@pytest.mark.parametrize("number", NOT_FINITE)
@pytest.mark.parametrize(
    ("field", "around", "where"),
    [
        ("logit_bias", '{"50256": %s}', "logit_bias.50256"),
        ("tools", '[{"function": {"x": [1, %s]}}]', "tools[0].function.x[1]"),
        ("somebody_elses", '{"a": [{"b": %s}]}', "somebody_elses.a[0].b"),
    ],
)
def test_a_number_that_is_not_finite_is_refused_in_passed_through_fields(
    refuse: Refuse, number: str, field: str, around: str, where: str
) -> None:
    refusal = refuse(COMPLETIONS, body_text(COMPLETIONS, **{field: around % number}))

    assert refusal.verdict == invalid("number_not_finite")
    assert refusal.fields == (where,)


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("digits", ["9" * 5_000, "-" + "9" * 5_000, "1" * 21])
def test_an_integer_without_end_is_refused(refuse: Refuse, path: str, digits: str) -> None:
    refusal = refuse(path, body_text(path, max_tokens=digits))

    assert refusal.verdict == invalid("number_too_long")
    assert refusal.fields == ("max_tokens",)


@pytest.mark.parametrize("number", [2**63, 2**64, -(2**63) - 1, 10**19])
def test_an_integer_over_64_bits_is_refused_wherever_it_stands(refuse: Refuse, number: int) -> None:
    refusal = refuse(COMPLETIONS, good_body(COMPLETIONS) | {"logit_bias": {"1": number}})

    assert refusal.verdict == invalid("number_too_long")
    assert refusal.fields == ("logit_bias.1",)


@pytest.mark.parametrize("number", [TWO_TO_31, TWO_TO_63, 10**30, -1, 0])
@pytest.mark.parametrize(
    ("path", "field"),
    [(CHAT, "max_tokens"), (COMPLETIONS, "max_tokens"), (COMPLETIONS, "n")],
)
def test_an_integer_outside_its_range_is_refused_by_name(
    refuse: Refuse, path: str, field: str, number: int
) -> None:
    refusal = refuse(path, body_text(path, **{field: str(number)}))

    assert (refusal.status, refusal.code) == (400, "VALIDATION_ERROR")
    assert refusal.fields == (field,)


@pytest.mark.parametrize("path", [COMPLETIONS, OPTIMIZE])
@pytest.mark.parametrize("number", [2**64, -TWO_TO_63 - 1, 10**30, -(10**30)])
def test_a_seed_of_more_than_64_bits_is_refused_by_name(
    refuse: Refuse, path: str, number: int
) -> None:
    refusal = refuse(path, body_text(path, seed=str(number)))

    assert (refusal.status, refusal.code) == (400, "VALIDATION_ERROR")
    assert refusal.fields == ("seed",)


@pytest.mark.parametrize("number", [0, -1, TWO_TO_31, 360139647746456, TWO_TO_63 - 1, -TWO_TO_63])
def test_a_seed_of_64_bits_is_passed_on_as_it_is(
    client: FlaskClient, upstream: ScriptedUpstream, number: int
) -> None:
    answer = client.post(COMPLETIONS, json=good_body(COMPLETIONS) | {"seed": number})

    assert answer.status_code == 200, answer.text
    assert upstream.requests[0].json["seed"] == number


@pytest.mark.parametrize("number", [TWO_TO_63, 10**19, 2**64 - 1])
def test_a_seed_without_a_sign_is_brought_into_the_range_with_one(
    client: FlaskClient, upstream: ScriptedUpstream, number: int
) -> None:
    for _ in range(2):
        client.post(COMPLETIONS, json=good_body(COMPLETIONS) | {"seed": number})

    first, second = (request.json["seed"] for request in upstream.requests)
    assert first == second == number - 2**64


@pytest.mark.parametrize("number", [-1, 360139647746456, 2**64 - 1])
def test_a_rewrite_takes_the_seeds_of_image_tools(
    client: FlaskClient, upstream: ScriptedUpstream, number: int
) -> None:
    answer = client.post(OPTIMIZE, json=good_body(OPTIMIZE) | {"seed": number})

    assert answer.status_code == 200, answer.text
    assert upstream.requests[0].json["seed"] in {number, number - 2**64}


@pytest.mark.parametrize("field", ["seed_x", "top_k", "n"])
def test_only_a_seed_may_need_the_64th_bit(refuse: Refuse, field: str) -> None:
    refusal = refuse(COMPLETIONS, body_text(COMPLETIONS, **{field: str(2**64 - 1)}))

    assert refusal.verdict == invalid("number_too_long")
    assert refusal.fields == (field,)


def test_a_whole_number_may_have_a_point_because_json_makes_no_difference(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    client.post(CHAT, json=good_body(CHAT) | {"max_tokens": 12.0})

    assert repr(upstream.requests[0].json["max_tokens"]) == "12"


# --- A10: nesting ---


def nested(levels: int, opening: str = '{"a":', closing: str = "}") -> bytes:
    """Nest objects (or lists in an object) so many levels deep, the body itself counted."""
    inner = levels - 1
    return ('{"a":' + opening * inner + "1" + closing * inner + "}").encode()


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 990, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ("[", "]")])
def test_a_body_nested_too_deep_is_refused(
    refuse: Refuse, path: str, levels: int, opening: str, closing: str
) -> None:
    refusal = refuse(path, nested(levels, opening, closing))

    assert refusal.verdict == invalid("too_deep")


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("opening", ["[", '{"a":', '{"a":['])
def test_a_body_nested_too_deep_and_never_closed_is_refused(
    refuse: Refuse, path: str, opening: str
) -> None:
    refusal = refuse(path, (opening * 100_000).encode())

    assert refusal.verdict == invalid("too_deep")


def schema_of(levels: int) -> dict[str, Any]:
    """Nest nullable objects so many levels deep, as zodResponseFormat writes them."""
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        nested = {"type": "object", "properties": {"inner": schema}}
        schema = {"anyOf": [nested, {"type": "null"}]}
    return schema


def with_schema(field: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Put a schema where a request can have one."""
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    places: dict[str, Any] = {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "x", "strict": True, "schema": schema},
        },
        "tools": [tool],
        "functions": [{"name": "f", "parameters": schema}],
        "structured_outputs": {"json": schema},
        "guided_json": schema,
        "json_schema": schema,
    }
    return {field: places[field]}


SCHEMA_FIELDS = [
    "response_format",
    "tools",
    "functions",
    "structured_outputs",
    "guided_json",
    "json_schema",
]


@pytest.mark.parametrize("field", SCHEMA_FIELDS)
def test_a_schema_may_be_as_deep_as_real_ones(
    client: FlaskClient, upstream: ScriptedUpstream, field: str
) -> None:
    fields = with_schema(field, schema_of(24))

    answer = client.post(COMPLETIONS, json=good_body(COMPLETIONS) | fields)

    assert answer.status_code == 200, answer.text
    assert upstream.requests[0].json[field] == fields[field]


@pytest.mark.parametrize("levels", [40, 220])
@pytest.mark.parametrize("field", SCHEMA_FIELDS)
def test_a_schema_that_is_deeper_is_refused(refuse: Refuse, field: str, levels: int) -> None:
    refusal = refuse(COMPLETIONS, good_body(COMPLETIONS) | with_schema(field, schema_of(levels)))

    assert refusal.verdict == invalid("too_deep")


def test_a_schema_makes_no_other_field_deeper(refuse: Refuse) -> None:
    deep = json.loads(nested(MAX_DEPTH + 1)) | with_schema("tools", schema_of(20))

    refusal = refuse(COMPLETIONS, good_body(COMPLETIONS) | deep)

    assert refusal.verdict == invalid("too_deep")


def test_a_body_nested_as_deep_as_allowed_is_accepted(client: FlaskClient) -> None:
    padding = nested(MAX_DEPTH - 1).decode()

    answer = client.post(
        COMPLETIONS, data=body_text(COMPLETIONS, extra=padding), headers=[JSON_TYPE]
    )

    assert MAX_DEPTH == 32
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":[' + b",".join([nested(MAX_DEPTH)] * 1_000) + b"]}",
        nested(990, "[", "]"),
        nested(100_000),
        b"[" * 1_000_000,
    ],
    ids=["wide", "990", "100000", "unclosed"],
)
def test_a_deep_body_of_any_form_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="nested at most"):
        decode_object(body)


# --- A11 to A14: keys and text ---


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("pair", ['"model": "m", "model": "m"', '"model": "m", "model": "other"'])
def test_a_key_given_twice_is_refused(refuse: Refuse, path: str, pair: str) -> None:
    refusal = refuse(path, body_text(path, model="0").replace(b'"model": 0', pair.encode()))

    assert refusal.verdict == invalid("duplicate_key")


def test_a_key_given_twice_further_in_is_refused_with_its_place(refuse: Refuse) -> None:
    messages = '[{"role": "user", "role": "system", "content": "Hello"}]'

    refusal = refuse(CHAT, body_text(CHAT, messages=messages))

    assert refusal.verdict == invalid("duplicate_key")
    assert refusal.fields == ("messages[0]",)


@pytest.mark.parametrize(
    ("path", "field"),
    [(OPTIMIZE, "prompt"), (CHAT, "model"), (COMPLETIONS, "model"), (COMPLETIONS, "user")],
)
@pytest.mark.parametrize("text", [r'"\ud800"', r'"a\udfffb"', r'"\udc00\ud800"'])
def test_half_a_character_is_refused(refuse: Refuse, path: str, field: str, text: str) -> None:
    refusal = refuse(path, body_text(path, **{field: text}))

    assert refusal.verdict == invalid("invalid_unicode")
    assert refusal.fields == (field,)


def test_half_a_character_in_a_key_is_refused(refuse: Refuse) -> None:
    refusal = refuse(COMPLETIONS, body_text(COMPLETIONS, **{r"\ud800": "1"}))

    assert refusal.verdict == invalid("invalid_unicode")


@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        ('{"api_base": 1}', "forbidden_parameter"),
        ("NaN", "number_not_finite"),
        ("9" * 20, "number_too_long"),
        ('{"a": 1, "a": 2}', "duplicate_key"),
    ],
)
@pytest.mark.parametrize("key", [r"\ud800", r"\u001b[31m", r"\u2028"])
def test_a_key_on_the_way_to_an_error_is_made_printable(
    refuse: Refuse, key: str, inside: str, reason: str
) -> None:
    refusal = refuse(COMPLETIONS, body_text(COMPLETIONS, **{key: inside}))

    assert refusal.verdict == invalid(reason)
    assert refusal.fields[0].startswith("?")
    assert refusal.message.isprintable()


def test_a_whole_character_written_as_two_escapes_is_passed_on(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    messages = r'[{"role": "user", "content": "\ud83d\ude00"}]'

    client.post(CHAT, data=body_text(CHAT, messages=messages), headers=[JSON_TYPE])

    assert upstream.requests[0].json["messages"][0]["content"] == "\N{GRINNING FACE}"


UNPRINTABLE = ["a\r\nb", "a\nb", "a\n", "\x1b[31mred", "a\u2028b", "a\x00b", "a\u202eb"]


@pytest.mark.parametrize("text", UNPRINTABLE)
@pytest.mark.parametrize(
    ("path", "field"),
    [(CHAT, "model"), (COMPLETIONS, "model"), (COMPLETIONS, "user"), (OPTIMIZE, "style")],
)
def test_control_characters_in_a_name_are_refused(
    refuse: Refuse, path: str, field: str, text: str
) -> None:
    refusal = refuse(path, good_body(path) | {field: text})

    assert (refusal.status, refusal.code) == (400, "VALIDATION_ERROR")
    assert refusal.fields == (field,)


def test_control_characters_in_metadata_are_refused(refuse: Refuse) -> None:
    metadata = {"a": "\r\n".join(UNPRINTABLE)}

    refusal = refuse(COMPLETIONS, good_body(COMPLETIONS) | {"metadata": metadata})

    assert (refusal.status, refusal.code) == (400, "VALIDATION_ERROR")


# --- A15 to A18: fields ---


@pytest.mark.parametrize("path", CHATS)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_tokens", 1.5),
        ("max_tokens", "12"),
        ("max_tokens", True),
        ("stream", "yes"),
        ("stream", 1),
        ("temperature", "nan"),
        ("temperature", True),
        ("model", 1),
        ("messages", "Hello"),
        ("messages", {}),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(
    refuse: Refuse, path: str, field: str, value: object
) -> None:
    refusal = refuse(path, good_body(path) | {field: value})

    assert refusal.verdict == invalid("invalid_type")
    assert refusal.fields == (field,)


@pytest.mark.parametrize(
    ("field", "value"), [("prompt", 1), ("type", True), ("style", []), ("enhance_details", "yes")]
)
def test_a_value_of_the_wrong_type_in_a_prompt_request_is_refused(
    refuse: Refuse, field: str, value: object
) -> None:
    refusal = refuse(OPTIMIZE, good_body(OPTIMIZE) | {field: value})

    assert (refusal.status, refusal.code) == (400, "VALIDATION_ERROR")
    assert refusal.fields == (field,)


@pytest.mark.parametrize("path", CHATS)
@pytest.mark.parametrize(
    ("field", "value"),
    [("temperature", -0.1), ("temperature", 2.01), ("model", ""), ("model", "m" * 300)],
)
def test_a_value_outside_its_range_is_refused(
    refuse: Refuse, path: str, field: str, value: object
) -> None:
    refusal = refuse(path, good_body(path) | {field: value})

    assert refusal.verdict == invalid("out_of_range")
    assert refusal.fields == (field,)


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        (COMPLETIONS, "top_p", 0),
        (COMPLETIONS, "top_p", 1.01),
        (COMPLETIONS, "n", 129),
        (OPTIMIZE, "type", "audio"),
        (OPTIMIZE, "prompt", ""),
        (OPTIMIZE, "prompt", "  \n"),
        (OPTIMIZE, "prompt", "p" * 4_001),
    ],
)
def test_a_value_outside_the_range_of_its_route_is_refused(
    refuse: Refuse, path: str, field: str, value: object
) -> None:
    refusal = refuse(path, good_body(path) | {field: value})

    assert refusal.verdict == invalid("out_of_range")
    assert refusal.fields == (field,)


def test_streaming_on_the_rest_route_is_refused_and_the_other_named(refuse: Refuse) -> None:
    refusal = refuse(CHAT, good_body(CHAT) | {"stream": True})

    assert refusal.verdict == invalid("streaming_unsupported")
    assert refusal.fields == ("stream",)
    assert "/v1/chat/completions" in refusal.message


@pytest.mark.parametrize(
    ("path", "field"),
    [(CHAT, "messages"), (COMPLETIONS, "messages"), (OPTIMIZE, "prompt"), (OPTIMIZE, "type")],
)
def test_a_missing_field_is_refused_by_name(refuse: Refuse, path: str, field: str) -> None:
    body = good_body(path)
    del body[field]

    refusal = refuse(path, body)

    assert refusal.verdict == invalid("missing")
    assert refusal.fields == (field,)


@pytest.mark.parametrize("path", [CHAT, OPTIMIZE])
def test_an_unknown_field_is_refused_in_rest(refuse: Refuse, path: str) -> None:
    refusal = refuse(path, good_body(path) | {"temprature": 1})

    assert (refusal.status, refusal.code) == (400, "VALIDATION_ERROR")
    assert refusal.fields == ("temprature",)


@pytest.mark.parametrize("value", [1, "x", [], {"deep": [{}]}])
def test_an_unknown_field_is_dropped_in_the_openai_dialect(
    client: FlaskClient, upstream: ScriptedUpstream, value: object
) -> None:
    body = good_body(COMPLETIONS) | {"temprature": value, "top_p": 0.5}

    answer = client.post(COMPLETIONS, json=body)

    assert answer.status_code == 200
    assert answer.headers["x-dropped-params"] == "temprature"
    assert upstream.requests[0].json.keys() == {"model", "messages", "top_p"}


def test_the_name_of_a_dropped_field_cannot_add_a_header(client: FlaskClient) -> None:
    body = good_body(COMPLETIONS) | {"a\r\nx-evil: 1": 1, "naïve": 1}

    answer = client.post(COMPLETIONS, json=body)

    assert answer.status_code == 200
    assert "x-evil" not in answer.headers


# --- A19 and A20: lists ---

EMPTY_MESSAGES = b'{"model": "scripted", "messages": [' + b",".join([b"{}"] * 200_000) + b"]}"
UNKNOWN_KEYS = json.dumps({f"key{i}": i for i in range(90_000)}).encode()


@pytest.mark.parametrize("path", CHATS)
@pytest.mark.parametrize("body", [EMPTY_MESSAGES, UNKNOWN_KEYS], ids=["messages", "keys"])
def test_a_body_with_errors_without_end_is_refused_shortly(
    refuse: Refuse, path: str, body: bytes
) -> None:
    refusal = refuse(path, body)

    assert (refusal.status, refusal.code) == (400, "VALIDATION_ERROR")
    assert len(refusal.fields) <= 10


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", ["m" * 1_000_000 + "\n", " " * 1_000_000, "m " * 500_000 + "\n"])
def test_a_name_without_end_is_refused_in_linear_time(refuse: Refuse, text: str) -> None:
    refusal = refuse(CHAT, good_body(CHAT) | {"model": text})

    assert refusal.verdict == invalid("out_of_range")
    assert refusal.fields == ("model",)


@pytest.mark.parametrize("path", CHATS)
def test_the_first_ten_errors_are_listed(refuse: Refuse, path: str) -> None:
    refusal = refuse(path, good_body(path) | {"messages": [{"role": "x", "content": "y"}] * 30})

    assert refusal.fields == tuple(f"messages[{i}].role" for i in range(10))


@pytest.mark.parametrize("letter", ["k", "\N{GRINNING FACE}", "\x01", '"'])
def test_long_names_of_unknown_fields_do_not_make_a_long_answer(
    refuse: Refuse, letter: str
) -> None:
    unknown = {letter * 2_000 + str(i): i for i in range(20)}

    refusal = refuse(CHAT, unknown | {letter * 200 + str(i): i for i in range(20)})

    assert (refusal.status, refusal.code) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize("path", CHATS)
@pytest.mark.parametrize("letter", ["k", "\N{GRINNING FACE}", "\x01", '"'])
def test_long_names_on_the_way_to_an_error_do_not_make_a_long_answer(
    refuse: Refuse, path: str, letter: str
) -> None:
    wrong = {letter * 2_000: {letter * 2_000: {"proxy": 1}}}

    refusal = refuse(path, good_body(path) | {"x": wrong})

    assert refusal.verdict == invalid("forbidden_parameter")


def test_a_list_of_words_without_end_is_refused_by_its_length(refuse: Refuse) -> None:
    refusal = refuse(OPTIMIZE, good_body(OPTIMIZE) | {"preserve": [1] * 500_000})

    assert refusal.verdict == invalid("out_of_range")
    assert refusal.fields == ("preserve",)


@pytest.mark.parametrize("path", CHATS)
@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([], "messages"),
        ([MESSAGE] * 2_049, "messages"),
        ([MESSAGE] * 3 + [{"role": "wizard", "content": "x"}], "messages[3].role"),
        ([{"content": "x"}], "messages[0].role"),
        ([{"role": ["user"], "content": "x"}], "messages[0].role"),
        ([MESSAGE, {"role": "assistant", "content": None}], "messages[1].content"),
        ([{"role": "user"}], "messages[0].content"),
        ([{"role": "user", "content": [{"type": "text"}] * 1_000}], "messages[0].content"),
        ([MESSAGE, None], "messages[1]"),
    ],
)
def test_a_wrong_conversation_is_refused_with_the_place_of_the_error(
    refuse: Refuse, path: str, messages: list[object], field: str
) -> None:
    refusal = refuse(path, good_body(path) | {"messages": messages})

    assert (refusal.status, refusal.code) == (400, "VALIDATION_ERROR")
    assert refusal.fields == (field,)


def test_a_tool_call_needs_no_content(client: FlaskClient, upstream: ScriptedUpstream) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}

    answer = client.post(COMPLETIONS, json=good_body(COMPLETIONS) | {"messages": [message]})

    assert answer.status_code == 200
    assert upstream.requests[0].json["messages"] == [message]
