"""Every vendor's way to fail becomes one of our errors, in our own words."""

import re
import ssl
from collections.abc import Mapping, Sequence

import orjson
import requests
import urllib3
from urllib3.connection import HTTPConnection

from llm_api.errors import ApiError
from llm_api.upstream import faults
from llm_api.upstream.faults import Fault
from llm_api.upstream.vendors.error_rules import ErrorRule
from llm_api.upstream.vendors.errors import ErrorClassifier
from llm_api.upstream.vendors.profiles import choose_profile
from tests.support.tables import each
from tests.upstream.asker import PROFILES, described

SECRETS = ("sk-live-4242", "ep-20251015-abcde", "account 2100000042", "a canary in a prompt")

RULES = choose_profile(PROFILES, "https://host/v1").rules


def read_body(
    status: int,
    body: bytes,
    rules: Sequence[ErrorRule] = RULES,
    headers: Mapping[str, str] | None = None,
    *,
    model_was_named: bool = True,
) -> Fault:
    """Read an answer as a client of an upstream of which nothing is known."""
    response = requests.Response()
    response.status_code = status
    response.headers.update(headers or {})
    reader = ErrorClassifier(rules, model_was_named=model_was_named)
    return reader.of_status(response, body)


def read(status: int, code: str, headers: Mapping[str, str], *, model_was_named: bool) -> ApiError:
    """Read an answer with such a code."""
    body = orjson.dumps({"error": {"code": code}})
    return read_body(status, body, headers=headers, model_was_named=model_was_named).error


CODES = [
    # DashScope: https://help.aliyun.com/zh/model-studio/error-code
    (400, "data_inspection_failed", (400, "content_filtered", False)),
    (400, "DataInspectionFailed", (400, "content_filtered", False)),
    (400, "InternalError.Algo.DataInspectionFailed", (400, "content_filtered", False)),
    (400, "InvalidParameter", (400, "upstream_rejected", False)),
    (400, "UnsupportedOperation", (400, "upstream_rejected", False)),
    (400, "Arrearage", (502, "upstream_account", False)),
    (401, "invalid_api_key", (502, "upstream_auth", False)),
    (401, "InvalidApiKey", (502, "upstream_auth", False)),
    (403, "AccessDenied", (502, "upstream_auth", False)),
    (403, "AccessDenied.Unpurchased", (404, "model_not_found", False)),
    (404, "ModelNotFound", (404, "model_not_found", False)),
    (408, "RequestTimeOut", (504, "upstream_timeout", True)),
    (413, "BadRequest.TooLarge", (400, "upstream_rejected", False)),
    (429, "Throttling", (429, "upstream_rate_limited", True)),
    (429, "Throttling.RateQuota", (429, "upstream_rate_limited", True)),
    (429, "limit_requests", (429, "upstream_rate_limited", True)),
    (429, "Throttling.BurstRate", (429, "upstream_rate_limited", True)),
    (429, "limit_burst_rate", (429, "upstream_rate_limited", True)),
    (429, "Throttling.AllocationQuota", (429, "upstream_rate_limited", True)),
    (429, "insufficient_quota", (429, "upstream_rate_limited", False)),
    # Volcengine Ark: https://www.volcengine.com/docs/82379/1299023
    (400, "MissingParameter", (400, "upstream_rejected", False)),
    (400, "SensitiveContentDetected", (400, "content_filtered", False)),
    (400, "SensitiveContentDetected.SevereViolation", (400, "content_filtered", False)),
    (400, "InputTextSensitiveContentDetected", (400, "content_filtered", False)),
    (400, "InputImageSensitiveContentDetected.PolicyViolation", (400, "content_filtered", False)),
    (400, "OutputTextSensitiveContentDetected", (400, "content_filtered", False)),
    (400, "InputTextRiskDetection", (400, "content_filtered", False)),
    (400, "OutofContextError", (400, "context_length_exceeded", False)),
    (401, "AuthenticationError", (502, "upstream_auth", False)),
    (403, "AccountOverdueError", (502, "upstream_account", False)),
    (403, "OperationDenied.PermissionDenied", (502, "upstream_auth", False)),
    (404, "InvalidEndpointOrModel.NotFound", (404, "model_not_found", False)),
    (404, "ModelNotOpen", (404, "model_not_found", False)),
    (429, "RateLimitExceeded.EndpointRPMExceeded", (429, "upstream_rate_limited", True)),
    (429, "AccountRateLimitExceeded", (429, "upstream_rate_limited", True)),
    (429, "InflightBatchsizeExceeded", (429, "upstream_rate_limited", True)),
    (429, "RequestBurstTooFast", (429, "upstream_rate_limited", True)),
    (429, "ServerOverloaded", (503, "upstream_unavailable", True)),
    (429, "SetLimitExceeded", (429, "upstream_rate_limited", False)),
    (429, "QuotaExceeded", (429, "upstream_rate_limited", False)),
    (500, "InternalServiceError", (502, "upstream_error", True)),
    # llama.cpp and OpenAI
    (400, "exceed_context_size_error", (400, "context_length_exceeded", False)),
    (500, "exceed_context_size_error", (400, "context_length_exceeded", False)),
    (400, "context_length_exceeded", (400, "context_length_exceeded", False)),
    (418, "", (400, "upstream_rejected", False)),
    (302, "", (502, "upstream_redirect", False)),
]


