"""An error is known by what it means, in vendors' own words and shapes, whoever the vendor is.

`error-samples.jsonl` has an error a line: its kind, the status and body that an upstream sends, and
what a caller is told of it (status, reason, whether to try again; the field that is blamed). A
status of 200 stands for an error inside a good answer. The sentences and codes are vendors' own, or
in their manner; the last kind has the neighbours that must not be taken for one of the others.
"""

import json
from pathlib import Path
from typing import Any

import orjson
import requests

from llm_api.errors import InvalidRequest
from llm_api.upstream.faults import Fault
from llm_api.upstream.vendors.errors import ErrorClassifier
from llm_api.upstream.vendors.profiles import choose_profile
from tests.support.tables import each
from tests.upstream.asker import PROFILES, described

SAMPLES: list[dict[str, Any]] = [
    json.loads(line)
    for line in Path(__file__).with_name("error-samples.jsonl").read_text("utf-8").splitlines()
]
OUR_TROUBLE = {"upstream_account", "upstream_auth", "upstream_rate_limited", "upstream_unavailable"}


def told(status: int, body: object, profile: str = "generic", **traits: Any) -> Fault:
    """Read an error as the client of an upstream does."""
    classifier = ErrorClassifier(choose_profile(PROFILES, "", profile).rules, **traits)
    if status == 200:
        return classifier.of_embedded(body)
    response = requests.Response()
    response.status_code = status
    sent = body.encode() if isinstance(body, str) and body[:1] != '"' else orjson.dumps(body)
    return classifier.of_status(response, sent)


@each("sample", SAMPLES)
def test_an_error_is_known_by_its_meaning(sample: dict[str, Any]) -> None:
    error = told(sample["status"], sample["body"]).error

    assert list(described(error)) == sample["told"]
    fields = [one.field for one in error.fields] if isinstance(error, InvalidRequest) else []
    assert fields[:1] == ([sample["field"]] if "field" in sample else [])


@each("sample", SAMPLES)
def test_another_may_help_where_the_trouble_is_ours(sample: dict[str, Any]) -> None:
    fault = told(sample["status"], sample["body"])

    assert fault.error.allows_failover == (sample["told"][0] not in {400, 404})


@each("sample", SAMPLES)
def test_what_does_not_pass_asks_for_no_patience(sample: dict[str, Any]) -> None:
    error = told(sample["status"], sample["body"]).error

    assert error.retryable or error.retry_after is None
    assert error.retryable or "try again later" not in error.message


@each("kind", ["account", "key", "content", "context", "cap", "media", "tools"])
@each("name", sorted(PROFILES))
def test_the_rules_of_no_profile_hide_the_meaning(kind: str, name: str) -> None:
    """Most upstreams are fronts of others, whose words they pass on."""
    wrong = [
        sample["body"]
        for sample in SAMPLES
        if sample["kind"] == kind
        and list(described(told(sample["status"], sample["body"], name).error)) != sample["told"]
    ]

    assert wrong == []


@each("sample", [one for one in SAMPLES if one["kind"] == "model"])
def test_a_configured_model_that_is_missing_is_the_operators(sample: dict[str, Any]) -> None:
    error = told(sample["status"], sample["body"], model_was_named=False).error

    assert error.reason in {"upstream_model_missing", "upstream_account"}
    assert error.status == 502


@each("status", [400, 413, 422])
@each(
    "sentence",
    [
        "tools[0].function.name: '{}' does not match the pattern.",
        'Invalid value: "{}".',
        "Unknown role `{}`.",
        "stop [{}] is too much.",
        "不支持的角色“{}”",
    ],
)
@each(
    "words",
    ["insufficient balance", "invalid api key", "rate limit exceeded", "余额不足", "no credits"],
)
def test_words_that_a_caller_chose_prove_nothing(status: int, sentence: str, words: str) -> None:
    body = {"error": {"message": sentence.format(words), "type": "invalid_request_error"}}

    fault = told(status, body)

    assert fault.error.reason not in OUR_TROUBLE
    assert not fault.is_certain


@each("cap", ["max_tokens", "max_completion_tokens"])
def test_the_cap_is_blamed_under_the_name_that_the_caller_used(cap: str) -> None:
    message = "'max_tokens' or 'max_completion_tokens' is too large: 9000."

    error = told(400, {"error": {"message": message}}, cap_field=cap).error

    assert isinstance(error, InvalidRequest)
    assert [one.field for one in error.fields] == [cap]


