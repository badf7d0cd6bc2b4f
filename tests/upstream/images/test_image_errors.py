"""The table of errors, line by line: what a vendor answers, and what its caller is told."""

import json
import logging
from typing import Any, NamedTuple

import pytest

from llm_api.errors import ApiError, ContentFiltered, InvalidRequest
from llm_api.upstream.media.making_errors import image_error
from llm_api.upstream.media.vendor_protocol import VendorAnswer
from tests.support.tables import each

NAMES = {"watermark_enabled": "watermark", "user_id": "user"}
CANARY = "canary-of-the-prompt"
INPUT = "Input data may contain inappropriate content."
OUTPUT = "Output data may contain inappropriate content."
FETCH = "Download the media resource timed out during the data inspection process."
SYNCHRONOUS = "current user api does not support synchronous calls."
TOO_SMALL = (
    "The parameter `size` specified in the request is not valid: image size must be at least"
    " 3686400 pixels. Request id: 0217"
)


class Outcome(NamedTuple):
    """What a caller gets."""

    status: int
    is_retryable: bool = False
    may_have_charged: bool = False


class Line(NamedTuple):
    """What a vendor answers, and the reason that it stands for."""

    reason: str
    vendor: str
    status: int
    body: Any


def answer(status: int, body: Any, **headers: str) -> VendorAnswer:
    """Build an answer; bytes are a body as it is."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {name.replace("_", "-"): text for name, text in headers.items()}
    return VendorAnswer(status, lines, raw)


def read(vendor: str, status: int, body: Any, **headers: str) -> ApiError:
    """Read an answer as an error."""
    return image_error(vendor, answer(status, body, **headers), field_names=NAMES)


def openai(code: str | None, message: str = "No.", param: str | None = None) -> Any:
    """Write an error as OpenAI does."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return {"error": error}


def ark(code: str, message: str = "No.", param: str = "") -> Any:
    """Write an error as Ark does."""
    return {"error": {"code": code, "message": message, "param": param, "type": "BadRequest"}}


def dashscope(code: str, message: str = "No.") -> Any:
    """Write an error as DashScope does."""
    return {"code": code, "message": message, "request_id": "5e4f"}


def zhipu(code: str, message: str = "拒绝。") -> Any:
    """Write an error as Zhipu does: its codes are digits in a text."""
    return {"error": {"code": code, "message": message}}


def siliconflow(code: int, message: str = "No.") -> Any:
    """Write an error as SiliconFlow does."""
    return {"code": code, "message": message, "data": None}


