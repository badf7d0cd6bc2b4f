"""The table of fields by vendor, cell by cell: what is sent, what is emulated, what is refused.

The rows are those of our fields; the columns are Ark, DashScope's four protocols, SiliconFlow and
Zhipu. OpenAI's column and the local servers have files of their own.
"""

import base64

import pytest

from llm_api.domain.making import Size
from llm_api.domain.tasks import CancelState
from llm_api.errors import InvalidRequest
from tests.support.pictures import picture
from tests.upstream.field_tables import (
    FieldCells,
    NoticedCells,
    Sent,
    SentCells,
    assert_not_sent,
    assert_refused,
    assert_sent,
    assert_told,
    cell_name,
)
from tests.upstream.images.conftest import AskerOf
from tests.upstream.images.picture_asker import REFERENCE

DATA_URI = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"
NEGATED = "A cat. The picture must not show: dogs."
WIDE = Size(1664, 928)

SENT: SentCells = [
    ("prompt", "ark", {}, {"prompt": "A cat"}),
    ("prompt", "A", {}, {"input.prompt": "A cat"}),
    ("prompt", "B", {}, {"input.messages.0.content": [{"text": "A cat"}]}),
    ("prompt", "B", {}, {"input.messages.0.role": "user"}),
    ("prompt", "C", {}, {"input.messages.0.content": [{"text": "A cat"}]}),
    ("prompt", "D", {}, {"prompt": "A cat"}),
    ("prompt", "siliconflow", {}, {"prompt": "A cat"}),
    ("prompt", "zhipu", {}, {"prompt": "A cat"}),
    ("negative", "ark", {"negative_prompt": "dogs"}, {"prompt": NEGATED}),
    ("negative", "A", {"negative_prompt": "dogs"}, {"input.negative_prompt": "dogs"}),
    ("negative", "B", {"negative_prompt": "dogs"}, {"parameters.negative_prompt": "dogs"}),
    ("negative", "C", {"negative_prompt": "dogs"}, {"parameters.negative_prompt": "dogs"}),
    (
        "negative",
        "C wan2.7",
        {"negative_prompt": "dogs"},
        {"input.messages.0.content.0.text": NEGATED},
    ),
    ("negative", "D", {"negative_prompt": "dogs"}, {"negative_prompt": "dogs"}),
    ("negative", "siliconflow", {"negative_prompt": "dogs"}, {"negative_prompt": "dogs"}),
    ("negative", "zhipu", {"negative_prompt": "dogs"}, {"prompt": NEGATED}),
    ("n", "A", {}, {"parameters.n": 1}),
    ("n", "A wanx", {}, {"parameters.n": 1}),
    ("n", "A", {"n": 3}, {"parameters.n": 3}),
    ("n", "B", {"n": 3}, {"parameters.n": 3}),
    ("n", "C", {"n": 3}, {"parameters.n": 3}),
    ("n", "D", {"n": 3}, {"n": 3}),
    ("n", "siliconflow kolors", {"n": 3}, {"batch_size": 3}),
    ("size", "ark", {"size": Size(2560, 1440)}, {"size": "2560x1440"}),
    ("size", "A", {"size": Size(1280, 720)}, {"parameters.size": "1280*720"}),
    ("size", "B", {"size": WIDE}, {"parameters.size": "1664*928"}),
    ("size", "C", {"size": Size(1280, 1440)}, {"parameters.size": "1280*1440"}),
    ("size", "D", {"size": WIDE}, {"size": "1664x928"}),
    ("size", "siliconflow", {"size": WIDE}, {"image_size": "1664x928"}),
    ("size", "zhipu", {"size": Size(1344, 768)}, {"size": "1344x768"}),
    ("resolution", "ark", {"resolution": "4K", "aspect_ratio": "16:9"}, {"size": "5504x3040"}),
    ("resolution", "ark", {"aspect_ratio": "3:4"}, {"size": "1728x2304"}),
    ("resolution", "A", {"resolution": "1K"}, {"parameters.size": "1024*1024"}),
    ("resolution", "B", {"resolution": "2K"}, {"parameters.size": "2048*2048"}),
    ("resolution", "B plus", {"aspect_ratio": "16:9"}, {"parameters.size": "1664*928"}),
    ("resolution", "C wan2.7", {"resolution": "4K"}, {"parameters.size": "4096*4096"}),
    ("resolution", "D", {"resolution": "1K"}, {"size": "1024x1024"}),
    ("resolution", "siliconflow", {"aspect_ratio": "16:9"}, {"image_size": "1664x928"}),
    ("resolution", "zhipu", {"resolution": "1K", "aspect_ratio": "9:16"}, {"size": "768x1344"}),
    ("seed", "ark 3.0", {"seed": 7}, {"seed": 7}),
    ("seed", "A", {"seed": 7}, {"parameters.seed": 7}),
    ("seed", "B", {"seed": 7}, {"parameters.seed": 7}),
    ("seed", "C", {"seed": 7}, {"parameters.seed": 7}),
    ("seed", "D", {"seed": 7}, {"seed": 7}),
    ("seed", "siliconflow", {"seed": 7}, {"seed": 7}),
    ("quality", "zhipu", {"quality": "high"}, {"quality": "hd"}),
    ("quality", "zhipu", {"quality": "low"}, {"quality": "standard"}),
    ("quality", "zhipu", {}, {"quality": "standard"}),
    ("output_format", "ark 5.0", {"output_format": "png"}, {"output_format": "png"}),
    ("images", "ark", {"references": (REFERENCE,) * 2}, {"image": [DATA_URI] * 2}),
    ("images", "A edit", {"references": (REFERENCE,) * 2}, {"input.images": [DATA_URI] * 2}),
    ("images", "A imageedit", {"references": (REFERENCE,)}, {"input.base_image_url": DATA_URI}),
    (
        "images",
        "B",
        {"references": (REFERENCE,)},
        {"input.messages.0.content": [{"image": DATA_URI}, {"text": "A cat"}]},
    ),
    ("images", "D", {"references": (REFERENCE,)}, {"image": [DATA_URI]}),
    (
        "images",
        "siliconflow edit",
        {"references": (REFERENCE,) * 3},
        {"image": DATA_URI, "image2": DATA_URI, "image3": DATA_URI},
    ),
    ("watermark", "ark", {}, {"watermark": False}),
    ("watermark", "ark", {"watermark": True}, {"watermark": True}),
    ("watermark", "A", {}, {"parameters.watermark": False}),
    ("watermark", "B", {}, {"parameters.watermark": False}),
    ("watermark", "C", {}, {"parameters.watermark": False}),
    ("watermark", "D", {}, {"watermark": False}),
    ("watermark", "zhipu", {}, {"watermark_enabled": False}),
    ("optimizer", "ark 4.0", {}, {"optimize_prompt_options": {"mode": "standard"}}),
    ("optimizer", "ark 4.0", {"is_optimized": True}, {"optimize_prompt_options": {"mode": "fast"}}),
    ("optimizer", "A", {}, {"parameters.prompt_extend": True}),
    ("optimizer", "A", {"is_optimized": True}, {"parameters.prompt_extend": False}),
    ("optimizer", "B", {"is_optimized": True}, {"parameters.prompt_extend": False}),
    ("optimizer", "B z-image", {}, {"parameters.prompt_extend": False}),
    ("optimizer", "C wan2.7", {}, {"parameters.thinking_mode": True}),
    ("optimizer", "C wan2.7", {"is_optimized": True}, {"parameters.thinking_mode": False}),
    ("optimizer", "C qwen", {"is_optimized": True}, {"parameters.prompt_extend": False}),
    ("optimizer", "C qwen", {"is_optimized": True}, {"parameters.enable_thinking": False}),
    ("optimizer", "D", {"is_optimized": True}, {"prompt_extend": False, "enable_thinking": False}),
    ("response_format", "ark", {}, {"response_format": "url"}),
    ("user", "zhipu", {"user": "a1b2c3d4"}, {"user_id": "a1b2c3d4"}),
    ("sequence", "ark", {}, {"sequential_image_generation": "disabled"}),
    ("sequence", "C wan2.7", {}, {"parameters.enable_sequential": False}),
    ("stream", "ark", {"partial_images": 1}, {"stream": True}),
]
# Fields of which nothing is in the body, although it is asked for what could make one.
ABSENT: FieldCells = [
    ("n", "ark", {"n": 2}),
    ("n", "zhipu", {"n": 2}),
    ("batch_size", "siliconflow", {"n": 2}),
    ("negative_prompt", "ark", {"negative_prompt": "dogs"}),
    ("negative_prompt", "zhipu", {"negative_prompt": "dogs"}),
    ("seed", "zhipu", {"seed": 7}),
    ("user", "A", {"user": "a1b2c3d4"}),
    ("user_id", "siliconflow", {"user": "a1b2c3d4"}),
    ("size", "B edit", {"references": (REFERENCE,)}),
    ("image_size", "siliconflow edit", {"references": (REFERENCE,)}),
    ("prompt_extend", "B edit", {"references": (REFERENCE,)}),
    ("prompt_extend", "C wan2.7", {}),
    ("sequential_image_generation", "ark 5.0 pro", {}),
    ("stream", "ark", {}),
    ("response_format", "B", {}),
    ("response_format", "siliconflow", {}),
    ("output_format", "ark", {"output_format": "png"}),
]
FAN_OUT = ["ark", "B plus", "B z-image", "siliconflow", "zhipu", "zhipu task"]
REFUSED: FieldCells = [
    ("seed", "ark", {"seed": 7}),
    ("quality", "ark", {"quality": "high"}),
    ("quality", "A", {"quality": "high"}),
    ("quality", "siliconflow", {"quality": "high"}),
    ("background", "ark", {"background": "transparent"}),
    ("background", "A", {"background": "transparent"}),
    ("background", "B", {"background": "transparent"}),
    ("background", "siliconflow", {"background": "transparent"}),
    ("background", "zhipu", {"background": "transparent"}),
    ("images", "zhipu", {"references": (REFERENCE,)}),
    ("images", "A", {"references": (REFERENCE,)}),
    ("images", "A edit", {}),
    ("mask", "ark", {"references": (REFERENCE,), "mask": REFERENCE}),
    ("mask", "B", {"references": (REFERENCE,), "mask": REFERENCE}),
    ("mask", "D", {"references": (REFERENCE,), "mask": REFERENCE}),
    ("mask", "siliconflow edit", {"references": (REFERENCE,), "mask": REFERENCE}),
    ("watermark", "siliconflow", {"watermark": True}),
    ("size", "ark", {"size": Size(1024, 1024)}),
    ("size", "B plus", {"size": Size(1024, 1024)}),
    ("size", "zhipu", {"size": Size(1000, 1000)}),
]
NOTICED: NoticedCells = [
    ("ark", {"negative_prompt": "dogs"}, ("negative_prompt", "emulated")),
    ("zhipu", {"negative_prompt": "dogs"}, ("negative_prompt", "emulated")),
    ("zhipu", {"seed": 7}, ("seed", "dropped")),
    ("zhipu", {}, ("watermark", "adapted")),
    ("ark", {"output_format": "png"}, ("output_format", "emulated")),
    ("A", {"output_format": "webp"}, ("output_format", "emulated")),
    ("A", {"user": "a1b2c3d4"}, ("user", "dropped")),
]
PATHS = {
    "ark": "/api/v3/images/generations",
    "A": "/api/v1/services/aigc/text2image/image-synthesis",
    "A edit": "/api/v1/services/aigc/image2image/image-synthesis",
    "B": "/api/v1/services/aigc/multimodal-generation/generation",
    "C": "/api/v1/services/aigc/image-generation/generation",
    "D": "/compatible-mode/v1/images/generations",
    "siliconflow": "/v1/images/generations",
    "zhipu": "/api/paas/v4/images/generations",
    "zhipu task": "/api/paas/v4/async/images/generations",
}


