"""The layout sketch is an upstream like the others: it fits, refuses, draws and counts."""

from collections import Counter
from typing import Any

import pytest
from PIL import ImageFont

from llm_api.domain.images import ImageRequest, SizePolicy
from llm_api.domain.making import InputPicture, Notice, Size
from llm_api.domain.tasks import CancelState
from llm_api.errors import InvalidRequest, NotFound, Unavailable
from llm_api.pictures.facts import PicturesUnavailable
from llm_api.pictures.pictures import Pictures
from llm_api.services.images.layout_sketch import sketch_texts
from llm_api.services.images.layout_sketch.sketch_upstream import LayoutSketch
from tests.services.images.layout_sketch.asking import LOAD, files, sketch

PICTURE = InputPicture("f", "image/png", 9, 9, 99)


@pytest.fixture
def upstream(pictures: Pictures) -> LayoutSketch:
    return LayoutSketch(pictures)


def test_it_is_named_as_its_only_model(upstream: LayoutSketch) -> None:
    assert (upstream.name, upstream.default_model) == ("layout-sketch", "layout-sketch")


@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp"])
def test_every_format_can_be_asked_for(pictures: Pictures, output_format: str) -> None:
    result = sketch(pictures, "a cat", output_format=output_format, output_compression=70)

    facts = pictures.inspect(files(result)[0])
    assert facts.media_type == f"image/{output_format}"


@pytest.mark.parametrize("size", [Size(256, 256), Size(1000, 333), Size(256, 2048)])
def test_every_size_within_the_limits_is_made(pictures: Pictures, size: Size) -> None:
    facts = pictures.inspect(files(sketch(pictures, "ten cats, 'HELLO'", size=size))[0])

    assert (facts.width, facts.height) == (size.width, size.height)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, Size(1024, 1024)),
        ({"aspect_ratio": "16:9"}, Size(1360, 768)),
        ({"aspect_ratio": "9:16", "resolution": "2K"}, Size(1536, 2728)),
        ({"aspect_ratio": "21:9", "resolution": "4K"}, Size(6256, 2680)),
        ({"aspect_ratio": "auto", "resolution": "4K"}, Size(4096, 4096)),
    ],
)
def test_a_ratio_and_a_resolution_make_a_size(
    upstream: LayoutSketch, fields: dict[str, str], wanted: Size
) -> None:
    assert upstream.fit(ImageRequest("a cat", **fields), "layout-sketch").size == wanted


@pytest.mark.parametrize("size", [Size(100, 100), Size(9000, 300), Size(5000, 5000)])
def test_a_size_beyond_the_limits_is_refused_with_one_within(
    upstream: LayoutSketch, size: Size
) -> None:
    with pytest.raises(InvalidRequest, match="size: must have sides of 256 to 8192") as raised:
        upstream.fit(ImageRequest("a cat", size=size), "layout-sketch")

    assert raised.value.reason == "invalid_size"
    width, height = raised.value.message.rpartition("such as ")[2].rstrip(".").split("x")
    legal = Size(int(width), int(height))
    assert upstream.fit(ImageRequest("a cat", size=legal), "layout-sketch").size == legal


@pytest.mark.parametrize(
    ("size", "made"),
    [
        (Size(128, 64), Size(512, 256)),
        (Size(8000, 8000), Size(4096, 4096)),
        (Size(9, 90_000), Size(256, 8192)),
    ],
)
def test_the_nearest_size_has_the_same_proportions(
    upstream: LayoutSketch, size: Size, made: Size
) -> None:
    request = ImageRequest("a cat", size=size, size_policy=SizePolicy.NEAREST)

    fitted = upstream.fit(request, "layout-sketch")

    assert fitted.size == made
    told = Notice("size", "adapted", f"The picture has {made} instead of {size}.")
    assert fitted.notices == (told,)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"references": (PICTURE,)}, "images"),
        ({"is_edit": True}, "images"),
        ({"mask": PICTURE}, "mask"),
        ({"n": 11}, "n"),
        ({"output_format": "gif"}, "output_format"),
        ({"background": "transparent", "output_format": "jpeg"}, "background"),
        ({"resolution": "8K"}, "resolution"),
        ({"aspect_ratio": "wide"}, "aspect_ratio"),
        ({"aspect_ratio": "0:1"}, "aspect_ratio"),
    ],
)
def test_what_it_cannot_do_is_refused_by_name(
    upstream: LayoutSketch, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequest) as raised:
        upstream.fit(ImageRequest("a cat", **fields), "layout-sketch")

    assert [one.field for one in raised.value.fields] == [field]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, []),
        ({"quality": "auto"}, []),
        ({"quality": "high"}, [("quality", "dropped")]),
        ({"negative_prompt": "dogs"}, [("negative_prompt", "emulated")]),
        ({"extra": {"style": "vivid"}}, [("style", "dropped")]),
    ],
)
def test_what_has_no_effect_is_told(
    upstream: LayoutSketch, fields: dict[str, Any], told: list[tuple[str, str]]
) -> None:
    notices = upstream.fit(ImageRequest("a cat", **fields), "layout-sketch").notices

    assert [(notice.field, notice.code) for notice in notices] == told


