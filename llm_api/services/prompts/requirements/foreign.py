"""Reads prompts in languages that we have no words of: their quoted texts, and their numbers."""

import re
from collections.abc import Iterator

from llm_api.domain.judging import PromptRequirement
from llm_api.services.prompts.requirements.wording import Wording
from llm_api.services.prompts.text import find_quotes, without_quotes
from llm_api.services.prompts.vocabulary.words import little_words

_MAX_REQUIREMENTS = 20
# A number of up to three digits and what it counts, as it is written: "3 gatos", 猫が3匹.
_EAST = "\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af"
_COUNTED = re.compile(
    rf"(?<![\w.,:/%#$€£¥-])(\d{{1,3}})(?:(?: ([^\W\d_]{{2,24}}))|([{_EAST}]{{1,4}}))"
    rf"|(?<=[{_EAST}])(\d{{1,3}})([{_EAST}])"
)
# Sizes, ages and times.
_UNITS = little_words("requirements_foreign_units")


def foreign_requirements(prompt: str) -> Iterator[PromptRequirement]:
    """Yield the quoted texts of a prompt, and its numbers in its own words."""
    wording = Wording("en")
    for text in find_quotes(prompt):
        yield PromptRequirement("text", wording.text(text), text, text=text)
    found = 0
    for match in _COUNTED.finditer(without_quotes(prompt)):
        digits = match[1] or match[4]
        what = match[2] or match[3] or match[5]
        is_unit = what.casefold() in _UNITS or what[0] in _UNITS
        if not is_unit and int(digits) > 0 and found < _MAX_REQUIREMENTS:
            found += 1
            yield PromptRequirement("count", wording.number(match[0]), match[0], count=int(digits))
