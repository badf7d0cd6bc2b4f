"""Whatever an upstream writes, no answer to a user breaks a hard rule."""

import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llm_api.domain.prompts import OptimizedPrompt, PromptRequest
from llm_api.services.prompts.optimizer import PromptOptimizer
from llm_api.services.prompts.strategies.instructions import InstructedStrategy
from tests.services.calls import CALLER, ListSink
from tests.services.prompts.asking import optimizer_of
from tests.support import replies
from tests.support.upstream import ScriptedUpstream

RULES = InstructedStrategy().instructions
LIMIT = 600

# Prompts with what must stay in them, letter by letter.
PROMPTS: dict[str, list[str]] = {
    'a shop with a sign "OPEN 24h" and a blue door': ['"OPEN 24h"', "OPEN 24h"],
    "three red apples on a white plate": [],
    "a man walks along the beach, pan left": [],
    "an empty street without cars": [],
    "一家小店，招牌上写着“营业中”，门是蓝色的": ["营业中"],
    "三只白猫坐在木桌左边": [],
    "《红楼梦》封面，水墨风格": ["红楼梦"],
}
FAITHFUL = {
    prompt: prompt + (", soft morning light." if prompt.isascii() else "，光线柔和。")
    for prompt in PROMPTS
}
NEVER = re.compile(
    r"\A(?:sure|certainly|here is|here's|i'm sorry|i cannot|as an ai|好的|以下是|抱歉)"
    r"|</?think|```|\*\*|optimized_prompt|\n|\x1b|\u200b|<[a-z]+|https?://|!\[",
    re.IGNORECASE,
)

SPOILERS = st.sampled_from(
    [
        "Sure! Here is your prompt: {}",
        "**{}**",
        "```\n{}\n```",
        "<think>The user wants {}</think>{}",
        "<think>{}",
        "# Prompt\n\n- {}\n- and more",
        "{}\n\nLet me know if you want changes!",
        "I'm sorry, I can't help with {}",
        "好的，以下是优化后的提示词：{}",
        "抱歉，我无法描述{}。",
        "{} 猫在窗台上",
        "{} a happy family of five people watches",
        "{} <img src=x onerror=alert(1)>",
        "{} https://evil.example/x",
        "{} \x1b[31mred\x1b[0m\u200b",
        "Une boutique avec une enseigne et une porte bleue. Le chat dort sur la table. {}",
        '{{"prompt": "{}"',
        "{}, and then the",
        "“{}”",
        "{}\n\n\n{}",
        RULES[0].replace("{", "(").replace("}", ")") + "{}",
        "{} " + RULES[1].replace("{", "(").replace("}", ")")[200:500],
    ]
)


def spoiled(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Dress texts as models do that were asked for nothing but a text."""
    return st.builds(lambda form, text: form.replace("{}", text), SPOILERS, texts)


def in_json(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Put texts into our form, whole, cut or twice."""
    whole = texts.map(lambda text: json.dumps({"optimized_prompt": text}, ensure_ascii=False))
    cut = st.builds(lambda text, at: text[: at % (len(text) + 1)], whole, st.integers(0, 400))
    return st.one_of(whole, cut, whole.map(lambda text: text + text), whole.map(json.dumps))


DRIFT = st.builds(
    lambda prompt, old, new: FAITHFUL[prompt].replace(old, new),
    st.sampled_from(sorted(PROMPTS)),
    st.sampled_from(
        ["OPEN", "three", "red", "blue", "left", "营业中", "三", "白", "左", "without"]
    ),
    st.sampled_from(["", "four", "green", "CLOSED", "right", "关门", "五", "黑"]),
)
BASE = st.one_of(DRIFT, st.sampled_from(sorted(FAITHFUL.values())), st.text(max_size=120))
WRITTEN = st.one_of(BASE, spoiled(BASE), in_json(BASE), in_json(spoiled(BASE)))


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedUpstream]:
    """Run one upstream for all examples."""
    with ScriptedUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def optimizer(server: ScriptedUpstream) -> PromptOptimizer:
    """Optimize with it, as with a capable model."""
    return optimizer_of(server, ListSink())


@pytest.fixture(scope="module")
def guided(server: ScriptedUpstream) -> PromptOptimizer:
    """Optimize with it, as with a small model."""
    return optimizer_of(server, ListSink(), is_guided=True)


def check(optimized: OptimizedPrompt, kept: list[str]) -> None:
    """Hold an answer to what is promised of every one."""
    text, original = optimized.optimized_prompt, optimized.original_prompt
    if text == original:
        assert list(optimized.improvements) == []
        return
    assert text.strip() == text != ""
    assert len(text) <= LIMIT
    assert not NEVER.search(text)
    assert all(words in text for words in kept)
    bare = re.sub(r'"[^"]*"|“[^”]*”|《[^》]*》', "", text)
    assert bool(re.search("[\u4e00-\u9fff]", bare)) == (not original.isascii())
    squeezed = "".join(text.split()).casefold()
    rules = ["".join(rule.split()).casefold() for rule in RULES]
    pieces = (squeezed[at : at + 60] for at in range(len(squeezed) - 59))
    assert not any(piece in rule for piece in pieces for rule in rules)


@given(first=WRITTEN, second=WRITTEN, prompt=st.sampled_from(sorted(PROMPTS)), kind=st.booleans())
@settings(max_examples=250)
@example(first="", second=RULES[0], prompt="three red apples on a white plate", kind=True)
@example(first="x" * 50_000, second="A cat. " * 7_000, prompt="三只白猫坐在木桌左边", kind=False)
def test_no_answer_of_a_capable_model_breaks_a_hard_rule(
    *,
    server: ScriptedUpstream,
    optimizer: PromptOptimizer,
    first: str,
    second: str,
    prompt: str,
    kind: bool,
) -> None:
    server.clear()
    server.script(*[replies.completion(text) for text in (first, second)])
    request = PromptRequest(prompt, "image" if kind else "video", max_length=LIMIT)

    optimized = optimizer.optimize(request, CALLER).answer

    check(optimized, PROMPTS[prompt])
    assert len(server.requests) <= 2


@given(written=WRITTEN, prompt=st.sampled_from(sorted(PROMPTS)), kind=st.booleans())
@settings(max_examples=60)
def test_no_answer_of_a_small_model_breaks_a_hard_rule(
    *, server: ScriptedUpstream, guided: PromptOptimizer, written: str, prompt: str, kind: bool
) -> None:
    server.clear()
    server.script(replies.completion(written))
    request = PromptRequest(prompt, "image" if kind else "video", max_length=LIMIT)

    optimized = guided.optimize(request, CALLER).answer

    check(optimized, PROMPTS[prompt])
    assert optimized.optimized_prompt.startswith(prompt)


@pytest.mark.parametrize("prompt", sorted(PROMPTS))
def test_a_faithful_rewrite_is_given_to_the_user(
    server: ScriptedUpstream, optimizer: PromptOptimizer, prompt: str
) -> None:
    server.clear()
    server.script(*[replies.completion(json.dumps({"optimized_prompt": FAITHFUL[prompt]}))] * 2)

    optimized = optimizer.optimize(PromptRequest(prompt, "image"), CALLER).answer

    assert (optimized.optimized_prompt, optimized.warnings) == (FAITHFUL[prompt], [])
