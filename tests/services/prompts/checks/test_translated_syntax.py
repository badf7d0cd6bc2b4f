"""Syntax whose words are translated keeps its signs and numbers."""

from typing import Any

from llm_api.services.prompts.strategies.instructions import InstructedStrategy
from llm_api.services.prompts.validation import RewriteValidator
from tests.services.prompts.asking import task_of
from tests.support.tables import each

VALIDATOR = RewriteValidator(InstructedStrategy().instructions)
CODE = "syntax_untranslated"
# A prompt, a rewrite that keeps its form, and one that does not.
PAIRS = [
    (
        "Retrato de una mujer con (ojos azules:1.4)",
        "portrait of a woman with (blue eyes:1.4), soft window light, pale skin, gray wall",
        "portrait of a woman with blue eyes, soft window light, pale skin, gray wall",
    ),
    (
        "Женщина, (голубые глаза:1.4), (рыжие волосы:0.8)",
        "a woman, (blue eyes:1.4), (red hair:0.8), soft window light, gray wall, close framing",
        "a woman, (blue eyes:1.4), (red hair:1.4), soft window light, gray wall, close framing",
    ),
    (
        "猫、((青い目))、窓辺",
        "a cat, ((blue eyes)), window sill, soft morning light, gray wall, close framing",
        "a cat, (blue eyes), window sill, soft morning light, gray wall, close framing",
    ),
    (
        "Ein {rotes|grünes|blaues} Kleid auf einem Bügel",
        "a {red|green|blue} dress on a hanger, soft window light, gray wall, close framing",
        "a {red|green} dress on a hanger, soft window light, gray wall, close framing",
    ),
    (
        "[gato:perro:0.5] en un sofá rojo",
        "[cat:dog:0.5] on a red sofa, soft window light, gray wall, close framing, warm tones",
        "[cat:dog:0.7] on a red sofa, soft window light, gray wall, close framing, warm tones",
    ),
    (
        "唯美的(蓝眼睛:1.3)女孩，窗边",
        "a dreamy girl with (blue eyes:1.3), window, soft light, pale tones, close framing",
        "a dreamy girl with blue eyes, window, soft light, pale tones, close framing",
    ),
]


def codes(prompt: str, rewrite: str, **fields: Any) -> frozenset[str]:
    """Return what is wrong with a rewrite for a target that reads all of this syntax."""
    task = task_of(prompt, language="en", target_model="sdxl", **fields)
    return VALIDATOR.validate(task, rewrite).codes


@each(("prompt", "kept", "lost"), PAIRS)
def test_the_signs_and_numbers_of_a_translated_piece_stay(
    prompt: str, kept: str, lost: str
) -> None:
    assert CODE not in codes(prompt, kept)
    assert CODE in codes(prompt, lost)


def test_a_piece_may_also_stay_letter_by_letter() -> None:
    prompt = "Retrato de una mujer con (ojos azules:1.4)"

    assert CODE not in codes(prompt, "portrait of a woman with (ojos azules:1.4), soft light")


def test_a_target_that_does_not_read_weights_gets_the_words() -> None:
    task = task_of("Retrato de una mujer con (ojos azules:1.4)", target_model="flux")

    rewrite = "A portrait of a woman with blue eyes beside a window, soft light from the left."
    assert CODE not in VALIDATOR.validate(task, rewrite).codes