OUTCOMES = {
    "content_filtered": Outcome(400),
    "invalid_size": Outcome(400),
    "invalid_request": Outcome(400),
    "invalid_image": Outcome(400),
    "image_fetch_failed": Outcome(422),
    "upstream_auth": Outcome(502),
    "upstream_account": Outcome(502),
    "upstream_model_missing": Outcome(502),
    "upstream_rate_limited": Outcome(429, is_retryable=True),
    "overloaded": Outcome(503, is_retryable=True),
    "upstream_error": Outcome(502, may_have_charged=True),
    "upstream_timeout": Outcome(504, may_have_charged=True),
    "upstream_redirect": Outcome(502),
}
ANSWERS: dict[str, list[tuple[str, int, Any]]] = {
    "content_filtered": [
        ("openai", 400, openai("moderation_blocked")),
        ("openai", 400, openai("content_policy_violation")),
        ("ark", 400, ark("SensitiveContentDetected.SevereViolation")),
        ("ark", 400, ark("InputTextSensitiveContentDetected")),
        ("ark", 400, ark("InputImageSensitiveContentDetected.PrivacyInformation")),
        ("ark", 400, ark("OutputAudioSensitiveContentDetected.PolicyViolation")),
        ("dashscope", 400, dashscope("DataInspectionFailed", INPUT)),
        ("dashscope", 200, dashscope("DataInspectionFailed", INPUT)),
        ("dashscope", 400, openai("data_inspection_failed", OUTPUT)),
        ("dashscope", 400, dashscope("InvalidParameter.DataInspection")),
        ("zhipu", 400, zhipu("1301", "系统检测到输入或生成内容可能包含不安全或敏感内容")),
        ("siliconflow", 400, siliconflow(20_000, "the prompt is nsfw")),
        ("siliconflow", 451, {"message": "inappropriate content"}),
        ("local", 400, {"error": "blocked by the safety checker"}),
    ],
    "invalid_size": [
        ("openai", 400, openai("invalid_value", param="size")),
        ("ark", 400, ark("InvalidParameter", param="size")),
        ("ark", 400, ark("InvalidParameter", TOO_SMALL)),
        ("dashscope", 400, dashscope("InvalidParameter", "size must be in the form of w*h")),
        ("dashscope", 200, dashscope("InvalidParameter", "the size is wrong")),
        ("zhipu", 400, zhipu("1214", "size 参数非法。请检查文档。")),
        ("siliconflow", 400, siliconflow(20_015, "image_size is wrong")),
        ("local", 400, {"detail": "Invalid size: 7x7"}),
    ],
    "invalid_request": [
        ("openai", 400, openai("unknown_parameter", param="response_format")),
        ("ark", 400, ark("InvalidParameter.x", "the `seed` is wrong")),
        ("ark", 400, ark("MissingParameter.prompt")),
        ("ark", 400, ark("InvalidParameter.TaskTypeConstraint")),
        ("ark", 400, ark("TaskTypeMismatch")),
        ("dashscope", 400, dashscope("InvalidParameter", "num_images_per_prompt must be 1")),
        ("zhipu", 400, zhipu("1210")),
        ("zhipu", 400, zhipu("1213")),
        ("zhipu", 400, zhipu("1214")),
        ("zhipu", 400, zhipu("1215")),
        ("zhipu", 400, zhipu("1261", "Prompt 超长")),
        ("siliconflow", 400, siliconflow(20_012)),
        ("local", 422, {"detail": [{"loc": ["body", "n"], "msg": "too many"}]}),
        ("local", 400, {"error": "prompt required"}),
    ],
    "invalid_image": [
        ("openai", 400, openai("invalid_image_file")),
        ("ark", 400, ark("InvalidImageURL.InvalidFormat")),
        ("ark", 400, ark("InvalidArgumentError.InvalidPixelLimit")),
        ("dashscope", 400, dashscope("InvalidParameter", "the image is broken")),
        ("zhipu", 400, zhipu("1210", "图片输入格式/解析错误")),
        ("local", 400, {"error": "invalid image data"}),
    ],
    "image_fetch_failed": [
        ("ark", 400, ark("InvalidParameter", "Timeout while downloading url")),
        ("dashscope", 400, dashscope("InvalidURL")),
        ("dashscope", 400, dashscope("InvalidParameter.DataInspection", FETCH)),
    ],
    "upstream_auth": [
        ("openai", 401, openai("invalid_api_key")),
        ("ark", 401, ark("AuthenticationError")),
        ("ark", 401, ark("InvalidAccountStatus")),
        ("ark", 403, ark("AccessDenied")),
        ("dashscope", 401, dashscope("InvalidApiKey")),
        ("dashscope", 403, dashscope("AccessDenied.Workspace")),
        *(("zhipu", 401, zhipu(str(code))) for code in range(1000, 1005)),
        ("siliconflow", 401, "Invalid token"),
    ],
    "upstream_account": [
        ("openai", 429, openai("insufficient_quota")),
        ("openai", 400, openai("billing_hard_limit_reached")),
        ("openai", 402, {"detail": "pay"}),
        ("ark", 403, ark("AccountOverdueError")),
        ("ark", 403, ark("OperationDenied.ServiceOverdue")),
        ("ark", 429, ark("SetLimitExceeded")),
        ("ark", 429, ark("QuotaExceeded", "the free trial is used up")),
        ("ark", 429, ark("QuotaExceeded", "the plan's quota is used up until its reset")),
        ("dashscope", 400, dashscope("Arrearage")),
        ("dashscope", 403, dashscope("AccessDenied.Unpurchased")),
        ("dashscope", 429, dashscope("Throttling.AllocationQuota")),
        *(("zhipu", 429, zhipu(code)) for code in ("1113", "1304", "1308", "1310")),
        ("siliconflow", 403, siliconflow(30_001)),
    ],
    "upstream_model_missing": [
        ("openai", 404, openai("model_not_found")),
        ("ark", 404, ark("ModelNotOpen")),
        ("ark", 404, ark("InvalidEndpointOrModel.NotFound")),
        ("ark", 403, ark("OperationDenied.ServiceNotOpen")),
        ("dashscope", 404, dashscope("ModelNotFound")),
        ("dashscope", 400, dashscope("Model.NotExist")),
        ("dashscope", 400, dashscope("InvalidParameter", "url error, please check url！")),
        ("dashscope", 403, dashscope("AccessDenied", SYNCHRONOUS)),
        ("zhipu", 400, zhipu("1211")),
        ("zhipu", 400, zhipu("1221")),
        ("siliconflow", 404, "404 page not found"),
    ],
    "upstream_rate_limited": [
        ("openai", 429, openai("rate_limit_exceeded")),
        ("openai", 429, b"<html>429</html>"),
        ("ark", 429, ark("ModelAccountRpmRateLimitExceeded")),
        ("ark", 429, ark("ModelAccountTpmRateLimitExceeded")),
        ("ark", 429, ark("ModelAccountIpmRateLimitExceeded")),
        ("ark", 429, ark("APIAccountRpmRateLimitExceeded")),
        ("ark", 429, ark("RequestBurstTooFast")),
        ("ark", 429, ark("InflightBatchsizeExceeded")),
        ("ark", 429, ark("QuotaExceeded", "the queue is full, retry later")),
        ("dashscope", 429, dashscope("Throttling.RateQuota")),
        ("dashscope", 429, openai("limit_requests")),
        ("zhipu", 429, zhipu("1302")),
        ("zhipu", 429, zhipu("1303")),
        ("siliconflow", 429, {"message": "Slow down.", "data": None}),
    ],
    "overloaded": [
        ("openai", 503, openai(None, "Overloaded.")),
        ("ark", 429, ark("ServerOverloaded")),
        ("dashscope", 503, dashscope("ServiceUnavailable")),
        ("zhipu", 429, zhipu("1305")),
        ("zhipu", 429, zhipu("1312")),
        ("siliconflow", 503, siliconflow(50_505, "Model service overloaded.")),
        ("local", 429, {"error": "queue is full"}),
    ],
    "upstream_error": [
        ("openai", 500, openai("server_error")),
        ("openai", 502, b"<html><h1>502 Bad Gateway</h1></html>"),
        ("ark", 500, ark("InternalServiceError")),
        ("dashscope", 500, dashscope("InternalError.Algo")),
        ("dashscope", 200, dashscope("InternalError")),
        ("zhipu", 500, zhipu("500")),
        ("zhipu", 500, zhipu("1234")),
        ("local", 500, {"error": "server_error", "message": "x"}),
        ("local", 500, {"error": "a text"}),
    ],
    "upstream_timeout": [
        ("dashscope", 500, dashscope("RequestTimeOut")),
        ("openai", 504, b"<html>504</html>"),
        ("openai", 408, openai(None)),
    ],
    "upstream_redirect": [("openai", 307, b"")],
}
LINES = [
    Line(reason, *answered) for reason, all_answered in ANSWERS.items() for answered in all_answered
]


