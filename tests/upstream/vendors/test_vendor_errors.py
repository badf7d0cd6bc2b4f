"""Every code that a vendor documents is known, and no vendor's words are taken for another's."""

import time
from typing import Any

import orjson
import pytest
import requests

from llm_api.upstream.answers.completion import parse_answer
from llm_api.upstream.faults import Fault, StreamingRequired
from llm_api.upstream.vendors.errors import ErrorClassifier
from llm_api.upstream.vendors.profiles import choose_profile
from tests.support.tables import each
from tests.upstream.asker import PROFILES, described

Told = tuple[int, str, bool]
# Profile, status, code, message, what a caller is told, and a word of the hint.
Case = tuple[str, int, str | None, str, Told, str | None]

FILTERED = (400, "content_filtered", False)
TOO_LONG = (400, "context_length_exceeded", False)
REJECTED = (400, "upstream_rejected", False)
NO_IMAGE = (400, "image_fetch_failed", True)
NO_MODEL = (404, "model_not_found", False)
ACCOUNT = (502, "upstream_account", False)
AUTH = (502, "upstream_auth", False)
FAILED = (502, "upstream_error", True)
AWAY = (503, "upstream_unavailable", True)
LATE = (504, "upstream_timeout", True)
LIMITED = (429, "upstream_rate_limited", True)
SPENT = (429, "upstream_rate_limited", False)

ALIBABA, ARK = "dashscope", "volcengine-ark"
LENGTH = "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 129024]"
INSPECTED = "<400> InternalError.Algo.DataInspectionFailed: Input data may be inappropriate."
NEEDS_JSON = "'messages' must contain the word 'json' in some form, to use 'response_format'."
FETCH = "Download the media resource timed out during the data inspection process."
NO_PULL = 'model "qwen:7b" not found, try pulling it first'

