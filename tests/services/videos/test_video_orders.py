"""The prompt of a film is rewritten for the model that films it: its words, length and seconds."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from llm_api.domain.calls import Model
from llm_api.domain.prompts import PromptRequest
from llm_api.domain.videos import VideoRequest
from llm_api.errors import InvalidRequest
from llm_api.services.jobs.job_models import JobModels
from llm_api.services.jobs.job_rewriter import JobRewriter
from llm_api.services.jobs.order import Order
from llm_api.services.videos.video_models import VIDEO_MODELS
from llm_api.services.videos.video_orders import VideoOrders
from llm_api.upstream.media.fitting.video_fitting import fitted_video
from tests.services.calls import CALLER, ListSink
from tests.services.prompts.asking import TARGETS, answer, optimizer_of
from tests.services.videos.film_shop import ScriptedFilms
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.upstream.films.conftest import MODELS
from tests.upstream.films.film_asker import PROFILES

KITE = (
    "A red kite climbs above a green hill in steady wind, soft morning light from the left, slow"
    " upward pan, shallow depth of field."
)


class Fitting(ScriptedFilms):
    """A vendor whose models are those of its profile."""

    def __init__(self, name: str) -> None:
        """Have one of the models of the tests of vendors."""
        _, profile, model = MODELS[name]
        super().__init__(model=model)
        traits = PROFILES[profile].model(model)
        assert traits is not None
        self._traits = traits

    def fit(self, request: Any, model: str) -> Any:
        """See VideoUpstream."""
        return fitted_video(request, self._traits, model)


def ordered(
    upstream: ScriptedUpstream,
    name: str,
    prompt: str = "a red kite",
    *,
    rewrites: Sequence[str] = (KITE,),
    **fields: Any,
) -> Order[VideoRequest]:
    """Order a film whose prompt is rewritten."""
    vendor = Fitting(name)
    model = vendor.default_model
    models = JobModels(VIDEO_MODELS, [Model(model, "video", kind="video")], {"video": vendor}, None)
    rewriter = JobRewriter(optimizer_of(upstream, ListSink()), TARGETS)
    upstream.script(*map(answer, rewrites))
    seconds = fields.get("duration")
    wanted = PromptRequest(prompt, "video", duration_seconds=seconds)
    request = VideoRequest(prompt, model=model, **fields)
    return VideoOrders(models, rewriter).order(request, CALLER, wanted)


@each(
    ("name", "flag", "told"),
    [
        ("ark", " --ratio 16:9", None),
        ("wan2.5", "", "wan does not"),
        ("wan3.0", "", "wan-3 does not"),
        ("zhipu", " --ar 16:9", None),  # of no target, and so it is left
    ],
)
def test_a_prompt_is_rewritten_in_the_words_of_its_model(
    upstream: ScriptedUpstream, name: str, flag: str, told: str | None
) -> None:
    upstream.requests.clear()

    order = ordered(upstream, name, "a red kite --ar 16:9", duration=10)

    assert (order.request.prompt, order.request.is_optimized) == (KITE + flag, True)
    assert order.prompt_original == "a red kite --ar 16:9"
    wanted = json.loads(upstream.requests[0].json["messages"][1]["content"])
    assert wanted["duration_seconds"] == 10
    messages = [notice.message for notice in order.notices]
    assert [one[: len(told or "")] for one in messages] == ([told] if told else [])


def test_its_vendor_does_not_rewrite_it_once_more(upstream: ScriptedUpstream) -> None:
    order = ordered(upstream, "wan2.5", duration=5)

    assert order.fitted.constants["prompt_extend"] is False


def test_a_rewrite_is_no_longer_than_its_model_takes(upstream: ScriptedUpstream) -> None:
    """CogVideoX takes 512 characters, and a sentence about what not to show is among them."""
    long = "a red kite above a green hill with many small white houses and a river, " * 6
    order = ordered(
        upstream,
        "zhipu",
        long,
        rewrites=[KITE + " Small white houses stand along the river." * 9, KITE],
        negative_prompt="people, cars",
        duration=5,
    )

    assert len(order.fitted.prompt) <= 512
    assert order.fitted.prompt.endswith("people, cars.")


def test_what_a_flag_excludes_is_a_negative_prompt(upstream: ScriptedUpstream) -> None:
    order = ordered(upstream, "wan2.5", "a red kite --no text, people", duration=5)

    assert order.fitted.fields["negative_prompt"] == "text, people"


def test_what_the_model_does_not_take_is_refused_before_anybody_is_paid(
    upstream: ScriptedUpstream,
) -> None:
    with pytest.raises(InvalidRequest):
        ordered(upstream, "wan2.5", duration=7)

    assert upstream.requests == []
