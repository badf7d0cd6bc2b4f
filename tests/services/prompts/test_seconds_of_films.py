"""docs/videos.md says how to ask for storyboards whose shots the models make."""

import re
from functools import partial

from llm_api.domain.prompts import PromptRequest
from llm_api.domain.videos import VideoRequest
from llm_api.services.jobs.job_rewriter import JobRewriter
from llm_api.services.prompts.shot_seconds import allowed_seconds
from llm_api.settings.settings import PROJECT_ROOT
from llm_api.upstream.media.fitting.video_fitting import fitted_video
from tests.services.calls import ListSink
from tests.services.prompts.asking import TARGETS, optimizer_of
from tests.support.upstream import ScriptedUpstream
from tests.upstream.films.conftest import MODELS
from tests.upstream.films.film_asker import PROFILES

PAGE = (PROJECT_ROOT / "docs" / "videos.md").read_text("utf-8")
ROW = re.compile(
    r"^\| ((?:`[^`|]+`(?:, )?)+) \| `([\w-]+)` \| (?:(\d+), (\d+))? ?\|$", re.MULTILINE
)
PROFILE_OF = {model: profile for _, profile, model in MODELS.values()}
ROWS = [
    (model, target, int(low or 0) or None, int(high or 0) or None)
    for models, target, low, high in ROW.findall(PAGE)
    for model in re.findall(r"`([^`]+)`", models)
]


def test_a_model_makes_every_shot_of_its_storyboards(upstream: ScriptedUpstream) -> None:
    rewriter = JobRewriter(optimizer_of(upstream, ListSink()), TARGETS)
    vendors = {"volcengine-ark", "dashscope", "zhipu", "siliconflow"}
    assert {PROFILE_OF[model] for model, *_ in ROWS} == vendors

    for model, target, low, high in ROWS:
        traits = PROFILES[PROFILE_OF[model]].model(model)
        assert traits is not None
        asked = PromptRequest("A fox.", "storyboard", min_shot_seconds=low, max_shot_seconds=high)
        fit = partial(fitted_video, model=traits, name=model)
        seconds = allowed_seconds(asked, TARGETS[target])
        sent = [fit(VideoRequest("A fox.", duration=one)).fields["duration"] for one in seconds]
        assert sent == list(seconds), model
        # What `optimize_prompt` would write for, too.
        assert rewriter.target_of(model, "video") == target
