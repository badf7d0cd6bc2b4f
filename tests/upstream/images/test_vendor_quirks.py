"""What vendors of pictures also answer: mixed results, errors under 200, tasks of every state."""

import pytest

from llm_api.domain.making import DecodedBase64, VendorResult, VendorTask
from llm_api.errors import ApiError, ContentFiltered, InvalidRequest
from tests.support import image_quirks as quirks
from tests.support.image_scene import Turn
from tests.support.replies import Reply, close_before_answer, json_reply
from tests.upstream.images.conftest import AskerOf
from tests.upstream.images.picture_asker import PictureAsker

ALL = ("ark", "A", "B", "C", "D", "siliconflow", "zhipu", "zhipu task")


def refused(asker: PictureAsker, *turns: Turn, **fields: object) -> ApiError:
    """Ask for a picture where the vendor answers so, and return the error."""
    asker.vendor.on("create", *turns)
    with pytest.raises(ApiError) as caught:
        asker.ask(**fields)
    return caught.value


def polled(asker: PictureAsker, turn: Turn) -> VendorResult | VendorTask:
    """Submit a task, and look at it once where the vendor answers so."""
    task = asker.submitted()
    asker.vendor.on("poll", turn)
    return asker.look(task)


def failed(asker: PictureAsker, turn: Turn) -> ApiError:
    """Submit a task, and return the error of looking at it."""
    with pytest.raises(ApiError) as caught:
        polled(asker, turn)
    return caught.value


# --- Ark ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [{}, {"partial_images": 1}], ids=["whole", "streamed"])
def test_a_filtered_picture_does_not_take_the_others_with_it(
    picture_asker: AskerOf, fields: dict[str, int]
) -> None:
    """Ark's own SDK raises at `partial_failed`, and the rest is lost."""
    asker = picture_asker("ark")
    asker.vendor.on("create", quirks.ark_items("good", "filtered", "good"))

    made = asker.ask(**fields)

    assert len(made.files) == asker.vendor.charged == 2
    assert [failure.reason for failure in made.failed] == ["content_filtered"]
    assert made.usage.images == 2


@pytest.mark.parametrize("fields", [{}, {"partial_images": 1}], ids=["whole", "streamed"])
def test_an_answer_of_errors_alone_is_one_error(
    picture_asker: AskerOf, fields: dict[str, int]
) -> None:
    asker = picture_asker("ark")

    error = refused(asker, quirks.ark_items("filtered", "filtered"), **fields)

    assert isinstance(error, ContentFiltered)
    assert (error.stage, error.what) == ("output", "image")
    assert not error.may_have_charged


def test_an_error_beside_no_picture_is_read(picture_asker: AskerOf) -> None:
    error = refused(picture_asker("ark"), quirks.ark_error_beside_nothing)

    assert error.reason == "content_filtered"


def test_a_size_with_a_multiplication_sign_is_read(picture_asker: AskerOf) -> None:
    made = picture_asker("ark").ask(partial_images=1)

    assert made.usage.pixels == 2048 * 2048


def test_a_stream_that_ends_with_an_error_has_failed(picture_asker: AskerOf) -> None:
    error = refused(picture_asker("ark"), quirks.ark_stream_error(), partial_images=1)

    assert error.reason == "upstream_error"
    assert error.may_have_charged


def test_a_stream_is_not_answered_with_previews_but_with_the_picture(
    picture_asker: AskerOf,
) -> None:
    asker = picture_asker("ark")

    made = asker.ask(partial_images=1)

    assert asker.previews == []
    assert len(made.files) == 1


def test_a_stream_that_breaks_off_keeps_what_is_paid(picture_asker: AskerOf) -> None:
    asker = picture_asker("ark")
    asker.vendor.on("create", quirks.ark_dies_after_a_picture)

    made = asker.ask(partial_images=1)

    assert len(made.files) == asker.vendor.charged == len(asker.vendor.creates) == 1


def test_too_few_pixels_are_a_wrong_size(picture_asker: AskerOf) -> None:
    error = refused(picture_asker("ark"), quirks.ark_too_few_pixels())

    assert isinstance(error, InvalidRequest)
    assert error.fields[0].field == "size"
    assert "3686400" in error.message


# --- DashScope ------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["A", "B", "C"])
def test_a_code_under_status_200_is_an_error(picture_asker: AskerOf, model: str) -> None:
    reply = quirks.dashscope_refused("DataInspectionFailed", "Input data is bad.", 200)

    error = refused(picture_asker(model), reply)

    assert isinstance(error, ContentFiltered)
    assert error.stage == "input"


def test_the_flat_route_has_errors_of_its_own(picture_asker: AskerOf) -> None:
    error = refused(picture_asker("D"), quirks.dashscope_refused_flat("InvalidApiKey", "x", 401))

    assert error.reason == "upstream_auth"


