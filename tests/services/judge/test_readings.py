"""What a reply says is read whole and in its own words, or not at all."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_api.domain.judging import Level, Outcome
from llm_api.services.judge.readings import Judgment, read_judgment, read_preference
from llm_api.services.judge.rubric import QUALITY

LEVELS = st.sampled_from([*Level])
WORDS = st.sampled_from(["yes", "no", "unclear"])
TEXTS = st.text(max_size=30)
OUTCOMES = {"yes": Outcome.PASSED, "no": Outcome.FAILED, "unclear": Outcome.UNKNOWN}
Document = dict[str, Any]


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Draw what a model says when it does as it is told."""
    levels = {name: {"evidence": draw(TEXTS), "level": draw(LEVELS).value} for name in QUALITY}
    answers = [{"id": number, "evidence": draw(TEXTS), "answer": draw(WORDS)} for number in (1, 2)]
    return {
        "observations": draw(TEXTS),
        "dimensions": levels,
        "checkpoints": answers,
        "safety_note": "none",
        "summary": draw(TEXTS),
    }


def read(reply: str) -> Judgment | None:
    """Read a reply that must have all dimensions, two answers and a safety note."""
    return read_judgment(reply, QUALITY, checkpoints=2, has_safety_note=True)


def said_by(document: Mapping[str, Any]) -> tuple[dict[str, str], list[Outcome]]:
    """Return the levels and answers of a document."""
    levels = {name: one["level"] for name, one in document["dimensions"].items()}
    return levels, [OUTCOMES[one["answer"]] for one in document["checkpoints"]]


def said_in(judgment: Judgment) -> tuple[dict[str, str], list[Outcome]]:
    """Return the levels and answers of a reading."""
    levels = {name: one.level.value for name, one in judgment.levels.items()}
    return levels, [one.outcome for one in judgment.answers]


# What stands around a good answer, and forms that models give to one.
HARMLESS: Mapping[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "fenced": lambda text: f"```json\n{text}\n```",
    "prose around it": lambda text: f"Sure, here is my verdict:\n{text}\nI hope that helps.",
    "thinking before it": lambda text: f"<think>It looks good. Or fair?</think>\n{text}",
    "JSON within thinking alone": lambda text: f"<think>{text}</think>",
    "thinking that never ends": lambda text: f"<think>Well.\n{text}",
    "JSON in both": lambda text: f"<think>{text}</think>{text}",
    "twice the same": lambda text: f"{text}\n{text}",
    "trailing commas": lambda text: re.sub(r"\}(?=[,}\]]|$)", ",}", text),
    "in a list": lambda text: f"[{text}]",
    "spaces": lambda text: json.dumps(json.loads(text), indent=4),
}
DRAFT = {
    "dimensions": {name: {"level": "bad"} for name in QUALITY},
    "checkpoints": [{"id": n, "answer": "no"} for n in (1, 2)],
    "safety_note": "none",
}


@pytest.mark.parametrize("form", HARMLESS)
@given(document=documents())
@settings(max_examples=40)
def test_a_good_answer_is_read_in_every_form(form: str, document: Document) -> None:
    reply = HARMLESS[form](json.dumps(document))

    judgment = read(reply)

    assert judgment is not None
    assert said_in(judgment) == said_by(document)


@given(document=documents())
def test_a_draft_in_the_thoughts_is_not_the_answer(document: Document) -> None:
    judgment = read(f"<think>{json.dumps(DRAFT)} No.</think>{json.dumps(document)}")

    assert judgment is not None
    assert said_in(judgment) == said_by(document)


@pytest.mark.parametrize("mark", ["<think>", ""])
@given(document=documents())
def test_a_draft_before_a_refusal_is_not_the_answer(mark: str, document: Document) -> None:
    reply = f"{mark}{json.dumps(document)} No.</think>I cannot judge this picture."

    assert read(reply) is None


@given(document=documents())
def test_of_two_answers_that_differ_none_counts(document: Document) -> None:
    reply = f"{json.dumps(DRAFT)}\nOn second thought:\n{json.dumps(document)}"

    judgment = read(reply)

    assert judgment is None or said_by(document) == said_by(DRAFT)


def single_quoted(document: Mapping[str, Any]) -> str:
    """Write a document as Python does."""
    return repr(document)


SIMPLE = {
    "observations": "The cat's left ear",
    "dimensions": {name: {"evidence": "it's fine", "level": "good"} for name in QUALITY},
    "checkpoints": [{"id": n, "evidence": None, "answer": "yes"} for n in (1, 2)],
    "safety_note": "none",
}


def test_python_s_form_is_read() -> None:
    judgment = read(repr(SIMPLE))

    assert judgment is not None
    assert said_in(judgment) == said_by(SIMPLE)


def without(document: Document, *path: Any) -> Document:
    """Return a document without what stands at a path."""
    copied: Any = json.loads(json.dumps(document))
    at = copied
    for step in path[:-1]:
        at = at[step]
    del at[path[-1]]
    return copied


def with_value(document: Document, value: Any, *path: Any) -> Document:
    """Return a document with another value at a path."""
    copied: Any = json.loads(json.dumps(document))
    at = copied
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return copied