# Known by their words, whatever the status.
CODED: list[Case] = [
    (ALIBABA, 400, "data_inspection_failed", "Input data …", FILTERED, "inappropriate"),
    (ALIBABA, 400, "DataInspectionFailed", "Output data …", FILTERED, "inappropriate"),
    (ALIBABA, 400, None, INSPECTED, FILTERED, "inappropriate"),
    (ALIBABA, 400, None, LENGTH, TOO_LONG, None),
    (ALIBABA, 400, "InvalidParameter", LENGTH, TOO_LONG, None),
    (ALIBABA, 400, "invalid_parameter_error", LENGTH, TOO_LONG, None),
    (ALIBABA, 400, "Arrearage", "Access denied, …", ACCOUNT, "overdue"),
    (ALIBABA, 403, "AccessDenied.Unpurchased", "Access to model denied.", NO_MODEL, "activated"),
    (ALIBABA, 401, "InvalidApiKey", "Invalid API-key provided.", AUTH, "region"),
    (ALIBABA, 401, "invalid_api_key", "Incorrect API key provided.", AUTH, "region"),
    (ALIBABA, 403, "AccessDenied", "Access denied.", AUTH, "region"),
    (ALIBABA, 403, "access_denied", "Access denied.", AUTH, "region"),
    (ALIBABA, 404, "ModelNotFound", "Model can not be found.", NO_MODEL, "console"),
    (ALIBABA, 404, "model_not_found", "The model `x` does not exist.", NO_MODEL, "console"),
    (ALIBABA, 429, "Throttling", "Requests throttling triggered.", LIMITED, None),
    (ALIBABA, 429, "Throttling.RateQuota", "Requests rate limit exceeded.", LIMITED, None),
    (ALIBABA, 429, "limit_requests", "You exceeded your current quota.", LIMITED, None),
    (ALIBABA, 429, "Throttling.BurstRate", "Request rate increased too quickly.", LIMITED, None),
    (ALIBABA, 429, "limit_burst_rate", "Request rate increased too quickly.", LIMITED, None),
    (ALIBABA, 429, "Throttling.AllocationQuota", "Allocated quota exceeded.", LIMITED, None),
    (ALIBABA, 429, "insufficient_quota", "You exceeded your current quota.", SPENT, "spent"),
    (ALIBABA, 400, "InvalidParameter", FETCH, NO_IMAGE, None),
    (ALIBABA, 400, "invalid_parameter_error", NEEDS_JSON, REJECTED, "JSON"),
    (ARK, 400, "SensitiveContentDetected", "…", FILTERED, "inappropriate"),
    (ARK, 400, "SensitiveContentDetected.Violence", "…", FILTERED, "inappropriate"),
    (ARK, 400, "SensitiveContentDetected.SevereViolation", "…", FILTERED, "inappropriate"),
    (ARK, 400, "InputTextSensitiveContentDetected", "…", FILTERED, "inappropriate"),
    (ARK, 400, "InputImageSensitiveContentDetected", "…", FILTERED, "inappropriate"),
    (ARK, 400, "InputImageSensitiveContentDetected.PolicyViolation", "…", FILTERED, "picture"),
    (ARK, 400, "OutputTextSensitiveContentDetected", "…", FILTERED, "inappropriate"),
    (ARK, 400, "OutputImageSensitiveContentDetected", "…", FILTERED, "inappropriate"),
    (ARK, 400, "InputTextRiskDetection", "…", FILTERED, "inappropriate"),
    (ARK, 400, "OutputTextRiskDetection", "…", FILTERED, "inappropriate"),
    (ARK, 400, "OutofContextError", "The request is out of context.", TOO_LONG, None),
    (ARK, 401, "AuthenticationError", "The API key is missing or invalid.", AUTH, "region"),
    (ARK, 403, "AccountOverdueError", "The account has an overdue balance.", ACCOUNT, "overdue"),
    (ARK, 403, "AccessDenied", "The request has no permission.", AUTH, "right"),
    (ARK, 403, "OperationDenied.PermissionDenied", "…", AUTH, "right"),
    (ARK, 403, "OperationDenied.ServiceNotOpen", "…", AUTH, "right"),
    (ARK, 404, "InvalidEndpointOrModel.NotFound", "It does not exist.", NO_MODEL, "opened"),
    (ARK, 404, "InvalidEndpoint.NotFound", "It does not exist.", NO_MODEL, "opened"),
    (ARK, 404, "ModelNotOpen", "It has not been activated.", NO_MODEL, "opened"),
    (ARK, 404, "UnsupportedModel", "It does not support this.", NO_MODEL, "opened"),
    (ARK, 429, "RateLimitExceeded.EndpointRPMExceeded", "…", LIMITED, None),
    (ARK, 429, "RateLimitExceeded.EndpointTPMExceeded", "…", LIMITED, None),
    (ARK, 429, "ModelAccountRpmRateLimitExceeded", "…", LIMITED, None),
    (ARK, 429, "ModelAccountTpmRateLimitExceeded", "…", LIMITED, None),
    (ARK, 429, "AccountRateLimitExceeded", "…", LIMITED, None),
    (ARK, 429, "InflightBatchsizeExceeded", "…", LIMITED, None),
    (ARK, 429, "RequestBurstTooFast", "…", LIMITED, None),
    (ARK, 429, "ServerOverloaded", "The service is overloaded.", AWAY, None),
    (ARK, 429, "SetLimitExceeded", "The model has been paused.", SPENT, "spent"),
    (ARK, 429, "QuotaExceeded", "The free trial is exhausted.", SPENT, "spent"),
    (ARK, 400, "InvalidParameter", "Timeout while downloading url: …", NO_IMAGE, None),
    ("llama-cpp", 503, None, "Loading model", (503, "upstream_starting", True), None),
    ("vllm", 400, None, "This model's maximum context length is 4096.", TOO_LONG, None),
    ("vllm", 400, None, "It is longer than the maximum model length of 4096.", TOO_LONG, None),
    ("vllm", 404, None, "The model `x` does not exist.", NO_MODEL, "served-model-name"),
    ("ollama", 404, None, NO_PULL, NO_MODEL, "ollama pull"),
    ("ollama", 400, None, "the input length exceeds the context length", TOO_LONG, None),
    ("openai", 401, "invalid_api_key", "Incorrect API key provided.", AUTH, "API_KEY"),
    ("openai", 401, "account_deactivated", "…", ACCOUNT, "console"),
    ("openai", 404, "model_not_found", "The model `x` does not exist.", NO_MODEL, "names"),
    ("openai", 400, "context_length_exceeded", "It has 9000 tokens.", TOO_LONG, None),
    ("openai", 400, "content_policy_violation", "…", FILTERED, None),
    ("openai", 400, "content_filter", "…", FILTERED, None),
    ("openai", 400, "unsupported_parameter", "'temperature' is …", REJECTED, "Reasoning"),
    ("openai", 400, "unsupported_value", "'temperature' does …", REJECTED, "Reasoning"),
    ("openai", 400, "invalid_image_url", "Failed to download image.", NO_IMAGE, None),
    ("openai", 400, None, "Timeout while downloading it.", NO_IMAGE, None),
    ("openai", 429, "insufficient_quota", "You exceeded your current quota.", SPENT, "spent"),
    ("openai", 429, "billing_hard_limit_reached", "…", SPENT, "quota"),
    ("openai", 429, "rate_limit_exceeded", "Rate limit reached.", LIMITED, None),
    ("generic", 500, "rate_limit_exceeded", "Slow down.", LIMITED, None),
    ("generic", 402, "insufficient_balance", "Insufficient Balance", ACCOUNT, "balance"),
]

