"""What a prompt has for programs is found, and ordinary text is not taken for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.services.prompts.constraints.constraints import find_constraints
from llm_api.services.prompts.constraints.syntax import find_syntax, without_end, without_tags

FOUND = {
    "a cat <lora:watercolor_v2:0.8>": [("<lora:watercolor_v2:0.8>", "loras")],
    "a cat <lyco:x>, <hypernet:y:1>": [("<lyco:x>", "loras"), ("<hypernet:y:1>", "loras")],
    "a cat, embedding:easynegative": [("embedding:easynegative", "embeddings")],
    "a __hair/color__ cat": [("__hair/color__", "wildcards")],
    "a ${animal} and {{ place }}": [("${animal}", "placeholder"), ("{{ place }}", "placeholder")],
    "a {red|green} dress": [("{red|green}", "choices")],
    "{2$$a cat|a dog|a {big|small} cow}": [("{2$$a cat|a dog|a {big|small} cow}", "choices")],
    "[cow|horse] in a field": [("[cow|horse]", "steps")],
    "a [fantasy:cyberpunk:0.4] city": [("[fantasy:cyberpunk:0.4]", "steps")],
    "a portrait, (blue eyes:1.4)": [("(blue eyes:1.4)", "weights")],
    "((soft light)), a cat": [("((soft light))", "weights")],
    "(soft light)++ and haze--": [("(soft light)++", "weights"), ("haze--", "weights")],
    "a ball++ in a park": [("ball++", "weights")],
    "hot::2 dog": [("hot::2", "parts")],
    "a forest BREAK a lake": [("BREAK", "break")],
    "кот BREAK озеро AND лес": [("BREAK", "break"), ("AND", "break")],
    "(голубые глаза:1.4), туман--": [("(голубые глаза:1.4)", "weights"), ("туман--", "weights")],
    "森、[猫]、((青い目))": [("[猫]", "weights"), ("((青い目))", "weights")],
    "un vestido {rojo|verde}": [("{rojo|verde}", "choices")],
    "a cat --ar 16:9 --stylize 250": [("--ar 16:9", "flags"), ("--stylize 250", "flags")],
}


@pytest.mark.parametrize("prompt", FOUND)
def test_syntax_is_found(prompt: str) -> None:
    assert [(piece.text, piece.kind) for piece in find_syntax(prompt)] == FOUND[prompt]


PLAIN = [
    "a man (in a hat) beside a 3:4 frame, price < 5 > 3",
    "a box [old] with a note; a well-known place -- far away",
    "a snake_case sign, an i <3 you mug",
    "coffee break at dusk: two cups",
    # What is not wanted is a negation, and must not come back as words.
    "a room --no people",
    # A name, and a text that is kept letter by letter anyway.
    "the C++ logo on a mug",
    'a sign "(OPEN:24) {A|B} --ar 16:9" at night',
    "he waited-- then he left",
]


@pytest.mark.parametrize("prompt", PLAIN)
def test_ordinary_text_has_none(prompt: str) -> None:
    assert find_syntax(prompt) == ()


def test_a_tag_s_name_is_no_word_of_the_prompt() -> None:
    found = find_constraints("a chair <lora:red_cat_watercolor:0.8>")

    assert (found.objects, found.colors, found.styles) == (("chair",), (), ())


def test_the_end_without_tags_and_parameters_is_the_text_s() -> None:
    assert without_end("A cat. <lora:x:1> --ar 16:9") == "A cat."
    assert without_tags("A <lora:x:1> cat") == "A   cat"


@given(st.text("<>{}[]()_|:+-$ ax1.", max_size=400))
def test_any_text_is_read(text: str) -> None:
    assert all(piece.text in text for piece in find_syntax(text))


@pytest.mark.parametrize("sign", ["<a:", "__a", "{a|", "[a|", "(a", "[a:", "{{", "((", "--a "])
def test_signs_without_end_cost_no_time(sign: str) -> None:
    assert len(find_syntax(sign * 1_000)) <= 50
