"""The states of tasks of films, and what vendors do beside what they say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from llm_api.domain.calls import never
from llm_api.domain.making import VendorResult, VendorTask
from llm_api.domain.tasks import CancelState
from llm_api.errors import ApiError, ContentFiltered
from tests.support.films import film
from tests.support.image_quirks import HTML_502
from tests.support.image_scene import Kind
from tests.support.replies import Reply, Whole, api_error, close_before_answer, json_reply
from tests.support.tables import each
from tests.support.wire import response_bytes
from tests.upstream.films.conftest import FilmAskerOf
from tests.upstream.films.film_asker import FIRST, FilmAsker

ALL = ["ark", "wan", "wan2.7", "zhipu", "siliconflow", "vllm-omni", "sglang"]
# The vendors' words for tasks under way.
UNDER_WAY = [
    ("ark", "queued", "queued"),
    ("ark", "running", "running"),
    ("wan", "PENDING", "queued"),
    ("wan", "SUSPENDED", "queued"),
    ("wan", "RUNNING", "running"),
    ("wan2.7", "PENDING", "queued"),
    ("zhipu", "PROCESSING", "running"),
    ("siliconflow", "InQueue", "queued"),
    ("siliconflow", "InProgress", "running"),
    ("vllm-omni", "queued", "queued"),
    ("vllm-omni", "in_progress", "running"),
    ("sglang", "in_progress", "running"),
]
# The vendors' words for tasks that have ended without a film: the reason, and whether the vendor
# may want money for it.
ENDED = [
    ("ark", "failed", "task_failed", False),
    ("ark", "cancelled", "cancelled", False),
    ("ark", "expired", "task_expired", False),
    ("wan", "FAILED", "task_failed", False),
    ("wan", "CANCELED", "cancelled", False),
    ("wan", "UNKNOWN", "task_not_found", True),
    ("wan2.7", "FAILED", "task_failed", False),
    ("zhipu", "FAIL", "task_failed", False),
    ("siliconflow", "Failed", "task_failed", False),
    ("vllm-omni", "failed", "task_failed", False),
    ("vllm-omni", "cancelled", "cancelled", False),
    ("sglang", "failed", "task_failed", False),
    ("sglang", "deleted", "cancelled", False),
    ("sglang", "expired", "task_expired", False),
]
# What a vendor says of a failure, and what becomes of it.
SAID: list[tuple[str, str, Mapping[str, Any], str]] = [
    (
        "ark",
        "failed",
        {"error": {"code": "OutputVideoSensitiveContentDetected", "message": "No."}},
        "content_filtered",
    ),
    (
        "ark",
        "failed",
        {"error": {"code": "InternalServiceError", "message": "The service failed."}},
        "task_failed",
    ),
    (
        "wan",
        "FAILED",
        {"code": "DataInspectionFailed", "message": "Output data may contain bad content."},
        "content_filtered",
    ),
    (
        "wan",
        "FAILED",
        {"code": "InvalidParameter.DataInspection", "message": "Download the media timed out"},
        "image_fetch_failed",
    ),
    ("wan", "FAILED", {"code": "InternalError.Algo", "message": "x"}, "task_failed"),
    (
        "zhipu",
        "FAIL",
        {"error": {"code": "1301", "message": "系统检测到输入或生成内容可能包含敏感内容"}},
        "content_filtered",
    ),
    ("siliconflow", "Failed", {"reason": "NSFW content detected"}, "content_filtered"),
    ("siliconflow", "Failed", {"reason": "out of memory"}, "task_failed"),
    (
        "vllm-omni",
        "failed",
        {"error": {"code": "500", "message": "CUDA out of memory"}},
        "task_failed",
    ),
    (
        "sglang",
        "failed",
        {"error": {"code": "moderation_blocked", "message": "x"}},
        "content_filtered",
    ),
]
# Statuses of answers by which a vendor says that it has no such task.
GONE = [
    ("ark", 410),
    ("ark", 404),
    ("wan", 404),
    ("zhipu", 400),
    ("siliconflow", 400),
    ("sglang", 404),
]
BARE_STRING = json_reply(401, "Invalid token")
# Of a proxy whose vendor is not there for a moment: a film under way must not be given up for it.
PROXY_S_404 = Whole(response_bytes(404, b"<html>404 Not Found</html>"))
EMPTY_404 = Whole(response_bytes(404, b""))


def looked_at(asker: FilmAsker, *replies: Reply) -> VendorTask | VendorResult:
    """Ask for a film, and look at its task once."""
    asker.vendor.on("poll", *replies)
    return asker.look(asker.submit())


def failed(asker: FilmAsker, word: str, **more: Any) -> ApiError:
    """Ask for a film that becomes none."""
    asker.vendor.says(word, **more)
    return asker.fails()


@each(("column", "word", "state"), UNDER_WAY)
def test_a_word_is_of_a_task_under_way(
    film_asker: FilmAskerOf, column: str, word: str, state: str
) -> None:
    asker = film_asker(column)
    asker.vendor.says(word)

    found = asker.look(asker.submit())

    assert isinstance(found, VendorTask)
    assert found.state == state


@each(("column", "word", "reason", "charges"), ENDED)
def test_a_word_ends_a_task(
    film_asker: FilmAskerOf, column: str, word: str, reason: str, charges: object
) -> None:
    asker = film_asker(column)

    error = failed(asker, word)

    assert (error.reason, error.may_have_charged) == (reason, charges)
    assert not error.retryable
    assert len(asker.vendor.polls) == 1


@each(("column", "word", "more", "reason"), SAID)
def test_what_the_vendor_says_of_a_failure_is_read(
    film_asker: FilmAskerOf, column: str, word: str, more: Mapping[str, Any], reason: str
) -> None:
    error = failed(film_asker(column), word, **more)

    assert error.reason == reason
    assert "CUDA" not in error.message


@pytest.mark.parametrize("column", ALL)
def test_a_film_is_found(film_asker: FilmAskerOf, column: str) -> None:
    asker = film_asker(column)

    found = asker.ask()

    assert len(found.files) == asker.vendor.charged == len(asker.vendor.creates) == 1
    assert [len(asker.vendor.polls), found.failed] == [2, ()]


@pytest.mark.parametrize("column", ["vllm-omni", "sglang"])
def test_a_film_of_a_server_of_one_s_own_is_fetched_with_its_key(
    film_asker: FilmAskerOf, column: str, tmp_path: Any
) -> None:
    asker = film_asker(column)
    found = asker.film()

    with (tmp_path / "film").open("w+b") as file:
        asker.client.download(found.url or "", "task-1", asker.model, file, 10_000)
        file.seek(0)
        assert file.read() == film()

    assert asker.vendor.downloads[0].header("Authorization") == "Bearer sk-canary-of-the-key"


def test_a_film_of_a_server_that_does_not_repeat_its_id_is_found(film_asker: FilmAskerOf) -> None:
    asker = film_asker("sglang")
    asker.vendor.on("poll", json_reply(200, {"status": "completed"}))

    assert asker.film().url == "/videos/task-00000001/content"


def test_a_film_that_is_too_large_is_not_kept(film_asker: FilmAskerOf, tmp_path: Any) -> None:
    asker = film_asker("sglang")
    found = asker.film()

    with (tmp_path / "film").open("w+b") as file, pytest.raises(ApiError) as raised:
        asker.client.download(found.url or "", "task-1", asker.model, file, 100)

    assert raised.value.reason == "upstream_too_large"


@pytest.mark.parametrize("column", ALL)
@pytest.mark.parametrize("status", [401, 403, 408, 429, 500, 502, 503, 504])
def test_an_answer_about_something_else_says_nothing_of_the_task(
    film_asker: FilmAskerOf, column: str, status: int
) -> None:
    asker = film_asker(column)

    found = looked_at(asker, json_reply(status, {"code": "Throttling", "message": "x"}))

    assert isinstance(found, VendorTask)
    assert len(asker.vendor.creates) == 1


@pytest.mark.parametrize("column", ALL)
@pytest.mark.parametrize(
    "reply",
    [HTML_502, PROXY_S_404, EMPTY_404, BARE_STRING, close_before_answer(), json_reply(200, "x")],
)
def test_what_is_no_answer_says_nothing_of_the_task(
    film_asker: FilmAskerOf, column: str, reply: Reply
) -> None:
    assert isinstance(looked_at(film_asker(column), reply), VendorTask)


@each(("column", "status"), GONE)
def test_a_task_that_the_vendor_does_not_know_may_have_cost_something(
    film_asker: FilmAskerOf, column: str, status: int
) -> None:
    asker = film_asker(column)
    task = asker.submit()
    asker.vendor.on("poll", api_error(status))

    with pytest.raises(ApiError) as raised:
        asker.look(task)

    assert (raised.value.reason, raised.value.may_have_charged) == ("task_not_found", True)


def test_a_limit_between_two_looks_changes_nothing(film_asker: FilmAskerOf) -> None:
    asker = film_asker("wan")
    asker.vendor.on("poll", api_error(429), api_error(500))

    found = asker.ask()

    assert len(found.files) == asker.vendor.charged == len(asker.vendor.creates) == 1


@each(
    ("column", "url", "beside", "prompt", "used"),
    [
        ("ark", "mp4", {"last_frame"}, None, (5.0, 108_900)),
        ("wan", "mp4", set(), "A cat, vivid", (5.0, None)),
        ("wan2.7", "mp4", set(), "A cat, vivid", (5.0, None)),
        ("zhipu", "mp4", {"cover"}, None, (None, None)),
        ("siliconflow", "mp4", set(), None, (None, None)),
        ("vllm-omni", "content", set(), None, (5.0, None)),
        ("sglang", "content", set(), None, (5.0, None)),
    ],
)
def test_what_comes_with_a_film_is_read(
    film_asker: FilmAskerOf, column: str, url: str, beside: set[str], prompt: Any, used: Any
) -> None:
    asker = film_asker(column)

    found = asker.ask(return_last_frame=column == "ark")

    one = found.files[0]
    assert (one.url or "").endswith(url)
    assert (set(one.beside), one.prompt) == (beside, prompt)
    assert (found.usage.seconds, found.usage.output_tokens) == used


def test_a_prompt_that_the_vendor_left_as_it_was_is_no_rewrite(film_asker: FilmAskerOf) -> None:
    assert film_asker("wan").film(is_optimized=True).prompt is None


def test_the_seconds_of_reference_films_are_charged(film_asker: FilmAskerOf) -> None:
    asker = film_asker("wan r2v")
    clip = ("https://example.com/a.mp4",)
    usage = {"duration": 9.5, "output_video_duration": 5, "input_video_duration": 4.5}
    asker.vendor.says("SUCCEEDED", video_url="https://x.oss-cn.aliyuncs.com/a.mp4", usage=usage)

    assert asker.ask(reference_videos=clip).usage.seconds == 9.5
    assert asker.fitted is not None
    assert asker.fitted.longest == 10  # the five of the film, and at most five of the clip


@each(
    ("column", "word", "more"),
    [
        ("wan", "SUCCEEDED", {}),
        ("wan", "SUCCEEDED", {"video_url": ""}),
        ("wan", "SUCCEEDED", {"video_url": 7}),
        ("wan", "SUCCEEDED", {"video_url": "//169.254.169.254/latest"}),
        ("wan2.7", "SUCCEEDED", {"video_url": "/tasks/other"}),
        ("ark", "succeeded", {}),
        ("ark", "succeeded", {"content": None}),
        ("ark", "succeeded", {"content": []}),
        ("ark", "succeeded", {"content": {"video_url": None}}),
        ("ark", "succeeded", {"content": {"video_url": "file:///etc/passwd"}}),
        ("zhipu", "SUCCESS", {"video_result": []}),
        ("zhipu", "SUCCESS", {"video_result": ["x"]}),
        ("zhipu", "SUCCESS", {"video_result": {"url": "https://x"}}),
        ("siliconflow", "Succeed", {}),
        ("siliconflow", "Succeed", {"results": []}),
        ("siliconflow", "Succeed", {"results": {"videos": [{"url": ""}]}}),
    ],
)
def test_a_task_that_is_done_without_a_film_is_a_bad_answer(
    film_asker: FilmAskerOf, column: str, word: str, more: Mapping[str, Any]
) -> None:
    error = failed(film_asker(column), word, **more)

    assert (error.reason, error.may_have_charged) == ("upstream_bad_response", True)


@pytest.mark.parametrize("status", [404, 410])
def test_a_film_that_its_server_has_lost_has_expired(
    film_asker: FilmAskerOf, tmp_path: Path, status: int
) -> None:
    asker = film_asker("sglang")
    url = asker.film().url or ""
    asker.vendor.on("picture", api_error(status))

    with (tmp_path / "film").open("w+b") as file, pytest.raises(ApiError) as raised:
        asker.client.download(url, "task-1", asker.model, file, 10_000)

    assert raised.value.reason == "result_expired"


@pytest.mark.parametrize("column", ALL)
@pytest.mark.parametrize("word", ["", "A_WORD_OF_NEXT_YEAR", "None"])
def test_a_word_that_nobody_knows_is_of_a_task_under_way(
    film_asker: FilmAskerOf, column: str, word: str
) -> None:
    asker = film_asker(column)
    asker.vendor.says(word)

    found = asker.look(asker.submit())

    assert isinstance(found, VendorTask)
    assert found.state == "running"


def test_the_id_of_a_request_is_read_in_either_spelling(film_asker: FilmAskerOf) -> None:
    assert film_asker("wan").ask().vendor_request_id == "021764000000abcdef"


@pytest.mark.parametrize(("column", "progress"), [("vllm-omni", 40), ("sglang", 40), ("ark", None)])
def test_progress_is_told_where_the_vendor_tells_it(
    film_asker: FilmAskerOf, column: str, progress: int | None
) -> None:
    asker = film_asker(column)
    asker.vendor.says(asker.vendor.dialect.words[1])

    found = asker.look(asker.submit())

    assert isinstance(found, VendorTask)
    assert found.progress == progress


@pytest.mark.parametrize("progress", ["40", 101, -1, True, None])
def test_a_progress_that_is_none_is_not_told(film_asker: FilmAskerOf, progress: Any) -> None:
    asker = film_asker("sglang")
    asker.vendor.says("in_progress", progress=progress)

    found = asker.look(asker.submit())

    assert isinstance(found, VendorTask)
    assert found.progress is None


@each(
    ("column", "looks", "state", "requests"),
    [
        ("ark", 0, CancelState.CANCELLED, 1),
        ("ark", 1, CancelState.TOO_LATE, 0),  # it runs
        ("ark", 2, CancelState.TOO_LATE, 0),  # it is done, and a DELETE would delete it
        ("wan", 1, CancelState.CANCELLED, 1),
        ("wan", 2, CancelState.TOO_LATE, 1),
        ("zhipu", 0, CancelState.NOT_SUPPORTED, 0),
        ("siliconflow", 0, CancelState.NOT_SUPPORTED, 0),
        ("vllm-omni", 2, CancelState.CANCELLED, 1),
        ("sglang", 0, CancelState.NOT_SUPPORTED, 0),
    ],
)
def test_a_task_is_cancelled_as_far_as_the_vendor_does_that(
    film_asker: FilmAskerOf, column: str, looks: int, state: CancelState, requests: int
) -> None:
    asker = film_asker(column)
    asker.vendor.studio.polls_needed = 2
    task = asker.submit()
    for looked in range(looks):
        asker.look(task, looked)

    assert asker.cancel(task) is state
    assert len(asker.vendor.cancels) == requests


def test_what_may_not_be_cancelled_any_more_is_too_late(film_asker: FilmAskerOf) -> None:
    asker = film_asker("vllm-omni")
    task = asker.submit()
    asker.vendor.on("cancel", json_reply(409, {"error": {"message": "too late"}}))

    assert asker.cancel(task) is CancelState.TOO_LATE


@each(
    ("kind", "reply"),
    [
        ("cancel", json_reply(500, {"code": "InternalError", "message": "x"})),
        ("cancel", json_reply(429, {"code": "Throttling", "message": "x"})),
        ("cancel", HTML_502),
        ("cancel", close_before_answer()),
        ("poll", HTML_502),  # Ark is asked first whether it has begun
        ("poll", api_error(429)),
    ],
)
def test_a_wish_to_cancel_that_is_not_heard_is_no_refusal(
    film_asker: FilmAskerOf, kind: Kind, reply: Reply
) -> None:
    asker = film_asker("ark")
    task = asker.submit()
    asker.vendor.on(kind, reply)
    asker.vendor.says("queued", "queued")

    with pytest.raises(ApiError):
        asker.cancel(task)

    assert asker.cancel(task) is CancelState.CANCELLED


def test_a_film_that_is_done_survives_the_wish_to_cancel_it(film_asker: FilmAskerOf) -> None:
    asker = film_asker("ark")
    task = asker.submit()
    asker.look(task)
    asker.look(task)

    asker.cancel(task)

    assert isinstance(asker.look(task), VendorResult)


@each(
    ("code", "message", "stage", "what", "advice"),
    [
        (
            "InputImageSensitiveContentDetected.PrivacyInformation",
            "The request failed because the input image may contain real person.",
            "input",
            "face",
            "describe the person",
        ),
        (
            "OutputAudioSensitiveContentDetected.PolicyViolation",
            "The request failed because the output audio may contain sensitive information.",
            "output",
            "audio",
            "retry_without_audio",
        ),
        (
            "SensitiveContentDetected",
            "The output audio of the video may contain sensitive information",
            "output",
            "audio",
            "retry_without_audio",
        ),
        ("InputVideoSensitiveContentDetected", "No.", "input", "video", "film that it was sent"),
        ("InputAudioSensitiveContentDetected", "No.", "input", "audio", "sound that it was sent"),
        ("OutputVideoSensitiveContentDetected", "No.", "output", "video", "what was made"),
        ("InputTextSensitiveContentDetected", "No.", "input", "text", "prompt"),
    ],
)
def test_it_is_told_what_was_refused_and_what_to_do(
    film_asker: FilmAskerOf, code: str, message: str, stage: str, what: str, advice: str
) -> None:
    asker = film_asker("ark")
    asker.vendor.on("create", json_reply(400, {"error": {"code": code, "message": message}}))

    error = asker.fails(pictures=(FIRST,))

    assert isinstance(error, ContentFiltered)
    assert (error.stage, error.what) == (stage, what)
    assert advice in error.message
    assert not error.may_have_charged


@each(
    ("column", "status", "body", "reason", "field"),
    [
        ("siliconflow", 401, "Invalid token", "upstream_auth", None),
        ("siliconflow", 404, "404 page not found", "upstream_model_missing", None),
        ("zhipu", 429, {"error": {"code": "1113", "message": "x"}}, "upstream_account", None),
        ("zhipu", 429, {"error": {"code": "1302", "message": "x"}}, "upstream_rate_limited", None),
        ("zhipu", 400, {"error": {"code": "1301", "message": "x"}}, "content_filtered", None),
        ("zhipu", 401, {"error": {"code": "1002", "message": "x"}}, "upstream_auth", None),
        ("zhipu", 400, {"error": {"code": "1211", "message": "x"}}, "upstream_model_missing", None),
        (
            "ark",
            400,
            {"error": {"code": "InvalidParameter", "message": "x", "param": "ratio"}},
            "invalid_request",
            "aspect_ratio",
        ),
        (
            "ark",
            400,
            {"error": {"code": "InvalidParameter", "param": "content[1].image_url"}},
            "invalid_request",
            None,
        ),
        (
            "ark",
            400,
            {"error": {"code": "InvalidParameter", "message": "`duration` must be 4 to 15"}},
            "invalid_request",
            "duration",
        ),
        (
            "ark",
            400,
            {"error": {"code": "InvalidParameter.TaskTypeConstraint", "message": "x"}},
            "invalid_request",
            None,
        ),
        (
            "ark",
            400,
            {"error": {"code": "InvalidImageURL.InvalidFormat", "message": "x"}},
            "invalid_image",
            None,
        ),
        (
            "wan",
            400,
            {"code": "InvalidParameter", "message": "Field required: input.img_url"},
            "invalid_image",
            "first_frame",
        ),
        (
            "wan",
            200,
            {"code": "InvalidParameter", "message": "size is not valid"},
            "invalid_request",
            "resolution",
        ),
        ("wan", 400, {"code": "InvalidURL", "message": "x"}, "image_fetch_failed", None),
        ("ark", 429, {"error": {"code": "SetLimitExceeded", "message": "x"}}, "upstream_account",
         None),
    ],
)  # fmt: skip
def test_a_refusal_is_told_in_our_words(
    film_asker: FilmAskerOf, column: str, status: int, body: Any, reason: str, field: str | None
) -> None:
    asker = film_asker(column)
    asker.vendor.on("create", *[json_reply(status, body)] * 4)

    error = asker.fails()

    assert error.reason == reason
    assert [one.field for one in getattr(error, "fields", [])] == ([field] if field else [])


def test_a_vendor_that_does_not_answer_is_not_waited_for_as_long_as_a_film_takes(
    film_asker: FilmAskerOf,
) -> None:
    call = film_asker("ark").client.new_call(never, lambda: None, time_limit=3_600)

    assert call.remaining <= 300


def test_a_paid_request_is_not_repeated(film_asker: FilmAskerOf) -> None:
    asker = film_asker("ark")
    asker.vendor.on("create", api_error(500))

    assert asker.fails().may_have_charged
    assert len(asker.vendor.creates) == 1
