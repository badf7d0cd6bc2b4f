"""Pages in another language call what the rewriter names by names of that language."""

import re

from llm_api.services.prompts.languages import tags
from llm_api.services.prompts.storyboards.camera_moves import MOVES
from llm_api.web.console.service_sentences import catalogue_of, said


def test_every_movement_of_the_camera_has_a_name_in_chinese() -> None:
    assert set(catalogue_of("zh").names["cameras"]) == set(MOVES)


def test_every_language_has_a_name_in_chinese() -> None:
    known = [one.name for one in tags.languages().values()]
    sentences = [f"The model's rewrite was not in {name} throughout." for name in known]

    assert len(known) > 50
    assert [one for one in sentences if re.search("[A-Z]", said("zh", one) or "English")] == []
