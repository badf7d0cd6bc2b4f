"""Every violation has a sentence for the caller, who made no mistake, and one for the model."""

import tomllib
from importlib import resources

import pytest

from llm_api.services.prompts.checks.violations import violation_of

TABLE = tomllib.loads(
    resources.files("llm_api.services.prompts.checks").joinpath("violations.toml").read_text()
)
WITHOUT_CORRECTION = {"not_translated", "no_answer_in_time"}


@pytest.mark.parametrize("code", TABLE)
def test_the_caller_is_told_what_the_model_did(code: str) -> None:
    message = violation_of(code, "a cat").message

    assert message.startswith(("The model", "No answer"))
    assert message.endswith(".")
    assert "must" not in message


@pytest.mark.parametrize("code", sorted(TABLE.keys() - WITHOUT_CORRECTION))
def test_the_model_is_told_in_words_of_its_own(code: str) -> None:
    violation = violation_of(code, "a cat")

    assert violation.instruction != violation.message
    assert "model" not in violation.instruction


def test_the_subject_is_named() -> None:
    violation = violation_of("object_lost", "a cat")

    assert '"a cat"' in violation.message
    assert '"a cat"' in violation.instruction