@each(("status", "code", "expected"), CODES)
def test_the_code_of_a_vendor_is_known(
    status: int, code: str, expected: tuple[int, str, bool]
) -> None:
    error = read(status, code, {}, model_was_named=True)

    assert described(error) == expected


@each(("status", "code", "expected"), CODES)
def test_the_case_of_a_code_does_not_matter(
    status: int, code: str, expected: tuple[int, str, bool]
) -> None:
    error = read(status, code.upper(), {}, model_was_named=True)

    assert described(error) == expected


def test_a_conversation_too_long_for_dashscope_is_known_by_its_message() -> None:
    text = "InvalidParameter <400> InternalError.Algo: Range of input length should be [1, 129024]"

    error = read(400, text, {}, model_was_named=True)

    assert error.reason == "context_length_exceeded"


@each("code", ["ModelNotFound", "ModelNotOpen"])
def test_a_missing_model_that_nobody_named_is_our_fault(code: str) -> None:
    error = read(404, code, {}, model_was_named=False)

    assert described(error) == (502, "upstream_model_missing", False)


@each(
    ("header", "seconds"),
    [("1", 1), ("7", 7), ("0", 1), ("21600", 21600), ("-5", 1), ("soon", 1), ("9" * 40, 1)],
)
def test_the_advice_to_wait_is_what_the_upstream_asks_for(header: str, seconds: int) -> None:
    headers = {"Retry-After": header}

    error = read(429, "limit_requests", headers, model_was_named=True)

    assert error.retry_after == seconds


def raised_by_connecting() -> dict[str, tuple[Exception, tuple[int, str, bool]]]:
    connection = HTTPConnection("127.0.0.1", 1)
    return {
        "refused": (ConnectionRefusedError(), (503, "upstream_unreachable", True)),
        "refused by urllib3": (
            urllib3.exceptions.NewConnectionError(connection, "refused"),
            (503, "upstream_unreachable", True),
        ),
        "no such name": (
            urllib3.exceptions.NameResolutionError("no.invalid", connection, OSError()),
            (503, "upstream_dns", True),
        ),
        "too slow": (
            urllib3.exceptions.ConnectTimeoutError(connection, "slow"),
            (504, "connect_timeout", True),
        ),
        "certificate": (ssl.SSLCertVerificationError(), (502, "upstream_tls", False)),
        "tls by urllib3": (urllib3.exceptions.SSLError(), (502, "upstream_tls", False)),
    }


@each("name", raised_by_connecting())
def test_what_prevents_a_connection_is_told_apart(name: str) -> None:
    error, expected = raised_by_connecting()[name]

    fault = faults.while_connecting(error)

    assert described(fault.error) == expected
    assert fault.is_repeatable == fault.error.retryable


@each("status", [302, 400, 401, 403, 404, 408, 413, 429, 500])
@each("code", ["Arrearage", "DataInspectionFailed", "OutofContextError", "x"])
def test_no_text_of_an_upstream_is_in_an_error(status: int, code: str) -> None:
    body = orjson.dumps({"error": {"code": code, "message": " ".join(SECRETS)}})

    error = read_body(status, body).error

    assert not spoken(error, SECRETS)


def spoken(error: ApiError, words: tuple[str, ...]) -> list[str]:
    fields = getattr(error, "fields", ())
    said = " ".join([error.message, *(field.message for field in fields)])
    return [word for word in words if word in said]


@each(
    ("body", "words"),
    [
        (b'{"error":{"code":"A1","type":"B2","message":"C3"}}', ["A1", "B2", "C3"]),
        (b'{"code":"A1","message":"C3","request_id":"1"}', ["A1", "C3"]),
        (b'{"error":"broken"}', ["broken"]),
    ],
)
def test_a_rule_finds_its_words_wherever_an_error_has_them(body: bytes, words: list[str]) -> None:
    for word in words:
        rule = ErrorRule(re.compile(word), "content_filtered")

        assert read_body(400, body, [rule]).error.reason == "content_filtered"


@each("body", [b"[]", b"<html>", b"", b"\xff", b"null", b"1"])
def test_a_body_without_words_is_read_by_its_status(body: bytes) -> None:
    assert read_body(400, body).error.reason == "upstream_rejected"


def test_a_rule_can_be_for_one_status() -> None:
    rule = ErrorRule(re.compile("A1"), "content_filtered", status=frozenset([400]))

    reasons = [read_body(status, b'{"code":"A1"}', [rule]).error.reason for status in (400, 429)]

    assert reasons == ["content_filtered", "upstream_rate_limited"]


@each("retryable", [True, False])
def test_a_rule_can_say_whether_a_repeat_helps(*, retryable: bool) -> None:
    rule = ErrorRule(re.compile("A1"), "image_fetch_failed", retryable=retryable)

    fault = read_body(400, b'{"code":"A1"}', [rule])

    assert (fault.error.retryable, fault.is_repeatable) == (retryable, retryable)


def test_a_hint_goes_with_the_error() -> None:
    rule = ErrorRule(re.compile("A1"), "upstream_rejected", hint="Say please.")

    assert read_body(400, b'{"code":"A1"}', [rule]).error.hint == "Say please."