# Without words that say more than the status.
PLAIN: list[Case] = [
    (ALIBABA, 400, None, "Required body invalid, please check it.", REJECTED, None),
    (ALIBABA, 400, "InvalidParameter", "The temperature is wrong.", REJECTED, None),
    (ALIBABA, 400, "invalid_parameter_error", "The temperature is wrong.", REJECTED, None),
    (ALIBABA, 400, "InvalidURL", "url error, please check it.", REJECTED, None),
    (ALIBABA, 400, "UnsupportedOperation", "It is unsupported.", REJECTED, None),
    (ALIBABA, 413, "BadRequest.TooLarge", "Payload Too Large", REJECTED, None),
    (ALIBABA, 408, "RequestTimeOut", "Request timed out.", LATE, None),
    (ALIBABA, 500, "InternalError", "An internal error has occurred.", FAILED, None),
    (ALIBABA, 503, "ModelServiceFailed", "Failed to request it.", AWAY, None),
    (ALIBABA, 504, None, "Gateway Time-out", LATE, None),
    (ARK, 400, "MissingParameter", "The parameter messages is missing.", REJECTED, None),
    (ARK, 400, "InvalidParameter", "It is not valid.", REJECTED, None),
    (ARK, 400, "InvalidParameter.UnknownParameter", "It is unknown.", REJECTED, None),
    (ARK, 500, "InternalServiceError", "An internal error.", FAILED, None),
    ("llama-cpp", 400, None, "'messages' is required", REJECTED, None),
    ("vllm", 401, None, "Unauthorized", AUTH, "API_KEY"),
    ("vllm", 422, None, "Field required", REJECTED, None),
    ("ollama", 500, None, "llama runner has terminated", FAILED, None),
    ("openai", 403, "unsupported_country_region_territory", "…", AUTH, None),
    ("openai", 500, "server_error", "The server had an error.", FAILED, None),
    ("openai", 500, None, "The limit of the memory is reached.", FAILED, None),
    ("openai", 503, None, "The engine is overloaded.", AWAY, None),
]

HARMLESS = [
    "Unknown parameter: 'foo'.",
    "Invalid type for 'temperature': expected a decimal, but got a string instead.",
    "Invalid value: 'x'. Supported values are: 'system', 'assistant', 'user' and 'tool'.",
    "max_tokens is too large: 100000. This model supports at most 16384 completion tokens.",
    "An assistant message with 'tool_calls' must be followed by tool messages.",
    "Invalid schema for response_format 'x': In context=(), 'additionalProperties' is required.",
    "Unsupported image format: only png, jpeg, gif and webp.",
    "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
    "Range of max_tokens should be [1, 8192]",
    "<400> InternalError.Algo.InvalidParameter: Temperature should be in (0.0, 2.0)",
    "Required body invalid, please check the request body format.",
    "parameter.enable_thinking is not supported by this model.",
    "The thinking_budget parameter must be a positive integer.",
    "The parameter `temperature` specified in the request is not valid.",
    "Tool names are not allowed to be [search].",
    "The content field is a required field.",
    "top_p must be in (0, 1], got 0.0.",
    "1 validation error for ChatCompletionRequest: messages: Field required",
    "Requested token count exceeds the limit of logprobs, which is 20.",
    "the model does not support thinking",
    "invalid format: expected json or a JSON schema",
    "Failed to parse grammar",
    "Either temperature or top_p can be changed, not both; limits apply per request.",
    "stop: ensure this value has at most 4 items",
    "messages: the roles after the optional system message should alternate",
    "输入参数不合法：temperature 应小于 2。",
]
# A caller chooses the quoted words: they must neither open the circuit nor be taken for a cause.
QUOTED = [
    "Invalid value: 'invalid_api_key'. Supported values are: 'none', 'auto' and 'required'.",
    "Tool names are not allowed to be [access_denied].",
    "Invalid value for 'tool_choice': no function is called 'quota_exceeded'.",
    "Tool choice 'arrearage' was not found in 'tools'.",
    "The model called the tool 'get_weather', which does not exist.",
]


def reader_of(name: str) -> ErrorClassifier:
    """Make the reader of an upstream with such a profile."""
    return ErrorClassifier(choose_profile(PROFILES, "", name).rules)


def read(name: str, status: int, document: object) -> Fault:
    """Read an answer with such a status as the upstream's client does."""
    response = requests.Response()
    response.status_code = status
    return reader_of(name).of_status(response, orjson.dumps(document))


def compatible(code: object, message: str) -> dict[str, Any]:
    """Write an error as OpenAI does."""
    error = {"code": code, "param": None, "message": message, "type": "some_error"}
    return {"error": error, "request_id": "1"}