@pytest.mark.parametrize("model", ["A", "C"])
def test_a_failed_task_is_an_error_under_status_200(picture_asker: AskerOf, model: str) -> None:
    turn = quirks.task_state("FAILED", code="InternalError.Algo", message="Algorithm failed.")

    error = failed(picture_asker(model), turn)

    assert error.reason == "task_failed"
    assert not error.may_have_charged  # failed tasks cost nothing there
    assert not error.retryable


def test_a_task_that_was_filtered_says_so(picture_asker: AskerOf) -> None:
    turn = quirks.task_state("FAILED", code="DataInspectionFailed", message="Output data is bad.")

    error = failed(picture_asker("A"), turn)

    assert isinstance(error, ContentFiltered)
    assert error.stage == "output"


def test_an_unknown_task_has_ended(picture_asker: AskerOf) -> None:
    """It comes with status 200, for tasks that have expired and those of other keys."""
    error = failed(picture_asker("A"), quirks.task_state("UNKNOWN"))

    assert error.reason == "task_not_found"
    assert error.may_have_charged


def test_a_task_that_was_cancelled_elsewhere_has_ended(picture_asker: AskerOf) -> None:
    assert failed(picture_asker("A"), quirks.task_state("CANCELED")).reason == "task_failed"


@pytest.mark.parametrize(
    ("status", "state"),
    [("PENDING", "queued"), ("RUNNING", "running"), ("SUSPENDED", "running"), ("NEW", "running")],
)
def test_any_other_state_is_that_of_a_task_under_way(
    picture_asker: AskerOf, status: str, state: str
) -> None:
    task = polled(picture_asker("A"), quirks.task_state(status))

    assert isinstance(task, VendorTask)
    assert task.state == state


@pytest.mark.parametrize("model", ["A", "C", "zhipu task"])
@pytest.mark.parametrize("status", [401, 403, 408, 429, 500, 502, 503, 504])
def test_an_answer_about_something_else_is_not_the_task_s_failure(
    picture_asker: AskerOf, model: str, status: int
) -> None:
    asker = picture_asker(model)
    task = polled(asker, json_reply(status, {"code": "Throttling", "message": "x"}))

    assert isinstance(task, VendorTask)
    assert len(asker.vendor.creates) == 1


@pytest.mark.parametrize("turn", [quirks.HTML_502, quirks.html_instead(), close_before_answer()])
def test_a_page_of_a_proxy_is_not_the_task_s_failure(picture_asker: AskerOf, turn: Reply) -> None:
    assert isinstance(polled(picture_asker("A"), turn), VendorTask)


@pytest.mark.parametrize("model", ["A", "zhipu task"])
def test_a_task_that_is_gone_has_ended(picture_asker: AskerOf, model: str) -> None:
    error = failed(picture_asker(model), json_reply(404, {"code": "NotFound", "message": "x"}))

    assert error.reason == "task_not_found"


def test_a_task_is_found_after_a_limit_was_met(picture_asker: AskerOf) -> None:
    asker = picture_asker("A")
    asker.vendor.on("poll", quirks.dashscope_refused("Throttling", "x", 429))

    made = asker.ask()

    assert len(made.files) == asker.vendor.charged == len(asker.vendor.creates) == 1


def test_a_task_is_looked_at_less_and_less_often(picture_asker: AskerOf) -> None:
    asker = picture_asker("A")
    asker.vendor.studio.polls_needed = 9
    task = asker.submitted()

    looks = [asker.look(task, looked) for looked in range(5)]

    assert [look.after for look in looks if isinstance(look, VendorTask)] == [2, 3, 5, 8, 8]


def test_results_may_mix_links_and_errors(picture_asker: AskerOf) -> None:
    asker = picture_asker("A")
    asker.vendor.studio.polls_needed = 0
    asker.vendor.on("poll", quirks.task_mixed)

    made = asker.ask(n=3)

    assert len(made.files) == made.usage.images == 2
    assert [failure.reason for failure in made.failed] == ["content_filtered"]


def test_a_link_may_be_one_of_http(picture_asker: AskerOf) -> None:
    asker = picture_asker("A")

    made = polled(asker, quirks.task_with_plain_link)

    assert isinstance(made, VendorResult)
    assert (made.files[0].url or "").startswith("http://dashscope-result-bj.")


def test_texts_before_a_picture_are_its_prompt(picture_asker: AskerOf) -> None:
    asker = picture_asker("B")
    asker.vendor.on("create", quirks.text_before_image)

    made = asker.ask()

    assert [picture.prompt for picture in made.files] == ["A vivid cat."]


@pytest.mark.parametrize(
    ("model", "request_id"),
    [
        ("ark", "021764000000abcdef"),
        ("A", "5e4f3d2c-0000-9999-aaaa-b1b2b3b4b5b6"),
        ("D", "5e4f3d2c-0000-9999-aaaa-b1b2b3b4b5b6"),
        ("siliconflow", "ti_abc"),
        ("zhipu", "rq-zhipu"),
    ],
)
def test_the_vendor_s_id_of_the_request_is_kept(
    picture_asker: AskerOf, model: str, request_id: str
) -> None:
    assert picture_asker(model).ask().vendor_request_id == request_id