def test_the_same_seed_draws_the_same(pictures: Pictures) -> None:
    prompt = "three red cats, a dog and 'HELLO'"

    first, second = (sketch(pictures, prompt, seed=5) for _ in range(2))

    assert files(first) == files(second)
    assert files(first) != files(sketch(pictures, prompt, seed=6))


def test_each_picture_of_several_has_the_next_seed(pictures: Pictures) -> None:
    result = sketch(pictures, "two cats and a dog", n=3, seed=5)

    assert [picture.seed for picture in result.files] == [5, 6, 7]
    assert len(set(files(result))) == 3
    assert files(result)[1] == files(sketch(pictures, "two cats and a dog", seed=6))[0]


def test_without_a_seed_one_is_drawn_and_told(pictures: Pictures) -> None:
    seeds = Counter(sketch(pictures, "a cat", seed=None).files[0].seed for _ in range(3))

    assert len(seeds) == 3


def test_pictures_and_pixels_are_counted(pictures: Pictures) -> None:
    usage = sketch(pictures, "a cat", n=2, size=Size(300, 400)).usage

    assert (usage.images, usage.pixels, usage.input_images) == (2, 240_000, 0)


def test_a_transparent_background_is_transparent(pictures: Pictures) -> None:
    [file] = files(sketch(pictures, "a cat", background="transparent"))

    assert pictures.inspect(file).has_alpha


def test_nothing_is_sent_anywhere(upstream: LayoutSketch) -> None:
    assert upstream.preview(upstream.fit(ImageRequest("a cat"), "layout-sketch")) == []


def test_its_call_is_an_attempt_and_begins_before_the_drawing(upstream: LayoutSketch) -> None:
    begun: list[str] = []
    call = upstream.new_call(lambda: False, lambda: begun.append("attempt"), time_limit=60)
    fitted = upstream.fit(ImageRequest("a cat", size=Size(256, 256)), "layout-sketch")

    upstream.create(fitted, 0, call, LOAD, on_sent=lambda: begun.append("sent"))

    assert begun == ["attempt", "sent"]
    [attempt] = call.attempts
    assert (attempt.upstream, attempt.model, attempt.reason) == (
        "layout-sketch",
        "layout-sketch",
        None,
    )


def test_a_drawing_that_fails_may_be_tried_again() -> None:
    class Failing(Pictures):
        def draw(self, drawing: object) -> bytes:
            raise PicturesUnavailable(str(type(drawing)))

    with pytest.raises(Unavailable) as raised:
        sketch(Failing(), "a cat")

    assert (raised.value.retryable, raised.value.may_have_charged) == (True, False)


def test_it_has_no_tasks(upstream: LayoutSketch) -> None:
    assert upstream.cancel("t", "layout-sketch") is CancelState.NOT_SUPPORTED
    with pytest.raises(NotFound):
        upstream.poll("t", "layout-sketch", 0)


def test_the_font_has_all_that_is_said_to_be_writable() -> None:
    """A sign that it lacks would be an empty box in the picture."""
    font = ImageFont.load_default(40)
    lacking = bytes(font.getmask("\uffff"))
    signs = [sign for sign in sketch_texts._SIGNS if sign != " "]

    assert [sign for sign in signs if bytes(font.getmask(sign)) == lacking] == []