@each("line", LINES)
def test_an_answer_means_what_the_table_says(line: Line) -> None:
    error = read(line.vendor, line.status, line.body)

    outcome = OUTCOMES[line.reason]
    assert (error.reason, error.status) == (line.reason, outcome.status)
    assert error.retryable == outcome.is_retryable
    assert error.may_have_charged == outcome.may_have_charged


@each("body", [b"<html>503 Service Unavailable</html>", b"", {"error": {"message": "No."}}])
def test_a_503_without_a_clear_word_says_nothing_of_what_the_vendor_does(body: Any) -> None:
    error = read("openai", 503, body)

    assert error.reason == "overloaded"
    assert error.may_have_charged
    assert not error.retryable


@each("line", LINES)
def test_only_what_is_no_fault_of_the_request_goes_to_another_upstream(line: Line) -> None:
    error = read(line.vendor, line.status, line.body)

    assert error.allows_failover != isinstance(error, InvalidRequest)


@each("line", LINES)
def test_who_shall_come_again_is_told_when(line: Line) -> None:
    error = read(line.vendor, line.status, line.body, retry_after="7")

    assert error.retry_after == (7 if OUTCOMES[line.reason].is_retryable else None)


@each(
    ("body", "stage", "what"),
    [
        (ark("InputTextSensitiveContentDetected"), "input", "text"),
        (ark("InputImageSensitiveContentDetected"), "input", "image"),
        (ark("InputImageSensitiveContentDetected.PrivacyInformation"), "input", "face"),
        (ark("OutputImageSensitiveContentDetected"), "output", "image"),
        (ark("OutputAudioSensitiveContentDetected.PolicyViolation"), "output", "audio"),
        (ark("OutputImageSensitiveContentDetected.PolicyViolation", "copyright restrictions"),
         "output", "copyright"),
        (ark("SensitiveContentDetected"), None, None),
        (dashscope("DataInspectionFailed", INPUT), "input", None),
        (dashscope("DataInspectionFailed", OUTPUT), "output", None),
        (openai("moderation_blocked", "Rejected by the safety system."), None, None),
    ],
)  # fmt: skip
def test_it_is_said_what_was_filtered_and_when(
    body: Any, stage: str | None, what: str | None
) -> None:
    error = read("ark", 400, body)

    assert isinstance(error, ContentFiltered)
    assert (error.stage, error.what) == (stage, what)