@pytest.mark.parametrize(("row", "column", "asked", "expected"), SENT, ids=cell_name)
def test_a_field_is_sent(
    picture_asker: AskerOf, row: str, column: str, asked: Sent, expected: Sent
) -> None:
    assert_sent(picture_asker(column), row, asked, expected)


@pytest.mark.parametrize(("name", "column", "asked"), ABSENT, ids=cell_name)
def test_a_field_is_not_sent(picture_asker: AskerOf, name: str, column: str, asked: Sent) -> None:
    assert_not_sent(picture_asker(column), name, asked)


@pytest.mark.parametrize("column", FAN_OUT)
def test_several_pictures_are_several_calls(picture_asker: AskerOf, column: str) -> None:
    asker = picture_asker(column)

    made = asker.ask(n=3)

    assert len(made.files) == len(asker.vendor.creates) == asker.vendor.charged == 3


@pytest.mark.parametrize("column", ["A", "B", "C", "D", "siliconflow kolors"])
def test_several_pictures_are_one_call(picture_asker: AskerOf, column: str) -> None:
    asker = picture_asker(column)

    made = asker.ask(n=3)

    assert len(asker.vendor.creates) == 1
    assert len(made.files) == asker.vendor.charged == 3


def test_the_seeds_of_several_calls_follow_each_other(picture_asker: AskerOf) -> None:
    asker = picture_asker("siliconflow")

    asker.ask(n=3, seed=7)

    assert [request.json["seed"] for request in asker.vendor.creates] == [7, 8, 9]


