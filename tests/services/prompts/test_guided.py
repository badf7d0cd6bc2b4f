"""A small model only chooses: the user's words stay as they were typed."""

import json
import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.domain import Completion, PromptRequest, TokenUsage
from llm_api.services.prompts.guided import GuidedForm

FORM = GuidedForm()
KINDS = ["image", "video"]
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
    "accents": "un café à Zürich, naïve façade",
    "russian": "кошка сидит на стуле",
    "other digits": "² cats and ٣ dogs",
    "4,000 characters": ("a cat on a chair and " * 200)[:4_000],
    "4,000 characters without a space": "猫" * 4_000,
    "one letter": "a",
    "space around": "  a cat  ",
}


def completion_of(text: str) -> Completion:
    document = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
    return Completion(document, orjson.dumps(document), TokenUsage())


def pattern_of(request: PromptRequest) -> str:
    form: Any = FORM.parameters(request)["response_format"]
    return str(form["json_schema"]["schema"]["properties"]["prompt"]["pattern"])


def choose_first(request: PromptRequest) -> str:
    """Answer as a model does that is bound by the schema and always takes the first phrase."""
    pattern = pattern_of(request).removeprefix("^").removesuffix("$")
    text = re.sub(r"\(([^|)]*)[^)]*\)", r"\1", pattern).replace("\\-", "-")
    return json.dumps({"prompt": text})


def rewritten(request: PromptRequest) -> str:
    return FORM.rewrite(request, completion_of(choose_first(request)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PROMPTS)
def test_the_words_of_the_user_stay(name: str, kind: str) -> None:
    prompt = PROMPTS[name]

    rewrite = rewritten(PromptRequest(prompt, kind))

    assert rewrite.startswith(prompt.strip())
    assert len(rewrite) > len(prompt.strip())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PROMPTS)
def test_the_pattern_is_short_and_matches_its_own_example(name: str, kind: str) -> None:
    request = PromptRequest(PROMPTS[name], kind)

    pattern = pattern_of(request)

    assert len(pattern) < 2_000
    assert re.fullmatch(pattern, json.loads(choose_first(request))["prompt"])


def test_phrases_follow_a_fragment_after_commas() -> None:
    assert rewritten(PromptRequest("a cat", "video")) == (
        "a cat, soft natural daylight, wide shot, smooth continuous motion, slow push-in camera"
    )


def test_phrases_follow_a_sentence_as_one_of_their_own() -> None:
    assert rewritten(PromptRequest("A cat sits.", "video")) == (
        "A cat sits. Soft natural daylight, wide shot, smooth continuous motion,"
        " slow push-in camera."
    )


def test_a_chinese_prompt_gets_chinese_phrases() -> None:
    assert rewritten(PromptRequest("一只猫", "video")) == (
        "一只猫，柔和的自然光，全景镜头，动作流畅连贯，镜头缓慢推近"
    )


def test_a_comma_at_the_end_is_not_doubled() -> None:
    assert rewritten(PromptRequest("a cat, ", "video")).startswith("a cat, soft natural daylight")


@pytest.mark.parametrize(
    ("prompt", "style", "expected"),
    [
        ("a cat", "anime", "anime style"),
        ("a cat", "Ukiyo-e", "Ukiyo-e style"),
        ("a cat", "anime style", "anime style"),
        ("a girl drinking tea", "ink", "ink style"),
        ("a party", "art", "art style"),
        ("一只猫", "水彩", "水彩风格"),
        ("一只猫", "水彩风格", "水彩风格"),
    ],
)
def test_the_style_is_named_once(prompt: str, style: str, expected: str) -> None:
    rewrite = rewritten(PromptRequest(prompt, "image", style=style))

    assert rewrite.count(expected) == 1
    assert "style style" not in rewrite
    assert "风格风格" not in rewrite


@pytest.mark.parametrize("prompt", ["an anime cat", "a cat, Anime style"])
def test_a_style_that_the_prompt_has_is_not_named_again(prompt: str) -> None:
    rewrite = rewritten(PromptRequest(prompt, "image", style="anime"))

    assert rewrite.lower().count("anime") == 1


@pytest.mark.parametrize("style", [None, "", "  "])
def test_without_a_style_none_is_named(style: str | None) -> None:
    assert "style" not in rewritten(PromptRequest("a cat", "image", style=style))


MENTIONED = [
    ("a cat at night", "light"),
    ("a cat, close-up", "composition"),
    ("a cat, vivid colors", "palette"),
    ("a cat, rough fur", "texture"),
    ("a cat, 85mm lens", "depth of field"),
    ("一只猫，黄昏", "光"),
    ("一只猫，特写", "构图"),
]


@pytest.mark.parametrize(("prompt", "added"), MENTIONED)
def test_what_the_prompt_has_itself_is_not_added(prompt: str, added: str) -> None:
    rewrite = rewritten(PromptRequest(prompt, "image"))

    assert added not in rewrite.removeprefix(prompt)
    assert len(rewrite) > len(prompt)


@pytest.mark.parametrize("style", ["watercolor", "anime", "pixel art", "水墨"])
def test_a_drawn_style_gets_no_lens(style: str) -> None:
    rewrite = rewritten(PromptRequest("a cat", "image", style=style))

    assert not re.search("focus|depth of field|dynamic range", rewrite)


@pytest.mark.parametrize("kind", KINDS)
def test_without_details_only_the_framing_is_added(kind: str) -> None:
    request = PromptRequest("a cat on a chair", kind, enhance_details=False)

    rewrite = rewritten(request)

    assert rewrite.count(",") == 1
    assert re.search("composition|shot", rewrite)


@pytest.mark.parametrize("kind", KINDS)
def test_where_nothing_is_left_to_add_the_prompt_stays(kind: str) -> None:
    prompt = "close-up of a cat at night"

    rewrite = rewritten(PromptRequest(prompt, kind, enhance_details=False))

    assert rewrite == prompt


@pytest.mark.parametrize("kind", KINDS)
def test_the_examples_choose_what_is_asked_for(kind: str) -> None:
    request = PromptRequest("a cat at night", kind)
    messages: Any = FORM.parameters(request)["messages"]

    answers = [json.loads(m["content"])["prompt"] for m in messages if m["role"] == "assistant"]

    facets = pattern_of(request).removeprefix("^a cat at night")
    assert all(re.search(f"{facets}", answer) for answer in answers)
    assert len(answers) >= 4


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_is_bounded(kind: str) -> None:
    assert FORM.parameters(PromptRequest("a cat", kind))["max_tokens"] == 400


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
    request = PromptRequest("a cat", "image")

    assert FORM.rewrite(request, completion_of(BAD_ANSWERS[name])) == ""


PROMPT_TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=80).filter(str.strip)


@given(
    prompt=PROMPT_TEXTS,
    style=st.none() | st.text(st.characters(codec="utf-8"), max_size=20),
    kind=st.sampled_from(KINDS),
    enhance_details=st.booleans(),
    answer=st.text(st.characters(codec="utf-8"), max_size=80),
)
def test_whatever_the_model_answers_the_words_of_the_user_come_first(
    *, prompt: str, style: str | None, kind: str, enhance_details: bool, answer: str
) -> None:
    request = PromptRequest(prompt, kind, style, enhance_details=enhance_details)
    answers = [answer, json.dumps({"prompt": answer}), choose_first(request)]

    rewrites = [FORM.rewrite(request, completion_of(text)) for text in answers]

    words = prompt.strip().rstrip(",;，；、 ")
    assert all(rewrite == "" or rewrite.startswith(words) for rewrite in rewrites)
    assert rewrites[-1]