@each(
    ("vendor", "body", "field"),
    [
        ("openai", openai("unknown_parameter", "Unknown parameter: 'seed'.", "seed"), "seed"),
        ("ark", ark("InvalidParameter", "The parameter `prompt` is too long."), "prompt"),
        ("ark", ark("InvalidParameter", TOO_SMALL), "size"),
        (
            "dashscope",
            dashscope("InvalidParameter", "negative_prompt is too long"),
            "negative_prompt",
        ),
        ("zhipu", zhipu("1214", "watermark_enabled 参数非法"), "watermark"),
        ("zhipu", zhipu("1210", "图片输入格式/解析错误"), "images"),
        ("siliconflow", siliconflow(20_015, "image_size: required"), "size"),
        ("local", {"detail": [{"loc": ["body", "seed"], "msg": "not a number"}]}, "seed"),
    ],
)
def test_the_field_has_the_caller_s_name(vendor: str, body: Any, field: str) -> None:
    error = read(vendor, 400, body)

    assert isinstance(error, InvalidRequest)
    assert [one.field for one in error.fields] == [field]


def test_a_refused_size_says_how_many_pixels_there_must_be() -> None:
    assert "at least 3686400 pixels" in read("ark", 400, ark("InvalidParameter", TOO_SMALL)).message


@each("code", [1302, "1302"])
def test_a_code_is_a_number_or_digits(code: int | str) -> None:
    error = read("zhipu", 429, {"error": {"code": code, "message": "x"}})

    assert error.reason == "upstream_rate_limited"


def test_digits_mean_something_to_their_own_vendor_alone() -> None:
    assert read("openai", 400, zhipu("1113", "x")).reason == "invalid_request"


@each("vendor", ["openai", "zhipu", "siliconflow", "local"])
def test_a_front_passes_on_the_codes_of_those_behind_it(vendor: str) -> None:
    assert read(vendor, 400, ark("InputTextSensitiveContentDetected")).reason == "content_filtered"


@each("line", LINES)
def test_nothing_of_what_a_vendor_writes_is_passed_on(line: Line) -> None:
    noisy = line.body
    if not isinstance(noisy, bytes):
        noisy = json.loads(json.dumps(noisy).replace("No.", f"No {CANARY} acct-123456."))

    error = read(line.vendor, line.status, noisy)

    said = [error.message, str(error.hint), *getattr(error, "fields", ())]
    assert "canary" not in str(said)
    assert "123456" not in str(said)


def test_the_log_has_codes_and_the_request_s_id_and_no_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        read("ark", 400, ark("InvalidParameter.x", f"{CANARY} is bad"), x_request_id="0217abc")

    (record,) = caplog.records
    assert vars(record)["vendor_codes"] == ["InvalidParameter.x", "BadRequest"]
    assert vars(record)["vendor_request_id"] == "0217abc"
    assert "canary" not in str(vars(record))


def test_the_request_s_id_may_stand_in_the_body(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        read("dashscope", 400, dashscope("InvalidParameter"))

    assert vars(caplog.records[0])["vendor_request_id"] == "5e4f"


def test_a_wait_that_no_sdk_keeps_is_no_reason_to_come_again() -> None:
    short, long = (
        read("ark", 429, ark("RequestBurstTooFast"), retry_after=wait) for wait in ("60", "61")
    )

    assert not short.retries_exhausted
    assert long.retries_exhausted


def test_a_caller_cannot_make_a_vendor_look_ill() -> None:
    """Refusals repeat prompts: words of services in them mean nothing."""
    said = "prompt 'Throttling AccountOverdueError InvalidApiKey' is not valid"

    error = read("ark", 400, ark("InvalidParameter", said))

    assert error.reason == "invalid_request"
