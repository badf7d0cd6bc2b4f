"""docs/storyboards.md says what the code does."""

import json
import re

from llm_api.domain.prompts import PromptRequest
from llm_api.domain.storyboards import CastMember
from llm_api.services.prompts.shot_seconds import allowed_seconds, named
from llm_api.services.prompts.storyboards.camera_moves import MOVES
from llm_api.settings.settings import PROJECT_ROOT
from llm_api.web.rest.prompt_answers import prompt_answer
from tests.services.calls import CALLER, ListSink
from tests.services.prompts.asking import TARGETS, optimizer_of
from tests.support import replies
from tests.support.upstream import ScriptedUpstream

PAGE = (PROJECT_ROOT / "docs" / "storyboards.md").read_text("utf-8")
PLAN = [
    {"text": "Mara walks along the wooden pier at dawn.", "camera": "track", "seconds": 4},
    {
        "text": "She stops and looks at a red boat in the pale light.",
        "camera": "push in",
        "seconds": 6,
    },
]


def test_the_example_is_what_comes_of_a_plan(upstream: ScriptedUpstream) -> None:
    shown = json.loads(re.findall(r"```json\n(.*?)\n```", PAGE)[0])
    upstream.script(replies.completion(json.dumps({"shots": PLAN})))
    request = PromptRequest(
        shown["original_prompt"],
        "storyboard",
        cast=(CastMember("Mara", "a woman of sixty in a yellow raincoat"),),
        target_model="kling",
        total_seconds=9,
    )

    answered = optimizer_of(upstream, ListSink()).optimize(request, CALLER).answer

    assert prompt_answer(answered) == shown


def test_the_table_has_the_seconds_of_every_target_that_makes_videos() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| ([\d ,to]+) \| (\d+) \|$", PAGE, re.MULTILINE)
    request = PromptRequest("A fox runs.", "storyboard")

    assert sorted(rows) == sorted(
        (name, named(allowed_seconds(request, target)).replace(" or", ","), str(target.max_shots))
        for name, target in TARGETS.items()
        if "video" in target.types
    )


def test_the_page_names_every_move() -> None:
    line = next(one for one in PAGE.splitlines() if one.startswith("- `camera` is one of"))

    assert re.findall(r"`([a-z ]+)`", line)[1:] == list(MOVES)
