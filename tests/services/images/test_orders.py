"""A prompt is rewritten in the terms of the model that draws it, flags and all."""

from dataclasses import replace

import pytest

from llm_api.domain.calls import Model
from llm_api.domain.images import ImageRequest
from llm_api.domain.making import FittedRequest
from llm_api.domain.prompts import PromptRequest
from llm_api.errors import InvalidRequest
from llm_api.services.images.image_models import IMAGE_MODELS
from llm_api.services.images.orders import Orders
from llm_api.services.jobs.job_models import JobModels
from tests.services.calls import CALLER, ListSink
from tests.services.images.workshop import ScriptedImages
from tests.services.prompts.asking import TARGETS, answer, optimizer_of
from tests.support.upstream import ScriptedUpstream

CAT = (
    "A cat on a wooden chair, soft window light from the left, shallow depth of field, detailed fur"
    " texture, warm muted tones."
)
FLAGGED = ImageRequest("a cat on a chair --no text, dogs --ar 16:9", model="wan2.2-t2i-plus")


class Positive(ScriptedImages):
    """A model that takes no negative prompt."""

    def fit(self, request: ImageRequest, model: str) -> FittedRequest:
        """See ImageUpstream."""
        if request.negative_prompt:
            message = "is not taken by this model."
            raise InvalidRequest.of_field("negative_prompt", message, reason="not_supported")
        return super().fit(request, model)


def ordered(
    upstream: ScriptedUpstream, vendor: ScriptedImages, request: ImageRequest = FLAGGED
) -> tuple[ImageRequest, list[str]]:
    upstream.script(answer(CAT))
    models = JobModels(
        IMAGE_MODELS, [Model(str(request.model), "image", kind="image")], {"image": vendor}, None
    )
    orders = Orders(models, optimizer_of(upstream, ListSink()), TARGETS)
    order = orders.order(request, CALLER, PromptRequest(request.prompt, "image"))
    return order.request, [notice.message for notice in order.notices]


def test_what_a_flag_excludes_goes_into_the_negative_prompt(upstream: ScriptedUpstream) -> None:
    request, notices = ordered(upstream, ScriptedImages())

    assert (request.prompt, request.negative_prompt) == (CAT, "text, dogs")
    assert notices == ['wan does not understand flags: "--ar 16:9" was left out.']


def test_a_negative_prompt_of_the_caller_s_own_stays(upstream: ScriptedUpstream) -> None:
    request, _ = ordered(upstream, ScriptedImages(), replace(FLAGGED, negative_prompt="blur"))

    assert request.negative_prompt == "blur"


def test_a_model_without_negative_prompts_is_sent_none(upstream: ScriptedUpstream) -> None:
    request, notices = ordered(upstream, Positive())

    assert (request.prompt, request.negative_prompt) == (CAT, None)
    assert "--no text, dogs" in notices[1]


@pytest.mark.parametrize("prompt", ["a cat on a chair", "a cat on a chair, no dogs"])
def test_a_prompt_without_flags_gets_no_negative_prompt(
    upstream: ScriptedUpstream, prompt: str
) -> None:
    request, notices = ordered(upstream, ScriptedImages(), replace(FLAGGED, prompt=prompt))

    assert (request.negative_prompt, notices) == (None, [])


GATO = "Um gato em uma cadeira de madeira, luz suave da janela à esquerda, tons quentes e calmos."


def in_portuguese(upstream: ScriptedUpstream, model: str) -> str:
    """Have a prompt rewritten in Portuguese for a model, and return it."""
    upstream.script(answer(GATO))
    models = JobModels(
        IMAGE_MODELS, [Model(model, "image", kind="image")], {"image": ScriptedImages()}, None
    )
    orders = Orders(models, optimizer_of(upstream, ListSink()), TARGETS)
    request = ImageRequest("a cat on a chair", model=model)
    wanted = PromptRequest(request.prompt, "image", language="pt-BR")
    return orders.order(request, CALLER, wanted).request.prompt


def test_a_prompt_is_rewritten_in_any_language_that_the_model_understands(
    upstream: ScriptedUpstream,
) -> None:
    assert in_portuguese(upstream, "painter") == GATO


def test_a_language_that_the_model_does_not_understand_is_named_by_its_field(
    upstream: ScriptedUpstream,
) -> None:
    with pytest.raises(InvalidRequest, match=r"optimize_options\.language: must be auto, en or zh"):
        in_portuguese(upstream, "flux-1")

    assert upstream.requests == []
