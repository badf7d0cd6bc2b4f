"""Replies as models write them give the usable text and nothing else."""

import json
import tomllib
from collections.abc import Iterator

import pytest

from llm_api.services.prompts.optimizer import PromptOptimizer
from llm_api.services.prompts.strategies.instructions import InstructedStrategy
from tests.services.calls import ListSink
from tests.services.prompts.asking import completion_of, optimizer_of, task_of
from tests.services.prompts.strategies.reply_forms import TABLE, Form, read_forms, rewritten
from tests.support.upstream import ScriptedUpstream

STRATEGY = InstructedStrategy()
FORMS = list(read_forms())
WHOLE = tomllib.loads(TABLE.with_name("whole_prompts.toml").read_text("utf-8"))
MAX_FALLBACKS = 0.03
# How a model sends a prompt.
SENT = {
    "plain": "{}",
    "JSON": '{{"optimized_prompt": {json}}}',
    "introduced JSON": 'Here it is:\n\n{{"optimized_prompt": {json}, "changes": ["light"]}}',
    "thought of first": "<think>Hm.</think>\n{}",
    "fenced": "```\n{}\n```",
    "introduced": "Here is the optimized prompt:\n\n{}",
    "labeled": "**Optimized prompt:** {}",
    "ended": "{}<|im_end|>",
    "commented on": "{}\n\n**Why this works:** it has light.",
}


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedUpstream]:
    """Run one upstream for all replies."""
    with ScriptedUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def optimizer(server: ScriptedUpstream) -> PromptOptimizer:
    """Optimize with it, as with a capable model."""
    return optimizer_of(server, ListSink())


def test_the_usable_text_of_a_reply_is_given_and_nothing_else(
    server: ScriptedUpstream, optimizer: PromptOptimizer
) -> None:
    usable = [form for form in FORMS if form.want != "none"]
    given = [(form, rewritten(form, server, optimizer)) for form in usable]

    leaks = [
        (form.template, texts) for form, texts in given if texts not in ([], form.expected[:1])
    ]
    fallbacks = [form.template for form, texts in given if not texts]
    assert len(usable) >= 800
    assert leaks == []
    assert len(fallbacks) <= MAX_FALLBACKS * len(usable), fallbacks


def test_nothing_is_given_of_a_reply_without_an_answer(
    server: ScriptedUpstream, optimizer: PromptOptimizer
) -> None:
    useless = [form for form in FORMS if form.want == "none"]
    given = [(form.template, rewritten(form, server, optimizer)) for form in useless]

    assert len(useless) >= 75
    assert [(template, texts) for template, texts in given if texts] == []


def test_a_list_of_options_gives_the_candidates(
    server: ScriptedUpstream, optimizer: PromptOptimizer
) -> None:
    forms = [form for form in FORMS if form.want == "options"]
    given = [(form, rewritten(form, server, optimizer, n=3)) for form in forms]

    assert len(forms) >= 55
    assert [(form.template, texts) for form, texts in given if texts != form.expected] == []


def found_in(prompt: str, reply: str) -> list[str]:
    return list(STRATEGY.rewrites(task_of(prompt), completion_of(reply)))


def test_a_prompt_that_speaks_like_a_reply_is_whole() -> None:
    cut = [
        (prompt, how, found)
        for prompt in WHOLE["prompts"]
        for how, sent in SENT.items()
        if (found := found_in(prompt, sent.format(prompt, json=json.dumps(prompt)))) != [prompt]
    ]

    assert len(WHOLE["prompts"]) >= 40
    assert cut == []


def test_a_prompt_of_several_lines_is_whole_in_one() -> None:
    found = [(found_in(joined, lines), [joined]) for lines, joined in WHOLE["lines"]]

    assert [both for both in found if both[0] != both[1]] == []


def test_the_table_has_no_form_twice() -> None:
    seen = [(form.template, str(form.finish_reason)) for form in FORMS]

    assert sorted(set(seen)) == sorted(seen)


def test_a_form_names_the_prompt_that_it_answers() -> None:
    form = Form("", "text", "{zh}", "stop")

    assert form.reply == form.expected[0]
    assert form.prompt == "一只猫坐在椅子上"
