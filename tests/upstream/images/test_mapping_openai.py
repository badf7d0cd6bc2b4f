"""The mapping table's column of OpenAI: what it receives of each of our fields."""

from typing import Any

import pytest

from llm_api.domain.making import InputPicture
from llm_api.errors import InvalidRequest
from tests.support.image_upstream import ImageVendor
from tests.upstream.images.painter import (
    NEAREST,
    Captured,
    captured,
    painter_of,
    size,
    square,
    stored,
)

NEW, OLD = "gpt-image-2", "gpt-image-1.5"


def received(model: str = NEW, **fields: Any) -> Captured:
    """Return what OpenAI has received of a request in one call."""
    [one] = captured("openai", model=model, **fields)
    return one


ROWS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"prompt": "Two cats"}, {"prompt": "Two cats", "model": NEW}),
    ({"n": 10}, {"n": 10}),
    ({}, {"n": 1, "size": "1024x1024", "response_format": None, "stream": None}),
    ({}, {"quality": "auto"}),
    ({"size": size("1536x864")}, {"size": "1536x864"}),
    ({"aspect_ratio": "16:9", "resolution": "2K"}, {"size": "2560x1440"}),
    ({"aspect_ratio": "9:16", "resolution": "2K"}, {"size": "1440x2560"}),
    ({"aspect_ratio": "1:1", "resolution": "1K"}, {"size": "1024x1024"}),
    ({"quality": "high"}, {"quality": "high"}),
    ({"quality": "auto"}, {"quality": "auto"}),
    ({"quality": "hd"}, {"quality": "high"}),
    ({"quality": "xhigh"}, {"quality": "xhigh"}),
    ({"background": "transparent"}, {"background": "transparent"}),
    ({"background": "opaque"}, {"background": "opaque"}),
    ({"background": "auto"}, {"background": None}),
    (
        {"output_format": "webp", "output_compression": 80},
        {"output_format": "webp", "output_compression": 80},
    ),
    ({"output_format": "png"}, {"output_format": "png", "output_compression": None}),
    ({"user": "a" * 64}, {"safety_identifier": "a" * 64, "user": None}),
    ({"watermark": False}, {"watermark": None}),
    ({"is_optimized": True}, {"prompt": "A cat"}),
    ({"partial_images": 2}, {"partial_images": 2, "stream": True}),
    ({"extra": {"moderation": "low"}}, {"moderation": "low"}),
    ({"extra": {"style": "vivid"}, "size_policy": NEAREST}, {"style": None}),
]


@pytest.mark.parametrize(("fields", "expected"), ROWS)
def test_a_field_arrives_as_the_table_says(
    fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    one = received(**fields)

    assert one.request.path == "/v1/images/generations"
    assert one.request.header("Authorization") == "Bearer sk-canary-of-the-key-1"
    assert {name: one.fields.get(name) for name in expected} == expected


def test_a_negative_prompt_becomes_a_sentence() -> None:
    one = received(negative_prompt="dogs, cars.")

    assert one.fields["prompt"] == "A cat. The picture must not show: dogs, cars."
    assert "negative_prompt" not in one.fields


def test_a_negative_prompt_becomes_a_chinese_sentence_for_a_chinese_prompt() -> None:
    one = received(prompt="一只猫", negative_prompt="狗")

    assert one.fields["prompt"] == "一只猫。画面中不要出现：狗。"


def test_a_seed_is_left_out_with_a_word() -> None:
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        request = painter.fit(seed=7)
        painter.paint(request)
        [sent] = vendor.creates

    assert "seed" not in sent.json
    assert [(notice.field, notice.code) for notice in request.notices] == [("seed", "dropped")]


def test_one_picture_is_edited_in_a_form() -> None:
    one = received(OLD, references=(square("a"),), extra={"input_fidelity": "high"})

    assert one.request.path == "/v1/images/edits"
    assert one.files == [("image", stored("a"))]
    assert one.fields == {
        "model": OLD,
        "prompt": "A cat",
        "n": "1",
        "size": "1024x1024",
        "quality": "auto",
        "input_fidelity": "high",
    }


@pytest.mark.parametrize(
    ("model", "width", "height", "expected"),
    [
        (NEW, 6000, 3000, "1472x720"),
        (NEW, 900, 1600, "768x1376"),
        (NEW, 8000, 100, "1776x592"),
        (OLD, 6000, 3000, "1536x1024"),
        (OLD, 900, 1600, "1024x1536"),
    ],
)
def test_an_edit_has_the_shape_of_its_first_picture_and_no_larger_price(
    model: str, width: int, height: int, expected: str
) -> None:
    wide = InputPicture("a", "image/png", width, height, 10)
    with painter_of("openai", "http://127.0.0.1:9/v1") as painter:
        assert str(painter.fit(model=model, references=(wide, square("b"))).size) == expected


def test_several_pictures_and_a_mask_are_edited_in_a_form() -> None:
    pictures = (square("a"), square("b"))
    one = received(references=pictures, mask=square("m"), is_edit=True, size=size("1024x1024"))

    assert one.files == [
        ("image[]", stored("a")),
        ("image[]", stored("b")),
        ("mask", stored("m")),
    ]
    assert one.fields["size"] == "1024x1024"


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"n": 11}, "n", "out_of_range"),
    ({"size": size("1000x1000")}, "size", "invalid_size"),
    ({"size": size("3840x1024")}, "size", "invalid_size"),
    ({"watermark": True}, "watermark", "not_supported"),
    ({"background": "transparent", "output_format": "jpeg"}, "background", "not_supported"),
    ({"resolution": "3K"}, "resolution", "invalid_size"),
    ({"quality": "best"}, "quality", "not_supported"),
    ({"references": (square("a"),) * 17}, "images", "not_supported"),
    ({"mask": square("m")}, "mask", "not_supported"),
    ({"is_edit": True}, "images", "not_supported"),
]


@pytest.mark.parametrize(("fields", "field", "reason"), REFUSED)
def test_what_it_does_not_take_is_refused_by_name(
    fields: dict[str, Any], field: str, reason: str
) -> None:
    nowhere = "http://127.0.0.1:9/v1"
    with painter_of("openai", nowhere) as painter, pytest.raises(InvalidRequest) as refused:
        painter.fit(model=NEW, **fields)

    assert (refused.value.fields[0].field, refused.value.reason) == (field, reason)


def test_usage_and_the_id_of_the_request_come_back() -> None:
    with ImageVendor("openai") as vendor, painter_of("openai", vendor.url) as painter:
        made = painter.paint(painter.fit(n=2))

    assert made.vendor_request_id == "req_openai"
    assert (made.usage.images, made.usage.input_tokens, made.usage.output_tokens) == (2, 12, 4160)
    assert made.usage.raw["total_tokens"] == 4172


def test_the_old_model_makes_three_sizes() -> None:
    one = received(OLD, size=size("1792x1024"), size_policy=NEAREST)

    assert one.fields["size"] == "1536x1024"