@pytest.mark.parametrize(("field", "column", "asked"), REFUSED, ids=cell_name)
def test_a_field_is_refused_by_its_name(
    picture_asker: AskerOf, field: str, column: str, asked: Sent
) -> None:
    assert_refused(picture_asker(column), field, asked)


@pytest.mark.parametrize(("column", "asked", "notice"), NOTICED, ids=cell_name)
def test_a_caller_is_told_what_became_of_a_field(
    picture_asker: AskerOf, column: str, asked: Sent, notice: tuple[str, str]
) -> None:
    assert_told(picture_asker(column), asked, notice)


@pytest.mark.parametrize(("column", "path"), PATHS.items(), ids=cell_name)
def test_a_call_goes_to_its_path(picture_asker: AskerOf, column: str, path: str) -> None:
    asker = picture_asker(column)

    asker.ask(references=(REFERENCE,) if column == "A edit" else ())

    assert asker.vendor.creates[0].path == path


@pytest.mark.parametrize(
    ("column", "header"), [("A", "enable"), ("C", "enable"), ("B", None), ("D", None)]
)
def test_only_tasks_are_asked_for_as_tasks(
    picture_asker: AskerOf, column: str, header: str | None
) -> None:
    asker = picture_asker(column)

    asker.ask()

    assert asker.vendor.creates[0].header("X-DashScope-Async") == header


