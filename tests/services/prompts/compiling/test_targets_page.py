"""Every example of docs/prompts.md under "Targets" is what comes of the scene that stands there."""

import json
import re
from typing import Any

import pytest

from llm_api.domain.prompts import PromptRequest
from llm_api.settings.settings import PROJECT_ROOT
from tests.services.calls import CALLER, ListSink
from tests.services.prompts.asking import TARGETS, optimizer_of
from tests.support import replies
from tests.support.upstream import ScriptedUpstream

PAGE = (PROJECT_ROOT / "docs" / "prompts.md").read_text("utf-8")
SECTION = PAGE.partition("\n## Targets\n")[2].partition("\n## ")[0]
EXAMPLES = re.findall(
    r"^`([\w-]+)`: [^\n]+\n\n```(?:text|json)\n(.*?)\n```", SECTION, re.MULTILINE | re.DOTALL
)
GIVEN: list[dict[str, Any]] = [
    json.loads(block)
    for block in re.findall(r'^```json\n(\{"prompt".*?)\n```', SECTION, re.MULTILINE | re.DOTALL)
]


def test_the_page_has_an_example_of_each_form_and_names_each_target() -> None:
    assert {TARGETS[name].form for name, _ in EXAMPLES} == {
        target.form for target in TARGETS.values() if target.form != "prose"
    }
    assert [name for name in TARGETS if f"`{name}`" not in SECTION] == []


@pytest.mark.parametrize(("name", "shown"), EXAMPLES)
def test_an_example_is_what_the_scene_gives(
    upstream: ScriptedUpstream, name: str, shown: str
) -> None:
    kind = TARGETS[name].types[0]
    given = next(one for one in GIVEN if ("duration_seconds" in one) == (kind == "video"))
    upstream.script(replies.completion(json.dumps({"scene_en": given["scene_en"]})))
    several = (name, "generic")  # alone, tags are written by the model itself
    request = PromptRequest(
        given["prompt"], kind, targets=several, duration_seconds=given.get("duration_seconds")
    )

    optimized = optimizer_of(upstream, ListSink()).optimize(request, CALLER).answer

    assert optimized.optimized_prompt == shown
    assert optimized.warnings == []
