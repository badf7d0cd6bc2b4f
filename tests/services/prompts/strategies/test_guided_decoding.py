"""A small model only chooses: the user's words stay as they were typed."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.services.prompts.strategies.guided_decoding import GuidedStrategy
from llm_api.services.prompts.strategies.instructions import InstructedStrategy
from llm_api.services.prompts.task import Task
from llm_api.services.prompts.text import clean
from llm_api.services.prompts.validation import RewriteValidator
from tests.services.prompts.asking import KINDS, completion_of, task_of

STRATEGY = GuidedStrategy(RewriteValidator(InstructedStrategy().instructions))
PROMPTS = {
    "english": "a cat sitting on a chair",
    "sentence": "A cat sits on a chair.",
    "question": "What would a cat dream?",
    "chinese": "一只猫坐在椅子上",
    "chinese sentence": "一只猫坐在椅子上。",
    "quotes": 'a shop with a sign "OPEN 24h" and a dog\'s bowl',
    "newlines": "a cat\nsitting\r\n\ton a chair",
    "regex": r"a cat (.*) [a-z]+ ^$ \d{3} | \\ ?",
    "json": '{"prompt": "x", "a": [1]}',
    "hyphens": "a well-known mid-century T-shirt, black-and-white - no-color",
    "underscores": "file_name_of_cat.png",
    "emoji": "🐈 on a 🪑",
    "only signs": "?!... ---",
    "accents": "a café in Zürich, naïve façade",
    "other digits": "² cats and ٣ dogs",
    "4,000 characters": ("a cat on a chair and " * 200)[:4_000],
    "4,000 characters without a space": "猫" * 4_000,
    "one letter": "a",
    "space around": "  a cat  ",
}


def pattern_of(task: Task) -> str:
    form: Any = (STRATEGY.parameters(task) or {})["response_format"]
    return str(form["json_schema"]["schema"]["properties"]["prompt"]["pattern"])


def choose_first(task: Task) -> str:
    """Answer as a model does that is bound by the schema and always takes the first phrase."""
    pattern = pattern_of(task).removeprefix("^").removesuffix("$")
    text = re.sub(r"\(([^|)]*)[^)]*\)", r"\1", pattern).replace("\\-", "-")
    return json.dumps({"prompt": text})


def rewrites(task: Task) -> list[str]:
    has_question = STRATEGY.parameters(task) is not None
    return list(
        STRATEGY.rewrites(task, completion_of(choose_first(task)) if has_question else None)
    )


def rewritten(prompt: str, kind: str = "image", **fields: Any) -> str:
    [rewrite] = rewrites(task_of(prompt, kind, **fields))
    return rewrite


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PROMPTS)
def test_the_words_of_the_user_stay(name: str, kind: str) -> None:
    prompt = PROMPTS[name]

    rewrite = rewritten(prompt, kind)

    assert rewrite.startswith(clean(prompt))
    assert len(rewrite) > len(clean(prompt))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PROMPTS)
def test_the_pattern_is_short_and_matches_its_own_example(name: str, kind: str) -> None:
    task = task_of(PROMPTS[name], kind)

    pattern = pattern_of(task)

    assert len(pattern) < 2_000
    assert re.fullmatch(pattern, json.loads(choose_first(task))["prompt"])


def test_phrases_follow_a_fragment_after_commas() -> None:
    assert rewritten("a cat", "video") == (
        "a cat, soft natural light with gentle shadows, natural movement in a continuous rhythm,"
        " medium shot, slow push-in camera"
    )


def test_phrases_follow_a_sentence_as_one_of_their_own() -> None:
    rewrite = rewritten("A cat sits.", "video")

    assert rewrite.startswith("A cat sits. Soft natural light with gentle shadows, small, ")
    assert rewrite.endswith(", medium shot, slow push-in camera.")


def test_a_chinese_prompt_gets_chinese_phrases() -> None:
    assert rewritten("一只猫", "video") == (
        "一只猫，柔和的自然光与淡淡的阴影，动作自然连贯，节奏流畅，中景镜头，镜头缓慢推近"
    )


def test_a_comma_at_the_end_is_not_doubled() -> None:
    assert rewritten("a cat, ", "video").startswith("a cat, soft natural light")


STYLES = [
    ("a cat", "anime", "anime style"),
    ("a cat", "Ukiyo-e", "Ukiyo-e style"),
    ("a cat", "anime style", "anime style"),
    ("a girl drinking tea", "ink", "ink style"),
    ("a party", "art", "art style"),
    ("一只猫", "水彩", "水彩风格"),
    ("一只猫", "水彩风格", "水彩风格"),
]


@pytest.mark.parametrize(("prompt", "style", "expected"), STYLES)
def test_the_style_is_named_once(prompt: str, style: str, expected: str) -> None:
    rewrite = rewritten(prompt, style=style)

    assert rewrite.count(expected) == 1
    assert "style style" not in rewrite
    assert "风格风格" not in rewrite


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a cat", "a cat, ink style, "),
        ("A cat sits.", "Ink style: A cat sits. "),
        ("A cat sits. It sleeps", "Ink style: A cat sits. It sleeps. Asymmetrical "),
    ],
)
def test_the_style_stands_in_the_first_sentence(prompt: str, expected: str) -> None:
    assert rewritten(prompt, style="ink").startswith(expected)


@pytest.mark.parametrize("prompt", ["an anime cat", "a cat, Anime style"])
def test_a_style_that_the_prompt_has_is_not_named_again(prompt: str) -> None:
    assert rewritten(prompt, style="anime").lower().count("anime") == 1


@pytest.mark.parametrize("style", [None, "", "  "])
def test_without_a_style_none_is_named(style: str | None) -> None:
    assert "style" not in rewritten("a cat", style=style)


MENTIONED = [
    ("a cat at night, lit by lamps", "light|glow|highlights"),
    ("a cat, close-up", "composition|view|shot|framing"),
    ("a cat, vivid colors", "palette|colors|tones"),
    ("a cat, rough fur", "texture"),
    ("a cat, 85mm lens", "depth of field|focus"),
    ("a cat before a plain background", "background"),
    ("一只猫，黄昏", "光"),
    ("一只猫，特写", "构图|视角"),
]


@pytest.mark.parametrize(("prompt", "added"), MENTIONED)
def test_what_the_prompt_has_itself_is_not_added(prompt: str, added: str) -> None:
    rewrite = rewritten(prompt)

    assert not re.search(added, rewrite.removeprefix(prompt))
    assert len(rewrite) > len(prompt)


WRONG = [
    ("a cat at midnight", "image", "daylight|window|studio"),
    ("a whale underwater", "image", "daylight|window|studio|overcast"),
    ("a rocket in outer space", "image", "daylight|window|studio|overcast"),
    ("a cat to the left of a dog", "image", "centered|close-up"),
    ("three red apples", "image", "centered|close-up|warm|cool|shallow"),
    ("a mountain valley", "image", "close-up|studio|window|centered"),
    ("a company logo", "image", "material|depth of field|muted"),
    ("a castle in watercolor", "image", "line work|material|focus"),
    ("a detective, film noir", "image", "colors|tones|palette"),
    ("a cat, pan left", "video", "camera"),
    ("a cat runs", "video", "static|quiet|holding still"),
    ("a chair", "video", "moving|natural movements|livelier"),
    ("a river", "video", "holding still|slowing down"),
    ("an astronaut in the forest", "image", "deep black|in the dark"),
    ("深夜的城市", "image", "自然光|窗光|棚拍"),
    ("一只猫，镜头向左摇", "video", "推近|机位|跟拍|拉远"),
]


@pytest.mark.parametrize(("prompt", "kind", "wrong"), WRONG)
def test_no_choice_can_contradict_the_prompt(prompt: str, kind: str, wrong: str) -> None:
    assert not re.search(wrong, pattern_of(task_of(prompt, kind)).removeprefix(f"^{prompt}"))


@pytest.mark.parametrize("style", ["watercolor", "anime", "pixel art", "水墨"])
def test_a_drawn_style_gets_no_lens(style: str) -> None:
    assert not re.search("focus|depth of field|dynamic range", rewritten("a cat", style=style))


def test_the_camera_that_was_asked_for_is_the_only_one() -> None:
    rewrite = rewritten("a cat", "video", camera="orbit to the left")

    assert rewrite.startswith("a cat, orbit to the left, ")
    assert "camera" not in rewrite


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a cat on a chair", "A cat on a chair."),
        ("A cat on a chair!", "A cat on a chair!"),
        ("a cat , on a chair ,", "A cat, on a chair."),
        ('a sign "OPEN."', 'A sign "OPEN."'),
        ("一只猫，", "一只猫"),
    ],
)
def test_without_details_it_is_only_put_in_order(prompt: str, expected: str, kind: str) -> None:
    task = task_of(prompt, kind, enhance_details=False)

    assert STRATEGY.parameters(task) is None
    assert STRATEGY.rewrites(task, None) == [expected]


def test_without_details_a_style_is_still_named() -> None:
    assert rewritten("a cat", style="ink", enhance_details=False) == "A cat, ink style."


FULL = (
    "close-up of a cat at night by lamp light, vivid colors, rough fur, plain background, 85mm lens"
)


def test_where_nothing_is_left_to_add_nobody_is_asked() -> None:
    task = task_of(FULL)

    assert STRATEGY.parameters(task) is None
    assert STRATEGY.rewrites(task, None) == [FULL]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("prompt", ["a cat", "A cat sits.", "三只猫", "a city at night, pan left"])
def test_what_was_optimized_once_is_left_as_it_is(prompt: str, kind: str) -> None:
    once = rewritten(prompt, kind)

    assert rewrites(task_of(once, kind)) == [once]


def test_it_cannot_translate() -> None:
    task = task_of("一只猫", language="en")

    assert STRATEGY.parameters(task) is None
    assert STRATEGY.rewrites(task, None) == []


def test_no_more_is_added_than_there_is_room() -> None:
    task = task_of("a cat", max_length=40)

    [rewrite] = STRATEGY.rewrites(task, completion_of(choose_first(task)))

    assert rewrite == "a cat, finely detailed fur texture"
    assert len("a cat, ") < len(rewrite) <= 40


def test_several_rewrites_differ() -> None:
    found = rewrites(task_of("a cat", n=4))

    assert len(set(found)) == 4
    assert all(one.startswith("a cat, ") for one in found)


@pytest.mark.parametrize("kind", KINDS)
def test_the_examples_choose_what_is_asked_for(kind: str) -> None:
    task = task_of("a cat at night, lit by lamps", kind)
    messages: Any = (STRATEGY.parameters(task) or {})["messages"]

    answers = [json.loads(m["content"])["prompt"] for m in messages if m["role"] == "assistant"]

    asked = pattern_of(task).count("(")
    assert all(answer.count(",") for answer in answers)
    assert not any(re.search(r"\b(light|shadows?)\b", answer) for answer in answers)
    assert (len(answers) >= 4, asked) == (True, {"image": 2, "video": 3}[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_is_bounded(kind: str) -> None:
    assert (STRATEGY.parameters(task_of("a cat", kind)) or {})["max_tokens"] == 400


def test_a_seed_is_passed_on() -> None:
    assert (STRATEGY.parameters(task_of("a cat", seed=7)) or {})["seed"] == 7


BAD_ANSWERS = {
    "nothing": "",
    "no json": "a cat, soft natural daylight",
    "no object": "[]",
    "number": "7",
    "other key": '{"text": "a cat"}',
    "no string": '{"prompt": 7}',
    "null": '{"prompt": null}',
    "other subject": '{"prompt": "a dog, soft natural daylight, wide shot"}',
    "echo": '{"prompt": "a cat"}',
    "own phrase": '{"prompt": "a cat, a big dog, centered composition"}',
    "cut": '{"prompt": "a cat, soft nat',
    "deep": "[" * 5_000,
    "lone surrogate": '{"prompt": "\\ud800"}',
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_an_answer_out_of_form_gives_nothing(name: str) -> None:
    assert STRATEGY.rewrites(task_of("a cat"), completion_of(BAD_ANSWERS[name])) == []


def is_visible(text: str) -> bool:
    return bool(clean(text))


PROMPT_TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=80).filter(is_visible)


@given(
    prompt=PROMPT_TEXTS,
    style=st.none() | st.text(st.characters(codec="utf-8"), max_size=20),
    kind=st.sampled_from(KINDS),
    enhance_details=st.booleans(),
    answer=st.text(st.characters(codec="utf-8"), max_size=80),
)
def test_whatever_the_model_answers_the_words_of_the_user_stay(
    *, prompt: str, style: str | None, kind: str, enhance_details: bool, answer: str
) -> None:
    task = task_of(prompt, kind, style=style, enhance_details=enhance_details)
    answers = [answer, json.dumps({"prompt": answer})]
    if STRATEGY.parameters(task) is not None:
        answers.append(choose_first(task))

    found = [one for text in answers for one in STRATEGY.rewrites(task, completion_of(text))]

    words = [word.strip(",.;:!?，；、：").casefold() for word in task.prompt.split()]
    assert all(word in one.casefold() for one in found for word in words)
    assert found or enhance_details
