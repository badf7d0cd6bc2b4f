"""Prompt syntax is kept where the target understands it, and put into words where it does not."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from llm_api.domain.prompts import Target
from llm_api.services.prompts.constraints.target_syntax import fit_syntax
from tests.services.prompts.asking import TARGETS

ENGLISH: dict[str, Any] = {"languages": ("en",), "max_length": {"en": 1_000}}
TARGETS_HERE = {**TARGETS, "flags alone": Target("mj", **ENGLISH, syntax=frozenset(["flags"]))}
# The prompt, its target, and what is left of it: the text, its flags, and what is unwanted.
CASES = [
    ("portrait, (blue eyes:1.4)", "sdxl", "portrait, (blue eyes:1.4)", "", []),
    ("portrait, (blue eyes:1.4), <lora:a:0.8>, __b__, x", "wan", "portrait, blue eyes, x", "", []),
    ("a cat, embedding:easy_v3", "wan", "a cat", "", []),
    ("a cat, embedding:easy_v3", "sdxl", "a cat, embedding:easy_v3", "", []),
    ("a {red|green} dress BREAK a forest", "wan", "a red dress, a forest", "", []),
    ("a {red|green} dress BREAK a forest", "flux", "a {red|green} dress, a forest", "", []),
    ("{2$$a cat|a dog|a {big|small} cow}", "wan", "a cat, a dog", "", []),
    ("a {0.5::red|green} hat", "wan", "a red hat", "", []),
    ("[cow|horse] in a field", "wan", "cow in a field", "", []),
    (
        "a [fantasy:cyberpunk:0.4] city, [rain:0.5], [fog::9]",
        "wan",
        "a cyberpunk city, rain, fog",
        "",
        [],
    ),
    ("((soft light)), [blurry], (haze)++, mist--", "wan", "soft light, blurry, haze, mist", "", []),
    ("(({red|blue} hat)), a (ball)1.3", "wan", "red hat, a ball", "", []),
    (r"saber \(fate\), a C++ logo", "wan", "saber (fate), a C++ logo", "", []),
    ("a cat AND a dog", "seedream", "a cat and a dog", "", []),
    ("hot::2 dog", "sdxl", "hot, dog", "", []),
    ("still life:: fruit::-.5 vase", "wan", "still life, vase", "", ["fruit"]),
    ("a cat --no text, people", "wan", "a cat", "", ["text", "people"]),
    ("a cat --no text --ar 3:2", "flags alone", "a cat", "--no text --ar 3:2", ["text"]),
    ("a cat --ar 16:9, in a garden --v 7", "generic", "a cat, in a garden", "--ar 16:9 --v 7", []),
    ("a cat, --no red. Sharp light", "wan", "a cat. Sharp light", "", ["red"]),
    ("a cat —ar 16:9 —v 6", "generic", "a cat", "--ar 16:9 --v 6", []),
    (
        "a cat --style raw --sref https://a.b/c.png 77 --tile --p ab12cd",
        "generic",
        "a cat",
        "--style raw --sref https://a.b/c.png 77 --tile --p ab12cd",
        [],
    ),
    ("a cat runs --ar 16:9 --v 7", "seedance", "a cat runs", "--ratio 16:9", []),
    ("a cat runs --rs 720p --cf true", "seedance", "a cat runs", "--rs 720p --cf true", []),
    ("a cat --wibble 5", "flags alone", "a cat", "--wibble 5", []),
    ("一只猫 --no 文字，人物 --ar 1:1", "wan", "一只猫", "", ["文字", "人物"]),
    ("a {{place}} at ${time}, @image1", "wan", "a {{place}} at ${time}, @image1", "", []),
    ("a cat --v 7. Sharp light", "generic", "a cat. Sharp light", "--v 7", []),
    ("一只猫--ar 16:9,--q .5", "generic", "一只猫", "--ar 16:9 --q .5", []),
    # Words that are none of it.
    ("a screen with python --version on it", "wan", "a screen with python --version on it", "", []),
    ("a screen with git push --force", "wan", "a screen with git push --force", "", []),
    ("a screen with git push --force", "generic", "a screen with git push --force", "", []),
    ('a sign "(OPEN:24) --ar 16:9"', "wan", 'a sign "(OPEN:24) --ar 16:9"', "", []),
    (
        "a man (in a hat) beside a well--known door",
        "wan",
        "a man (in a hat) beside a well--known door",
        "",
        [],
    ),
    ("<lora:x:1>", "wan", "<lora:x:1>", "", []),
]


def test_a_target_gets_what_it_understands() -> None:
    wrong = []
    for prompt, target, text, tail, unwanted in CASES:
        fitted = fit_syntax(prompt, TARGETS_HERE[target])
        if (fitted.text, fitted.tail, list(fitted.unwanted)) != (text, tail, unwanted):
            wrong.append((prompt, target, fitted))

    assert wrong == []


def test_what_shall_be_preserved_stays_whatever_the_target_understands() -> None:
    prompt = "a cat, (green eyes:1.3), (red hat:1.2) --ar 16:9"

    fitted = fit_syntax(prompt, TARGETS["wan"], ["(green eyes:1.3)", "--ar 16:9"])

    assert (fitted.text, fitted.tail) == ("a cat, (green eyes:1.3), red hat", "--ar 16:9")


@given(st.text('<>{}[]()_|:+-$. ax1n,o"', max_size=200), st.sampled_from(sorted(TARGETS)))
def test_any_text_is_fitted(text: str, target: str) -> None:
    once = fit_syntax(text, TARGETS[target])

    assert once.changes or once.flags or once.text == text


def test_signs_without_end_cost_no_time() -> None:
    signs = ["<a:", "__a", "{a|", "[a|", "(a", "[a:", "{{", "((", "--a ", "--no ", "a:: ", "(a:1) "]

    texts = [fit_syntax(sign * 800, TARGETS["wan"]).text for sign in signs]

    assert all(len(text) <= 800 * len(sign) for text, sign in zip(texts, signs, strict=True))