def check_hint(fault: Fault, word: str | None) -> None:
    """Find the word in the hint; no word stands for no hint."""
    hint = fault.error.hint
    assert (hint is None) if word is None else (hint is not None and word in hint)


@each("case", CODED + PLAIN)
def test_an_error_of_a_vendor_is_known(case: Case) -> None:
    name, status, code, message, told, hint = case

    fault = read(name, status, compatible(code, message))

    assert described(fault.error) == told
    check_hint(fault, hint)


@each("case", [c for c in CODED + PLAIN if c[2]])
def test_an_error_in_the_shape_of_the_native_api_is_known(case: Case) -> None:
    name, status, code, message, told, _ = case

    fault = read(name, status, {"code": code, "message": message, "request_id": "1"})

    assert described(fault.error) == told


@each("case", CODED)
def test_an_error_is_known_inside_an_answer_with_status_200(case: Case) -> None:
    name, _, code, message, told, hint = case

    with pytest.raises(Fault) as raised:
        parse_answer(orjson.dumps(compatible(code, message)), classifier=reader_of(name))

    assert described(raised.value.error) == told
    check_hint(raised.value, hint)
    assert not raised.value.is_repeatable


@each(("name", "status"), [(ALIBABA, 429), (ARK, 503), ("generic", 400)])
def test_an_embedded_error_may_give_its_status_as_its_code(name: str, status: int) -> None:
    expected = {429: LIMITED, 503: AWAY, 400: REJECTED}[status]

    with pytest.raises(Fault) as raised:
        parse_answer(orjson.dumps(compatible(status, "…")), classifier=reader_of(name))

    assert described(raised.value.error) == expected


@each("case", CODED + PLAIN)
def test_what_helps_when_repeated_is_repeated(case: Case) -> None:
    name, status, code, message, told, _ = case

    fault = read(name, status, compatible(code, message))

    assert fault.is_repeatable == told[2]
    assert fault.error.allows_failover == (told[0] not in {400, 404})


@each(
    ("status", "kind", "told"),
    [
        (400, "exceed_context_size_error", TOO_LONG),
        (500, "exceed_context_size_error", TOO_LONG),
        (401, "authentication_error", AUTH),
        (400, "invalid_request_error", REJECTED),
    ],
)
def test_llama_cpp_names_the_cause_in_the_type(status: int, kind: str, told: Told) -> None:
    error = {"code": status, "message": "…", "type": kind}

    for name in sorted(PROFILES):
        assert described(read(name, status, {"error": error}).error) == told


def test_a_model_that_is_loaded_is_worth_a_wait_of_five_seconds() -> None:
    fault = read("llama-cpp", 503, compatible(503, "Loading model"))

    assert fault.error.retry_after == 5


@each("shape", ["text", "plain"])
def test_ollama_and_vllm_have_shapes_of_their_own(shape: str) -> None:
    plain = {"object": "error", "message": "The model `x` does not exist.", "code": 404}
    document = {"text": {"error": NO_PULL}, "plain": plain}[shape]

    fault = read({"text": "ollama", "plain": "vllm"}[shape], 404, document)

    assert described(fault.error) == NO_MODEL


@each(
    "message",
    [
        "parameter.enable_thinking must be set to false for non-streaming calls",
        "parameter.enable_thinking only support stream call",
        "This model only support stream mode, please enable the stream parameter.",
    ],
)
@each("name", [ALIBABA, "generic"])
def test_a_model_that_only_streams_is_told_apart(name: str, message: str) -> None:
    document = compatible("invalid_parameter_error", message)

    with pytest.raises(StreamingRequired):
        read(name, 400, document)
    with pytest.raises(Fault) as raised:  # an answer has begun: too late to ask for a stream
        parse_answer(orjson.dumps(document), classifier=reader_of(name))
    assert described(raised.value.error) == REJECTED


@each("message", HARMLESS)
def test_a_harmless_refusal_is_no_more_than_that(message: str) -> None:
    for name in PROFILES:
        error = read(name, 400, compatible("invalid_parameter_error", message)).error

        assert (described(error), error.hint) == (REJECTED, None)


@each("message", QUOTED)
def test_words_of_a_caller_are_not_taken_for_the_vendors(message: str) -> None:
    document = compatible("invalid_value", message)

    told = {name: described(read(name, 400, document).error) for name in PROFILES}

    assert told == dict.fromkeys(PROFILES, REJECTED)


def test_a_message_of_megabytes_is_not_searched_to_its_end() -> None:
    document = compatible("invalid_value", "model download throttl " * 400_000)
    began_at = time.thread_time()

    fault = read("generic", 400, document)

    assert time.thread_time() - began_at < 3  # of the processor's; the whole takes 10
    assert described(fault.error) == REJECTED
