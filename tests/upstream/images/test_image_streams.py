"""Pictures that come as a stream: previews at once, and nothing that is paid is lost."""

import json
from typing import Any

import pytest

from llm_api.domain.making import DecodedBase64
from tests.support import image_quirks as quirks
from tests.support import replies
from tests.support.dialects.openai import event
from tests.support.image_upstream import ImageVendor
from tests.support.replies import Reply
from tests.upstream.images.painter import painter_of, square

STREAMED: dict[str, Any] = {"partial_images": 2, "n": 2}
DONE = event("image_generation.completed", {"b64_json": "QUJD", "usage": {"output_tokens": 9}})


def test_previews_come_before_the_pictures() -> None:
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        made = painter.paint(painter.fit(**STREAMED))

    assert vendor.creates[0].json["stream"] is True
    assert [preview.index for preview in painter.previews] == [0, 1, 0, 1]
    assert len(made.files) == vendor.charged == 2
    assert made.failed == ()
    assert (made.usage.images, made.usage.output_tokens) == (2, 8320)


def test_edits_are_streamed_too() -> None:
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        made = painter.paint(painter.fit(references=(square(),), **STREAMED))

    assert len(made.files) == 2
    assert len(painter.previews) == 4


def test_large_pictures_are_streamed() -> None:
    big = "QUJD" * (5 << 20)
    events = [event("image_generation.completed", {"b64_json": big})]
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        vendor.on("create", replies.sse(events, done=True))
        [picture] = painter.paint(painter.fit(partial_images=1)).files

    assert picture.base64 == DecodedBase64(b"ABC" * (5 << 20))


def test_a_whole_answer_to_a_call_for_a_stream_is_read() -> None:
    answer = replies.json_reply(200, {"data": [{"b64_json": "QUJD"}]})
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        vendor.on("create", answer)
        made = painter.paint(painter.fit(partial_images=1))

    assert len(made.files) == 1


def test_a_stream_that_nobody_asked_for_is_read() -> None:
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        vendor.on("create", replies.sse([DONE], done=True))
        made = painter.paint(painter.fit())

    assert [picture.base64 for picture in made.files] == [b"QUJD"]


BLOCKED = event("error", {"error": {"code": "moderation_blocked"}})
BROKEN: dict[str, tuple[Reply, str]] = {
    "reset": (replies.sse([DONE], done=False, ending="reset"), "upstream_disconnected"),
    "ended": (replies.sse([DONE], done=False), "no_image_returned"),
    "refused": (replies.sse([DONE, BLOCKED], done=False), "content_filtered"),
    "no JSON": (replies.sse([DONE, b"data: x\n\n"], done=False), "upstream_bad_response"),
}


@pytest.mark.parametrize(("reply", "reason"), BROKEN.values(), ids=BROKEN)
def test_pictures_before_the_end_of_a_broken_stream_are_kept(reply: Reply, reason: str) -> None:
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        vendor.on("create", reply)
        made = painter.paint(painter.fit(**STREAMED))

    assert [picture.base64 for picture in made.files] == [b"QUJD"]
    assert [one.reason for one in made.failed] == [reason]
    assert len(vendor.creates) == 1


def test_a_stream_that_dies_after_a_preview_may_have_been_paid() -> None:
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        vendor.on("create", quirks.dies_after_a_partial)
        error = painter.fail(partial_images=1)

    assert error.reason == "upstream_disconnected"
    assert error.may_have_charged
    assert len(vendor.creates) == len(painter.previews) == 1


def test_a_stream_without_a_picture_may_have_been_paid() -> None:
    partial = event("image_generation.partial_image", {"b64_json": "QUJD"})
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        vendor.on("create", replies.sse([partial], done=True))
        error = painter.fail(partial_images=1)

    assert (error.reason, error.may_have_charged) == ("no_image_returned", True)


def test_a_refusal_inside_a_stream_is_a_refusal() -> None:
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        vendor.on("create", quirks.moderation_blocked_in_stream())
        error = painter.fail(partial_images=1)

    assert (error.status, error.reason) == (400, "content_filtered")
    assert not error.may_have_charged


def test_events_of_other_kinds_are_passed_over() -> None:
    events = [
        b": ping\n\n",
        b'data: {"type":"image_generation.queued"}\n\n',
        b"data: [1]\n\n",
        f"data: {json.dumps({'type': 7, 'b64_json': 'QQ=='})}\n\n".encode(),
        DONE,
    ]
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        vendor.on("create", replies.sse(events, done=True))
        made = painter.paint(painter.fit(partial_images=1))

    assert len(made.files) == 1
    assert painter.previews == []
