"""The prompt of a request with pictures is rewritten as an edit of them."""

from dataclasses import replace

from llm_api.domain.calls import Model
from llm_api.domain.images import ImageRequest
from llm_api.domain.judging import JudgedPicture
from llm_api.domain.making import InputPicture
from llm_api.domain.prompts import PromptRequest
from llm_api.services.images.image_models import IMAGE_MODELS
from llm_api.services.images.orders import Orders
from llm_api.services.jobs.job_models import JobModels
from llm_api.services.jobs.job_rewriter import JobRewriter
from llm_api.services.jobs.order import Order
from llm_api.services.loop.feedback import rewrite_of
from tests.services.calls import CALLER, ListSink
from tests.services.images.workshop import ScriptedImages
from tests.services.prompts.asking import TARGETS, answer, optimizer_of
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream

BLUE = "Change the red car to blue. Keep everything else unchanged."
PICTURES = tuple(InputPicture(f"file_{at}", "image/png", 8, 8, 80) for at in range(5))
EDIT = ImageRequest("Change the red car to blue", model="qwen-image-edit-plus", is_edit=True)
OPTIONS = PromptRequest(EDIT.prompt, "image")


def ordered(
    upstream: ScriptedUpstream, request: ImageRequest, options: PromptRequest = OPTIONS
) -> tuple[Order[ImageRequest], list[str]]:
    """Return an order whose prompt is rewritten, and the names of the pictures that were read."""
    upstream.script(answer(BLUE))
    models = JobModels(
        IMAGE_MODELS,
        [Model(str(request.model), "image", kind="image")],
        {"image": ScriptedImages()},
        None,
    )
    read: list[str] = []

    def see(picture: InputPicture) -> JudgedPicture:
        read.append(picture.name)
        return JudgedPicture(b"", picture.media_type, 8, 8, picture.name.encode())

    orders = Orders(models, optimizer_of(upstream, ListSink()), TARGETS, see)
    return orders.order(request, CALLER, options), read


def test_a_request_with_pictures_is_an_edit_of_them(upstream: ScriptedUpstream) -> None:
    order, read = ordered(upstream, replace(EDIT, references=PICTURES[:2]))

    assert (order.request.prompt, order.request.is_optimized) == (BLUE, True)
    assert read == ["file_0", "file_1"]
    instructions = upstream.requests[0].json["messages"][0]["content"]
    assert instructions.startswith("You put a person's wish to change a picture")
    assert ["from its words alone" in one.message for one in order.notices] == [True]


def test_three_pictures_are_shown_at_most(upstream: ScriptedUpstream) -> None:
    order, read = ordered(upstream, replace(EDIT, references=PICTURES))

    assert len(read) == 3
    assert order.notices[-1].message == "The rewrite considers the first 3 pictures."


def test_without_pictures_it_is_a_description(upstream: ScriptedUpstream) -> None:
    _, read = ordered(upstream, replace(EDIT, is_edit=False))

    assert read == []
    instructions = upstream.requests[0].json["messages"][0]["content"]
    assert instructions.startswith("You turn a person's description")


def test_a_style_beside_an_edit_is_left_out_with_a_notice(upstream: ScriptedUpstream) -> None:
    options = replace(OPTIONS, style="anime")

    order, _ = ordered(upstream, replace(EDIT, references=PICTURES[:1]), options)

    assert order.request.prompt == BLUE
    assert "style has no effect on an edit: say it in the prompt." in [
        notice.message for notice in order.notices
    ]


def test_a_loop_rewrites_its_next_try_as_an_edit(upstream: ScriptedUpstream) -> None:
    orders = Orders(
        JobModels(IMAGE_MODELS, [], {}, None), optimizer_of(upstream, ListSink()), TARGETS
    )
    request = replace(EDIT, references=PICTURES[:1])
    fed_back = "Change the red car to blue. Most important: exactly two dogs."
    upstream.script(answer(f"{fed_back} Keep everything else unchanged."))

    wanted = orders.wanted(rewrite_of(EDIT.prompt, ["exactly two dogs"], None), request, "wan2.7")

    assert (wanted.type, wanted.target_model, wanted.prompt) == ("edit", "wan", fed_back)
    rewrite = optimizer_of(upstream, ListSink()).optimize(wanted, CALLER).answer
    assert rewrite.optimized_prompt == f"{fed_back} Keep everything else unchanged."


@each(
    ("model", "kind", "target"),
    [
        ("qwen-image-edit-plus", "edit", "qwen-image-edit"),
        ("flux-kontext-max", "edit", "flux-kontext"),
        ("gpt-image-1.5", "edit", "gpt-image"),
        ("z-image-turbo", "edit", "generic"),  # it makes no edits, whatever it is asked
        ("z-image-turbo", "image", "z-image"),
        ("qwen-image-edit-plus", "image", "qwen-image"),
        ("FLUX.2-pro", "image", "flux-2"),
        ("wan3.0-video-prime", "video", "wan-3"),
        ("wan2.7-t2v", "video", "wan"),
        ("Wan-AI/Wan2.2-T2V-A14B", "video", "wan"),
        ("doubao-seedance-2-0-260128", "video", "seedance"),
        ("cogvideox-3", "video", "generic"),
    ],
)
def test_a_model_s_target_is_one_that_makes_what_is_wanted(
    model: str, kind: str, target: str, upstream: ScriptedUpstream
) -> None:
    rewriter = JobRewriter(optimizer_of(upstream, ListSink()), TARGETS)

    assert rewriter.target_of(model, kind) == target
