"""Calls that cost money: once, and again only where nothing can have been charged."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from llm_api.domain.making import DecodedBase64, VendorResult, VendorTask
from llm_api.domain.tasks import CancelState
from llm_api.errors import ApiError, NotFound, Unavailable
from llm_api.upstream.media.image_client import ImageClient
from tests.support import image_quirks as quirks
from tests.support import replies
from tests.support.dialects import DIALECTS
from tests.support.image_scene import Scene
from tests.support.image_upstream import ImageVendor
from tests.support.ports import LOOPBACK, closed_port
from tests.support.replies import Reply
from tests.support.waiting import wait_until
from tests.upstream.images.painter import (
    KEY,
    PROFILES,
    Painter,
    load,
    painter_of,
    square,
)

BUSY = replies.api_error(429, "rate_limit_exceeded")
FULL = replies.json_reply(503, {"error": {"code": "ServerOverloaded", "message": "busy"}})


@pytest.fixture
def refused_url() -> Iterator[str]:
    """Hold an address where nobody listens."""
    with closed_port() as port:
        yield f"http://{LOOPBACK}:{port}/v1"


ONCE: dict[str, Reply] = {
    "500": replies.api_error(500),
    "502 of a proxy": quirks.HTML_502,
    "503 of a proxy": replies.raw_reply(
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 6\r\n\r\n<html>"
    ),
    "no answer": replies.close_before_answer(),
    "reset": replies.reset_before_answer(),
    "no HTTP": replies.raw_reply(b"hello\r\n\r\n"),
    "no JSON": quirks.html_instead(),
    "no picture": quirks.without_data(),
    "cut": replies.raw_reply(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
}


@pytest.mark.parametrize("reply", ONCE.values(), ids=ONCE)
def test_what_may_have_been_paid_is_not_asked_again(reply: Reply) -> None:
    with ImageVendor("openai") as vendor, ImageVendor("openai") as other:
        for one in (vendor, other):
            one.on("create", reply)
        with painter_of("openai", vendor.url, other.url) as painter:
            error = painter.fail()

    assert len(vendor.creates) + len(other.creates) == painter.sent == 1
    assert error.may_have_charged
    assert error.retries_exhausted
    assert not error.retryable
    assert not error.allows_failover
    assert painter.pauses == []


@pytest.mark.parametrize("reply", [BUSY, FULL], ids=["429", "503 with a code"])
def test_a_clear_refusal_that_passes_is_repeated_once(reply: Reply) -> None:
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        vendor.on("create", reply)
        made = painter.paint(painter.fit())

    assert len(made.files) == vendor.charged == 1
    assert len(vendor.creates) == painter.sent == 2


def test_a_refusal_that_lasts_is_told_and_was_not_charged() -> None:
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        vendor.on("create", BUSY, BUSY, BUSY)
        error = painter.fail()

    assert len(vendor.creates) == 2
    assert (error.status, error.reason) == (429, "upstream_rate_limited")
    assert not error.may_have_charged


def test_a_filtered_prompt_is_not_repeated_and_was_not_charged() -> None:
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        vendor.on("create", quirks.moderation_blocked())
        error = painter.fail()

    assert (len(vendor.creates), error.status, error.reason) == (1, 400, "content_filtered")
    assert not error.may_have_charged


def test_nothing_was_charged_where_nobody_listens(refused_url: str) -> None:
    with painter_of("openai", refused_url) as painter:
        error = painter.fail()

    assert painter.sent == 0
    assert painter.attempts == ["upstream_unreachable"] * 2
    assert error.allows_failover
    assert not error.may_have_charged


def test_another_address_is_asked_where_nobody_listens(refused_url: str) -> None:
    with (
        ImageVendor("openai") as vendor,
        painter_of("openai", refused_url, vendor.url) as painter,
    ):
        painter.paint(painter.fit())

    assert (vendor.charged, painter.sent) == (1, 1)
    assert painter.attempts == ["upstream_unreachable", None]


def test_another_key_is_asked_where_one_is_refused() -> None:
    with ImageVendor("openai") as vendor, ImageVendor("openai") as other:
        vendor.on("create", replies.api_error(401, "invalid_api_key"))
        with painter_of("openai", vendor.url, other.url) as painter:
            made = painter.paint(painter.fit())

    assert len(made.files) == other.charged == 1


def test_a_refused_key_is_left_alone_for_a_while() -> None:
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        vendor.on("create", replies.api_error(401, "invalid_api_key"))
        first, second = painter.fail(), painter.fail()

    assert (first.reason, second.reason) == ("upstream_auth", "circuit_open")
    assert len(vendor.creates) == 1


def test_failures_of_one_caller_stop_nobody_else() -> None:
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        vendor.on("create", *[replies.api_error(500)] * 5)
        reasons = [painter.fail(caller="a").reason for _ in range(6)]
        made = painter.start(painter.fit(), caller="b")

    assert reasons == ["upstream_error"] * 5 + ["circuit_open"]
    assert isinstance(made, VendorResult)


def test_failures_with_pictures_stop_no_prompts() -> None:
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        vendor.on("create", *[replies.api_error(500)] * 5)
        reasons = [painter.fail(references=(square(),)).reason for _ in range(6)]
        made = painter.paint(painter.fit())

    assert reasons[-1] == "circuit_open"
    assert len(made.files) == 1


def test_a_call_beyond_the_limit_gets_no_place_and_does_not_leave() -> None:
    gate = threading.Event()

    def held(scene: Scene) -> Reply:
        gate.wait(20)
        return DIALECTS["openai"].create(scene)

    with (
        ImageVendor("openai") as vendor,
        painter_of("openai", vendor.url, max_concurrency=1) as painter,
        ThreadPoolExecutor(1) as pool,
    ):
        vendor.on("create", held)
        first = pool.submit(painter.paint, painter.fit())
        wait_until(lambda: len(vendor.creates) == 1, 20, "the first call has not come")
        call = painter.client.new_call(lambda: False, lambda: None, time_limit=0.1)
        with pytest.raises(ApiError) as raised:
            painter.client.create(painter.fit(), 0, call, load, on_sent=lambda: None)
        gate.set()

        assert raised.value.reason == "overloaded"
        assert not raised.value.may_have_charged
        assert len(first.result().files) == len(vendor.creates) == 1


def test_each_call_for_pictures_has_a_connection_of_its_own() -> None:
    """On a kept one the vendor may hang up, and nobody would know whether it was paid."""
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        for _ in range(3):
            painter.paint(painter.fit())

    assert vendor.connections == 3


def test_a_call_that_must_not_be_made_does_not_leave() -> None:
    def forbid() -> None:
        raise Unavailable("No store.", reason="store_unavailable")

    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        call = painter.client.new_call(lambda: False, lambda: None, time_limit=20.0)
        with pytest.raises(ApiError) as raised:
            painter.client.create(painter.fit(), 0, call, load, on_sent=forbid)

    assert raised.value.reason == "store_unavailable"
    assert not raised.value.may_have_charged
    assert vendor.creates == []


def test_a_time_out_may_have_been_paid() -> None:
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        vendor.on("create", replies.hang(30))
        call = painter.client.new_call(lambda: False, lambda: None, time_limit=0.5)
        with pytest.raises(ApiError) as raised:
            painter.client.create(painter.fit(), 0, call, load, on_sent=lambda: None)

    assert raised.value.reason == "upstream_timeout"
    assert raised.value.may_have_charged
    assert len(vendor.creates) == 1


def test_a_client_that_leaves_may_have_to_pay() -> None:
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        vendor.on("create", replies.hang(30))
        has_left: list[bool] = []
        call = painter.client.new_call(lambda: bool(has_left), lambda: None, time_limit=20.0)
        with pytest.raises(ApiError) as raised:
            painter.client.create(
                painter.fit(), 0, call, load, on_sent=lambda: has_left.append(True)
            )

    assert raised.value.reason == "client_closed"
    assert raised.value.may_have_charged


def test_sixty_megabytes_of_base64_arrive() -> None:
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        vendor.on("create", quirks.big_base64(60 << 20))
        [picture] = painter.paint(painter.fit()).files

    assert isinstance(picture.base64, DecodedBase64)
    assert len(picture.base64.data) >= 45 << 20


def test_more_than_that_is_given_up() -> None:
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        vendor.on("create", quirks.big_base64(70 << 20))
        error = painter.fail()

    assert error.reason == "upstream_too_large"
    assert error.may_have_charged


def test_several_pictures_may_be_larger_together() -> None:
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        vendor.on("create", quirks.big_base64(70 << 20))
        made = painter.paint(painter.fit(n=2))

    assert made.files


def test_a_compressed_bomb_is_given_up() -> None:
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        vendor.on("create", replies.gzip_bomb(80 << 20))

        assert painter.fail().reason == "upstream_too_large"


def test_what_is_missing_of_several_pictures_counts_as_failed() -> None:
    item = {"b64_json": "QUJD"}
    answer = replies.json_reply(200, {"data": [item, {"error": {"code": "server_error"}}, {}]})
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        vendor.on("create", answer)
        made = painter.paint(painter.fit(n=4))

    assert [picture.base64 for picture in made.files] == [b"QUJD"]
    assert [one.reason for one in made.failed] == [
        "upstream_error",
        "no_image_returned",
        "no_image_returned",
    ]
    assert made.usage.images == 1


def test_links_are_passed_on() -> None:
    answer = replies.json_reply(200, {"data": [{"url": "https://x.test/1.png", "seed": 5}]})
    with ImageVendor("openai") as vendor, painter_of("generic", vendor.url) as painter:
        vendor.on("create", answer)
        [picture] = painter.paint(painter.fit()).files

    assert (picture.url, picture.base64, picture.seed) == ("https://x.test/1.png", None, 5)


def test_what_the_vendor_has_made_of_the_prompt_comes_back() -> None:
    answer = replies.json_reply(200, {"data": [{"b64_json": "QQ==", "revised_prompt": "Two cats"}]})
    with ImageVendor("openai") as vendor, painter_of("generic", vendor.url) as painter:
        vendor.on("create", answer)
        [picture] = painter.paint(painter.fit()).files

    assert picture.prompt == "Two cats"


def test_zeros_of_servers_that_do_not_count_are_unknown() -> None:
    with ImageVendor("localai") as vendor, painter_of("localai", vendor.url) as painter:
        usage = painter.paint(painter.fit()).usage

    assert (usage.images, usage.input_tokens, usage.output_tokens) == (1, None, None)


def test_an_error_under_200_is_an_error() -> None:
    answer = replies.json_reply(200, {"error": {"code": "moderation_blocked", "message": "No."}})
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        vendor.on("create", answer)

        assert painter.fail().reason == "content_filtered"


# --- previews of the request ---------------------------------------------------------------------


def test_a_preview_shows_what_would_be_sent_and_sends_nothing() -> None:
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        [shown] = painter.client.preview(painter.fit(n=2))
        sent_before = len(vendor.requests)
        painter.paint(painter.fit(n=2))

    assert sent_before == 0
    assert shown == {
        "method": "POST",
        "url": f"{vendor.url}/images/generations",
        "body": vendor.creates[0].json,
    }
    assert KEY not in repr(shown)


def test_a_preview_leaves_pictures_out() -> None:
    pictures = (square("a"), square("b"))
    with painter_of("openai", "https://user@api.openai.com/v1") as painter:
        [shown] = painter.client.preview(painter.fit(references=pictures, mask=square("m")))

    assert shown["url"] == "https://api.openai.com/v1/images/edits"
    assert shown["body"]["image[]"] == ["(a picture)", "(a picture)"]
    assert shown["body"]["mask"] == "(a picture)"
    assert shown["body"]["prompt"] == "A cat"


# --- tasks ---------------------------------------------------------------------------------------


def finish(painter: Painter, task: VendorTask, model: str) -> VendorResult:
    """Look at a task until it has ended."""
    found: VendorResult | VendorTask = task
    for looked in range(10):
        if isinstance(found, VendorResult):
            return found
        found = painter.client.poll(found.id, model, looked)
    raise AssertionError(found)


WAN: dict[str, Any] = {"model": "wan2.2-t2i-flash"}


def started(painter: Painter) -> VendorTask:
    """Start a task."""
    made = painter.start(painter.fit(**WAN))
    assert isinstance(made, VendorTask)
    return made


def test_a_task_is_looked_at_until_its_pictures_are_there() -> None:
    with ImageVendor("dashscope") as vendor, painter_of("dashscope", vendor.url) as painter:
        task = started(painter)
        made = finish(painter, task, WAN["model"])

    assert len(made.files) == vendor.charged == 1
    assert "~" not in task.id


def test_a_task_belongs_to_the_key_that_it_was_started_with() -> None:
    with (
        ImageVendor("dashscope") as vendor,
        ImageVendor("dashscope") as other,
        painter_of("dashscope", vendor.url, other.url) as painter,
    ):
        tasks = [started(painter), started(painter)]
        results = [finish(painter, task, WAN["model"]) for task in tasks]

    assert [len(made.files) for made in results] == [1, 1]
    assert (vendor.charged, other.charged) == (1, 1)


def test_a_look_that_fails_says_nothing_of_the_task() -> None:
    with ImageVendor("dashscope") as vendor, painter_of("dashscope", vendor.url) as painter:
        task = started(painter)
        vendor.on("poll", replies.reset_before_answer(), replies.api_error(429))
        looks = [painter.client.poll(task.id, WAN["model"], 3) for _ in range(2)]
        made = finish(painter, task, WAN["model"])

    assert [isinstance(look, VendorTask) and look.id == task.id for look in looks] == [True, True]
    assert len(made.files) == 1


def test_a_task_is_cancelled_where_the_vendor_can() -> None:
    with ImageVendor("dashscope") as vendor, painter_of("dashscope", vendor.url) as painter:
        task = started(painter)

        assert painter.client.cancel(task.id, WAN["model"]) is CancelState.CANCELLED
        assert len(vendor.cancels) == 1


def test_what_cannot_be_cancelled_is_not(refused_url: str) -> None:
    with painter_of("openai", refused_url) as painter:
        word = painter.client.cancel("task", "gpt-image-2")
        assert word is CancelState.NOT_SUPPORTED


def test_a_wish_to_cancel_that_is_not_heard_is_no_refusal(refused_url: str) -> None:
    with painter_of("dashscope", refused_url) as painter, pytest.raises(ApiError) as raised:
        painter.client.cancel("task", WAN["model"])

    assert raised.value.reason == "upstream_unreachable"


def test_a_model_that_the_profile_does_not_know_is_not_found(refused_url: str) -> None:
    profile = replace(PROFILES["openai"], models={"gpt-*": PROFILES["openai"].models["*"]})
    with painter_of(profile, refused_url) as painter:
        with pytest.raises(NotFound):
            painter.fit(model="flux")

        assert painter.client.knows("gpt-image-2")
        assert not painter.client.knows("flux")


def test_the_client_says_what_it_is() -> None:
    with painter_of("openai", "https://api.openai.com/v1", model="gpt-image-2") as painter:
        client: ImageClient = painter.client

        assert (client.name, client.default_model) == ("image", "gpt-image-2")
        assert client.urls == ("https://api.openai.com/v1",)
        assert client.result_hosts == PROFILES["openai"].result_hosts