@pytest.mark.parametrize("column", ["A", "C", "zhipu task"])
def test_what_takes_long_is_a_task(picture_asker: AskerOf, column: str) -> None:
    asker = picture_asker(column)

    asker.ask()

    assert len(asker.vendor.creates) == 1
    assert len(asker.vendor.polls) == asker.looks == 2


@pytest.mark.parametrize(("column", "can_be"), [("A", True), ("C", True), ("zhipu task", False)])
def test_a_waiting_task_is_cancelled_where_the_vendor_can(
    picture_asker: AskerOf, column: str, *, can_be: bool
) -> None:
    asker = picture_asker(column)
    task = asker.submitted()

    word = asker.cancel(task)

    assert word is (CancelState.CANCELLED if can_be else CancelState.NOT_SUPPORTED)
    assert len(asker.vendor.cancels) == can_be


def test_a_task_under_way_is_not_cancelled(picture_asker: AskerOf) -> None:
    asker = picture_asker("A")
    asker.vendor.studio.polls_needed = 5
    task = asker.submitted()
    asker.look(task)
    asker.look(task)

    assert asker.cancel(task) is CancelState.TOO_LATE


def test_links_come_back(picture_asker: AskerOf) -> None:
    for column in ("ark", "A", "B", "C", "D", "siliconflow", "zhipu", "zhipu task"):
        asker = picture_asker(column)

        made = asker.picture()

        assert made.base64 is None
        assert (made.url or "").startswith(f"{asker.vendor.origin}/files/")


def test_the_vendor_s_own_prompt_comes_back(picture_asker: AskerOf) -> None:
    assert picture_asker("A").picture().prompt == "A cat, vivid"


def test_usage_comes_back(picture_asker: AskerOf) -> None:
    counted = {
        column: picture_asker(column).ask().usage
        for column in ("ark", "A", "B", "C", "D", "siliconflow", "zhipu")
    }

    assert {name: usage.images for name, usage in counted.items()} == dict.fromkeys(counted, 1)
    assert counted["ark"].output_tokens == 16_384
    assert counted["ark"].pixels == 2048 * 2048
    assert counted["B"].pixels == 1328 * 1328
    assert counted["C"].raw == {"image_count": 1, "size": "1280*1280"}


def test_the_key_is_sent_and_stands_in_no_body(picture_asker: AskerOf) -> None:
    asker = picture_asker("A")

    asker.ask()

    assert asker.vendor.creates[0].header("Authorization") == "Bearer sk-canary-of-the-key"
    assert b"canary" not in b"".join(request.body for request in asker.vendor.requests)


def test_a_vendor_makes_no_more_than_was_asked_for(picture_asker: AskerOf) -> None:
    """Left to itself, it makes four pictures, and charges for four."""
    asker = picture_asker("A wanx")

    made = asker.ask()

    assert len(made.files) == asker.vendor.charged == 1


@pytest.mark.parametrize(
    ("column", "longest"), [("A", 2000), ("A wanx", 800), ("B plus", 800), ("C wan2.7", 5000),
                            ("zhipu", 1000), ("ark", 4000)]
)  # fmt: skip
def test_a_prompt_that_a_vendor_would_cut_is_refused(
    picture_asker: AskerOf, column: str, longest: int
) -> None:
    asker = picture_asker(column)

    asker.ask("a" * longest)
    with pytest.raises(InvalidRequest) as caught:
        asker.ask("a" * (longest + 1))

    assert caught.value.fields[0].field == "prompt"
    assert len(asker.vendor.creates) == 1