@each(
    ("body", "field"),
    [
        ({"error": {"message": "Too high.", "param": "top_p"}}, "top_p"),
        ({"error": {"message": "Bad.", "param": "messages[3].role"}}, "messages[3].role"),
        ({"error": {"message": "'top_logprobs' must be smaller."}}, "top_logprobs"),
        ({"error": {"message": "Invalid `presence_penalty`."}}, "presence_penalty"),
        ({"detail": [{"loc": ["body", "stop", 0], "msg": "Bad."}]}, "stop[0]"),
        ({"error": {"message": "No.", "param": "sk-secret-1234567890"}}, None),
        ({"error": {"message": "Invalid value: 'user'."}}, None),
    ],
)
def test_the_field_that_the_upstream_blames_is_named(body: object, field: str | None) -> None:
    error = told(400, body).error

    assert isinstance(error, InvalidRequest)
    assert [one.field for one in error.fields] == ([field] if field else [])


SENTENCE = "The value of top_k must be smaller."
SHAPES: list[object] = [
    {"error": {"message": SENTENCE}},
    [{"error": {"message": SENTENCE}}],
    {"error": SENTENCE},
    {"error": {"message": {"detail": SENTENCE}}},
    {"detail": SENTENCE},
    {"detail": [{"msg": SENTENCE, "loc": ["body", "top_k"]}]},
    {"detail": {"error": {"message": SENTENCE}}},
    {"errors": [{"message": SENTENCE}]},
    {"errors": [SENTENCE]},
    {"message": SENTENCE, "object": "error"},
    {"code": 20015, "message": SENTENCE, "data": None},
    {"error_code": 336003, "error_msg": SENTENCE},
    {"error": {"message": "", "metadata": {"raw": json.dumps({"error": {"message": SENTENCE}})}}},
    {"type": "error", "error": {"type": "invalid_request_error", "message": SENTENCE}},
    {"success": False, "msg": SENTENCE},
    {"error": {"message": {"text": SENTENCE}}},
    {"error": {"reason": SENTENCE}},
    {"errors": ["The first.", SENTENCE]},
    {"title": "Validation failed", "violations": [{"propertyPath": "top_k", "message": SENTENCE}]},
    [SENTENCE],
    SENTENCE,
    f"<html><head><style>p {{}}</style></head><body><p>{SENTENCE}</p></body></html>",
]


@each("body", SHAPES)
def test_the_sentence_is_found_in_every_shape(body: object) -> None:
    error = told(400, body).error

    assert error.reason == "upstream_rejected"
    assert SENTENCE.removesuffix(".") in error.message


def test_a_deep_or_endless_error_is_read_as_far_as_it_makes_sense() -> None:
    deep: Any = {"message": "insufficient_quota"}
    for _ in range(200):
        deep = {"error": deep}
    wide = [{"errors": [{"message": "No."}] * 100}] * 100

    assert told(400, wide).error.reason == "upstream_rejected"
    assert told(400, deep).error.reason == "upstream_rejected"


@each(
    ("message", "wait"),
    [
        ("Rate limit reached. Please try again in 7.66s.", 8),
        ("Please retry in 34.07s.", 35),
        ("Request limit reached, please try again after 20 seconds", 21),
        ("Rate limit exceeded.", 1),
    ],
)
def test_the_wait_is_read_from_the_sentence_too(message: str, wait: int) -> None:
    assert told(429, {"error": {"message": message}}).error.retry_after == wait


@each(
    "message",
    [
        "This request requires more credits, or fewer max_tokens. You can only afford 1234.",
        "预扣费额度失败, 用户剩余额度: ＄0.10, 需要预扣费额度: ＄0.50",
        "Insufficient balance: this request needs $0.50, you have $0.10.",
        "Insufficient credits. Required: 12 credits, available: 3.",
    ],
)
@each("status", [402, 403])
def test_a_request_that_is_too_dear_does_not_condemn_the_account(status: int, message: str) -> None:
    """A caller chooses how dear a request is; a cheaper one of another's may still be paid."""
    fault = told(status, {"error": {"message": message, "code": "insufficient_user_quota"}})

    assert fault.error.reason == "upstream_account"
    assert not fault.is_certain


def test_an_error_below_names_that_nobody_else_uses_is_read() -> None:
    body = {"Response": {"Error": {"Code": "X.InvalidParameter", "Message": SENTENCE}}}
    other = {"external_model_error": {"inner": [{"info": {"ErrorMsg": SENTENCE}}]}}

    for one in (body, other):
        assert SENTENCE.removesuffix(".") in told(400, one).error.message
