"""The prompt is found in whatever a model wrote."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.services.prompts.strategies.reply_parser import MAX_REPLY_CHARS, find_prompts

CAT = "A cat on a sill, soft light"
STRICT = json.dumps({"optimized_prompt": CAT})

FOUND = {
    "strict": STRICT,
    "strict with space around": f"\n  {STRICT}\n",
    "another name for it": json.dumps({"prompt": CAT}),
    "answered before": f"The user wants a cat.</think>{STRICT}",
    "a note after it": f"{CAT}\n\nNote: I added light.",
    "talk after it": f"{CAT}\n\nLet me know if you want more.",
    "chinese note after it": f"{CAT}\n\n说明：补充了光线。",
    "escape sequences": f"\x1b[1m{CAT}\x1b[0m",
    "hidden letters": CAT.replace(" ", "\u200b "),
    "more keys": json.dumps({"notes": "x", "optimized_prompt": CAT}),
    "fenced": f"```json\n{STRICT}\n```",
    "fenced without a language": f"```\n{STRICT}\n```",
    "fenced in prose": f"Here you are:\n```json\n{STRICT}\n```\nEnjoy!",
    "fenced plain text": f"```\n{CAT}\n```",
    "in prose": f"Sure! {STRICT} Hope this helps.",
    "second object in prose": f'Settings {{"a": 1}} and {STRICT}',
    "in a list": f"[{STRICT}]",
    "trailing comma": f'{{"optimized_prompt": "{CAT}",}}',
    "single quotes": f"{{'optimized_prompt': '{CAT}'}}",
    "unclosed": f'{{"optimized_prompt": "{CAT}"',
    "cut in the string": f'{{"optimized_prompt": "{CAT}',
    "unquoted key": f'{{optimized_prompt: "{CAT}"}}',
    "answer tag": f"<answer>{CAT}</answer>",
    "prompt tag": f"Text before <prompt>\n{CAT}\n</prompt> and after",
    "named tag": f"<optimized_prompt>{CAT}</optimized_prompt>",
    "think block": f"<think>The user wants {{}} a cat.</think>{STRICT}",
    "thinking block": f"<thinking>Hm.\nWell.</thinking>\n\n{CAT}",
    "think block in capitals": f"<THINK>Hm.</THINK>{CAT}",
    "object in a think block": f'<think>{{"optimized_prompt": "a draft"}}</think>{STRICT}',
    "plain": CAT,
    "plain over lines": "A cat\non a sill,\n\n  soft light",
    "in double quotes": f'"{CAT}"',
    "in single quotes": f"'{CAT}'",
    "in curly quotes": f"“{CAT}”",
    "in corner brackets": f"「{CAT}」",
    "sure": f"Sure! {CAT}",
    "here is": f"Here is the optimized prompt: {CAT}",
    "here's": f"Here's your rewritten prompt:\n\n{CAT}",
    "here’s": f"Here’s your rewritten prompt:\n\n{CAT}",
    "certainly": f"Certainly, here it is: {CAT}",
    "of course": f"Of course! {CAT}",
    "label": f"Optimized prompt: {CAT}",
    "bold label": f"**Optimized prompt:** {CAT}",
    "heading": f"# Optimized prompt:\n{CAT}",
    "bold": f"**{CAT}**",
    "bullet": f"- {CAT}",
    "code": f"`{CAT}`",
    "chinese preamble": f"好的，{CAT}",
    "chinese label": f"以下是优化后的提示词：{CAT}",
    "chinese label after a preamble": f"优化后的提示词：\n{CAT}",
    "preamble inside json": json.dumps({"optimized_prompt": f"Here is the prompt: {CAT}"}),
    "preamble and quotes": f'Here is the optimized prompt: "{CAT}"',
}


@pytest.mark.parametrize("name", FOUND)
def test_the_prompt_is_found(name: str) -> None:
    assert find_prompts(FOUND[name]) == [CAT]


NONE = {
    "nothing": "",
    "space": " \n ",
    "empty prompt": '{"optimized_prompt": ""}',
    "other key": '{"text": "A cat"}',
    "other key, fenced": '```json\n{"text": "A cat"}\n```',
    "other key, in prose": 'Here is the optimized prompt: {"text": "A cat"}',
    "empty object": "{}",
    "no string": '{"optimized_prompt": 7}',
    "null": '{"optimized_prompt": null}',
    "list of numbers": '{"optimized_prompt": [1, 2]}',
    "only thinking": "<think>The user wants a cat, so",
    "thinking that ended": "<think>The user wants a cat.</think>",
    "broken object": '{"improvements": [',
}


@pytest.mark.parametrize("name", NONE)
def test_where_there_is_no_prompt_none_is_found(name: str) -> None:
    assert find_prompts(NONE[name]) == []


def test_several_prompts_are_found_once_each() -> None:
    reply = json.dumps({"optimized_prompts": [CAT, "A cat, wide shot", CAT, 7, ""]})

    assert find_prompts(reply) == [CAT, "A cat, wide shot"]


def test_a_reply_of_many_pages_is_not_searched() -> None:
    assert find_prompts("A cat. " * (MAX_REPLY_CHARS // 7 + 1)) == []


KEPT = [
    'A sign that says "OPEN" above a door',
    '"OPEN" on a sign, and below it "24 hours"',
    "A box of {braces} on a desk",
    "Sure-footed mountain goat on a cliff. Morning light",
    "An okay sign: a hand against the sky",
    "A 3 * 4 grid of stones",
    "穿着汉服的女孩，站在桥上，晨光",
    "A robot's hand holding 'a rose'",
]


@pytest.mark.parametrize("prompt", KEPT)
def test_a_prompt_is_left_as_it_is(prompt: str) -> None:
    assert find_prompts(json.dumps({"optimized_prompt": prompt})) == [prompt]


def test_braces_inside_the_prompt_do_not_end_it() -> None:
    prompt = "A neon sign: {hello}, and a } alone"

    found = find_prompts(f"Sure: {json.dumps({'optimized_prompt': prompt})} Enjoy.")

    assert found == [prompt]


@pytest.mark.parametrize(
    "reply",
    ["[" * 5_000, "{" * 5_000, '{"a":' * 1_500, '{"optimized_prompt":' * 1_500, "```" * 2_000],
    ids=["lists", "braces", "objects", "keys", "fences"],
)
def test_deep_nesting_is_no_crash(reply: str) -> None:
    assert len(find_prompts(reply)) <= 1


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_any_reply_gives_one_paragraph(reply: str) -> None:
    found = find_prompts(reply)

    assert all(one and one == " ".join(one.split()) for one in found)


@given(st.from_regex(r"\A[A-Za-z][a-z ]{0,60}[a-z]\Z"))
def test_a_plain_prompt_in_json_comes_back(prompt: str) -> None:
    expected = " ".join(prompt.split())

    assert find_prompts(json.dumps({"optimized_prompt": expected})) == [expected]