LEVEL = ("dimensions", "artifacts", "level")
ANSWER = ("checkpoints", 0, "answer")
BROKEN: Mapping[str, object] = {
    "empty": "",
    "a refusal": "I'm sorry, but I can't help with that. It would be bad.",
    "prose": "The picture is good, its artifacts are bad, the answer is yes.",
    "a number": "75",
    "no object": json.dumps([75, "good"]),
    "a missing dimension": without(SIMPLE, "dimensions", "artifacts"),
    "a missing level": without(SIMPLE, *LEVEL),
    "no dimensions": without(SIMPLE, "dimensions"),
    "a level that is none": with_value(SIMPLE, "great", *LEVEL),
    "an empty level": with_value(SIMPLE, "", *LEVEL),
    "a choice of levels": with_value(SIMPLE, "bad|poor|fair|good|excellent", *LEVEL),
    "a level and more": with_value(SIMPLE, "good, almost excellent", *LEVEL),
    "a number for a level": with_value(SIMPLE, 75, *LEVEL),
    "none for a dimension that must be there": with_value(SIMPLE, "none", *LEVEL),
    "a missing safety note": without(SIMPLE, "safety_note"),
    "an empty safety note": with_value(SIMPLE, " ", "safety_note"),
    "a missing checkpoint": without(SIMPLE, "checkpoints", 0),
    "no checkpoints": without(SIMPLE, "checkpoints"),
    "checkpoints without ids": with_value(
        SIMPLE, [{"answer": "yes"}, {"answer": "no"}], "checkpoints"
    ),
    "one id twice": with_value(SIMPLE, 2, "checkpoints", 0, "id"),
    "an id that nobody asked for": with_value(SIMPLE, 3, "checkpoints", 0, "id"),
    "an answer that is none": with_value(SIMPLE, "maybe", *ANSWER),
    "a level twice": json.dumps(SIMPLE).replace(
        '"level": "good"', '"level": "good", "level": "bad"', 1
    ),
    "a dimension twice": json.dumps(SIMPLE).replace(
        '"artifacts": {', '"artifacts": {"level": "bad"}, "artifacts": {', 1
    ),
    "twice in Python's form": repr(SIMPLE).replace(
        "'level': 'good'", "'level': 'good', 'level': 'bad'", 1
    ),
    "too long": json.dumps(SIMPLE) + " " * 24_000,
    "inside of another object": json.dumps({"verdict": SIMPLE}),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_reply_says_nothing(fault: str) -> None:
    broken = BROKEN[fault]

    assert read(broken if isinstance(broken, str) else json.dumps(broken)) is None


@given(document=documents(), data=st.data())
def test_of_a_reply_that_is_cut_off_nothing_counts(document: Document, data: st.DataObject) -> None:
    whole = json.dumps(document)
    cut = data.draw(st.integers(0, len(whole) - 1))

    assert read(whole[:cut]) is None


@given(document=documents(), data=st.data())
def test_of_python_s_form_that_is_cut_off_nothing_counts(
    document: Document, data: st.DataObject
) -> None:
    whole = repr(document)
    cut = data.draw(st.integers(0, len(whole) - 1))

    judgment = read(whole[:cut])

    # A text in it may have a brace that closes.
    assert judgment is None or said_in(judgment) == said_by(document)


EDITS = st.lists(
    st.tuples(
        st.integers(0, 10_000),
        st.integers(0, 12),
        st.sampled_from(
            ["", "{", "}", '"', "'", ",", ":", "level", "bad", "\\", "<think>", "[", "]"]
        ),
    ),
    min_size=1,
    max_size=4,
)


@given(document=documents(), edits=EDITS)
@settings(max_examples=1500)
def test_whatever_happens_to_a_reply_no_level_is_made_up(document: Document, edits: Any) -> None:
    reply = json.dumps(document)
    for at, length, put in edits:
        place = at % (len(reply) + 1)
        reply = reply[:place] + put + reply[place + length :]

    judgment = read(reply)

    if judgment is not None:
        levels, _ = said_in(judgment)
        for name, level in levels.items():
            assert re.search(rf"{name}.*level\W{{1,8}}{level}", reply, re.DOTALL)
        for level in set(levels.values()):
            said = len(re.findall(rf"level\W{{1,8}}{level}", reply))
            assert said >= [*levels.values()].count(level)


@given(st.text(max_size=200))
def test_no_text_is_a_judgment_by_accident(text: str) -> None:
    assert read(text) is None
    assert read_preference(text) is None


@pytest.mark.parametrize(("word", "choice"), [("first", 0), ("second", 1), (" Tie ", None)])
def test_a_preference_is_read(word: str, choice: int | None) -> None:
    preference = read_preference(json.dumps({"evidence": "Sharper.", "better": word}))

    assert preference is not None
    assert (preference.choice, preference.evidence) == (choice, "Sharper.")


@pytest.mark.parametrize(
    "reply",
    [
        "The first is better.",
        '{"better": "both"}',
        '{"better": 1}',
        '{"better": ["first"]}',
        '{"better": "first"} {"better": "second"}',
        '{"better": "first", "better": "second"}',
        '{"evidence": "It is better: first',
    ],
)
def test_no_preference_is_made_up(reply: str) -> None:
    assert read_preference(reply) is None


def test_a_dimension_that_may_be_absent_is_left_out() -> None:
    document = with_value(SIMPLE, "none", "dimensions", "text_rendering", "level")

    judgment = read_judgment(
        json.dumps(document), QUALITY, may_be_absent=frozenset({"text_rendering"})
    )

    assert judgment is not None
    assert set(judgment.levels) == set(QUALITY) - {"text_rendering"}


def test_half_of_a_sign_in_a_text_does_not_reach_the_answer() -> None:
    document = with_value(SIMPLE, "cat \ud800", "summary")

    judgment = read(json.dumps(document))

    assert judgment is not None
    assert judgment.summary == "cat ?"
