"""The route that writes the prompt of a picture."""

from collections.abc import Sequence

from flask import Response

from llm_api.domain.calls import CallResult
from llm_api.domain.prompts import DescriptionRequest, OptimizedPrompt
from llm_api.errors import ApiError, ContentFiltered, InvalidRequest, UpstreamFault
from llm_api.services.field_names import of_picture
from llm_api.web.call_errors import call_examples, in_words
from llm_api.web.idempotency import idempotent
from llm_api.web.making.example_picture import ONE_PIXEL
from llm_api.web.making.picture_bodies import JSON_PARSER
from llm_api.web.making.picture_sources import judged_picture
from llm_api.web.request.context import caller, services
from llm_api.web.response.answers import answers_with, json_response
from llm_api.web.rest.descriptions.schemas import DescriptionOrder, DescriptionRequestSchema
from llm_api.web.rest.judge.judge_errors import JUDGE_ERRORS, SEEING_EXAMPLES
from llm_api.web.rest.prompt_answers import OptimizedPromptSchema, prompt_answer
from llm_api.web.smorest import Blueprint


class _PictureBlueprint(Blueprint):
    """A blueprint whose bodies have a picture in them."""

    ARGUMENTS_PARSER = JSON_PARSER


blueprint = _PictureBlueprint(
    "Descriptions", __name__, url_prefix="/api/v1/llm", description="From a picture to its prompt."
)

# What the docs page offers to send.
_EXAMPLE = {
    "image": ONE_PIXEL,
    "target_model": "sdxl",
}
_WRONG = InvalidRequest.of_field(
    "language",
    "must be auto or a tag of BCP 47, such as en, pt-BR or zh-Hant.",
    reason="out_of_range",
)
_UNUSABLE = UpstreamFault(
    "The vision model wrote no usable prompt: The model's reply contained no prompt.",
    reason="description_unusable",
    retryable=True,
)
_FILTERED = ContentFiltered(
    "The vision model's content filter refused the picture.", reason="content_filtered"
).replaced(stage="input", what="image")
_EXAMPLES: Sequence[ApiError] = (
    _WRONG,
    _UNUSABLE,
    _FILTERED,
    *SEEING_EXAMPLES,
    *in_words(of_picture, call_examples()),
)


def _prompt_response(prompt: OptimizedPrompt) -> Response:
    return json_response(prompt_answer(prompt))


@blueprint.post("/describe-image")
@blueprint.doc(operationId="describeImage")
@blueprint.arguments(DescriptionRequestSchema(), example=_EXAMPLE)
@blueprint.response(200, OptimizedPromptSchema())
@blueprint.errors(*JUDGE_ERRORS, examples=_EXAMPLES)
@idempotent
@answers_with(_prompt_response)
def describe_image(order: DescriptionOrder) -> CallResult[OptimizedPrompt]:
    """Write the prompt with which a model would make a picture again."""
    judge, asking = services().judge, caller()
    judge.route(order.model, asking.key)  # before the picture is read
    picture = judged_picture(order.image, "image", judge)
    request = DescriptionRequest(picture, **order.fields)
    return services().describer.describe(request, asking)