def test_the_id_may_be_written_in_camel_case(picture_asker: AskerOf) -> None:
    asker = picture_asker("B")
    asker.vendor.on("create", quirks.request_id_in_camel_case)

    assert asker.ask().vendor_request_id == "rid-camel"


def test_choices_without_a_picture_are_an_error_that_may_cost(picture_asker: AskerOf) -> None:
    error = refused(picture_asker("B"), quirks.choices_without_image())

    assert error.reason == "no_image_returned"
    assert error.may_have_charged


# --- SiliconFlow and Zhipu ------------------------------------------------------------------------


def test_a_refusal_may_be_a_bare_text(picture_asker: AskerOf) -> None:
    error = refused(picture_asker("siliconflow"), quirks.bare_text())

    assert error.reason == "upstream_auth"


def test_the_same_link_twice_is_one_picture(picture_asker: AskerOf) -> None:
    """It stands in `images` and in `data`."""
    made = picture_asker("siliconflow").ask(seed=7)

    assert len(made.files) == 1
    assert made.files[0].seed == 7


def test_no_money_is_no_limit_that_passes(picture_asker: AskerOf) -> None:
    """Zhipu answers 429 to both."""
    asker = picture_asker("zhipu")

    error = refused(asker, quirks.zhipu_refused("1113", status=429))

    assert error.reason == "upstream_account"
    assert len(asker.vendor.creates) == 1


def test_a_failed_task_of_zhipu_may_cost(picture_asker: AskerOf) -> None:
    error = failed(picture_asker("zhipu task"), quirks.zhipu_failed)

    assert error.reason == "task_failed"
    assert error.may_have_charged


# --- Any ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize(
    "turn", [quirks.HTML_502, quirks.html_instead()], ids=["status 502", "status 200"]
)
def test_a_page_instead_of_an_answer_may_cost_and_is_not_asked_for_again(
    picture_asker: AskerOf, model: str, turn: Reply
) -> None:
    asker = picture_asker(model)

    error = refused(asker, turn)

    assert error.may_have_charged
    assert error.reason in {"upstream_error", "upstream_bad_response"}
    assert len(asker.vendor.creates) == 1


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("body", [{}, [], {"data": [], "output": {}}, {"data": [{}]}])
def test_an_answer_without_a_picture_may_cost(
    picture_asker: AskerOf, model: str, body: object
) -> None:
    asker = picture_asker(model)

    error = refused(asker, json_reply(200, body))

    assert error.status == 502
    assert error.may_have_charged
    assert len(asker.vendor.creates) == 1


@pytest.mark.parametrize("model", ALL)
def test_a_connection_that_dies_after_the_work_is_not_asked_for_again(
    picture_asker: AskerOf, model: str
) -> None:
    asker = picture_asker(model)

    error = refused(asker, quirks.dies_after_work)

    assert error.may_have_charged
    assert asker.vendor.charged == len(asker.vendor.creates) == 1


@pytest.mark.parametrize(
    ("model", "turn"),
    [
        ("ark", quirks.ark_refused("ModelAccountIpmRateLimitExceeded", status=429)),
        ("ark", quirks.ark_refused("ServerOverloaded", status=429)),
        ("A", quirks.dashscope_refused("Throttling.RateQuota", status=429)),
        ("siliconflow", quirks.siliconflow_refused(50_505, "overloaded", 503)),
        ("zhipu", quirks.zhipu_refused("1305", status=429)),
    ],
)
def test_a_limit_that_passes_is_waited_for(picture_asker: AskerOf, model: str, turn: Reply) -> None:
    asker = picture_asker(model)
    asker.vendor.on("create", turn)

    made = asker.ask()

    assert len(made.files) == asker.vendor.charged == 1
    assert len(asker.vendor.creates) == 2
    assert sum(asker.pauses) >= 1


def test_a_picture_of_60_megabytes_of_base64_is_read(picture_asker: AskerOf) -> None:
    asker = picture_asker("ark")
    asker.vendor.on("create", quirks.big_base64())

    made = asker.picture()

    assert isinstance(made.base64, DecodedBase64)
    assert len(made.base64.data) == 45 << 20


@pytest.mark.parametrize("value", ["../../etc", "a b", "", 7, None])
def test_a_task_with_an_id_that_is_none_is_refused(picture_asker: AskerOf, value: object) -> None:
    asker = picture_asker("A")
    reply = json_reply(200, {"output": {"task_id": value, "task_status": "PENDING"}})

    error = refused(asker, reply)

    assert error.reason == "upstream_bad_response"
    assert asker.vendor.polls == []
