"""What reasons of errors mean in other languages: all of them, and nothing else."""

import re

from llm_api.web.console.page_texts import DEFAULT, LANGUAGES
from llm_api.web.console.service_reasons import FILES, explained, explanations_of
from tests.support.service import REPOSITORY_ROOT
from tools import errors_page

# Chinese sentences, with signs of their own: what is between Latin letters is a name or an address.
_HALF_WIDTH = re.compile(r"[一-鿿][,.;:!?()]|[,;!?()][一-鿿]|\"")
_SPACED = re.compile(r"[一-鿿] [一-鿿]| [，。；：、]|[，。；：、] ")


def test_every_language_but_the_service_s_own_has_its_reasons() -> None:
    assert FILES.keys() == LANGUAGES.keys() - {DEFAULT}
    assert explained(DEFAULT, "circuit_open") is None


def test_every_reason_is_explained_and_none_that_is_not_there() -> None:
    notes = errors_page.explained(REPOSITORY_ROOT)
    reasons = notes["reasons"].keys() | notes["attempts"].keys()

    for language in FILES:
        assert explanations_of(language).keys() == reasons


def test_every_reason_says_what_happened_and_what_helps() -> None:
    notes = errors_page.explained(REPOSITORY_ROOT)
    advised = {reason for reason, note in notes["reasons"].items() if note["caller"]}

    for language in FILES:
        found = explanations_of(language)
        assert {reason for reason, one in found.items() if one.advice} == advised
        assert all(one.happened.endswith("。") for one in found.values())
        assert all(one.advice.endswith("。") for one in found.values() if one.advice)


def test_explanations_have_no_places_and_are_written_as_chinese_is() -> None:
    """What varies is in what the service has said, which stands beneath."""
    for one in explanations_of("zh").values():
        text = one.happened + one.advice
        assert re.findall(r"\{\w+\}", text) == []
        assert _HALF_WIDTH.findall(text) == []
        assert _SPACED.findall(text) == []
