"""An event that is the one before with another text is passed on as if it had been parsed."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.domain.calls import Operation
from llm_api.errors import ApiError
from llm_api.upstream.answers import chunks
from llm_api.upstream.answers.chunks import StreamedAnswer
from llm_api.upstream.answers.deltas import KnownForm, form_of
from llm_api.upstream.faults import Fault
from llm_api.upstream.http.sse import ErrorEvent
from tests.upstream.streamed import TEXT_HEAD, USAGE, choice, ended, event, more, text

LATER = more("one ")
THOUGHT = event(choice({"content": None, "reasoning_content": "hm"}))
PIECE = orjson.dumps({**TEXT_HEAD, "choices": [{"index": 0, "text": "one", "finish_reason": None}]})
BODIES = st.one_of(
    st.text(max_size=6).map(lambda said: orjson.dumps(said)[1:-1]),
    st.sampled_from([b"", b"\\u732b", b"\\ud83d\\ude00", b"\\ud83d", b"\\", b'\\"', b'"', b"\\x"]),
    st.sampled_from([b'","role":"assistant', b'"},"x":{"y":"', b"\n", b"\0", b"\xff", b"[DONE]"]),
    st.binary(max_size=6),
)
DELTAS: list[dict[str, Any]] = [
    {"content": "x"},
    {"content": ""},
    {"content": None},
    {"content": 5},
    {"content": ["x"]},
    {"content": "x", "reasoning_content": None},
    {"content": "x", "reasoning_content": "y"},
    {"reasoning_content": "x"},
    {"role": "assistant", "content": "x"},
    {"content": "x", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]},
    {"tool_calls": [{"index": 0, "id": "c", "function": {"arguments": "{}"}}]},
    {"function_call": {"name": "f", "arguments": "1"}},
    {},
]
OTHERS: list[dict[str, Any]] = [
    {},
    {"usage": None},
    {"usage": dict(USAGE)},
    {"x_groq": {"usage": dict(USAGE)}},
    {"x_groq": {"id": "r"}},
    {"error": None},
    {"error": {"message": "no"}},
    {"base_resp": {"status_code": 1000, "status_msg": "no"}},
    {"id": "chatcmpl-2"},
    {"model": "n"},
    {"system_fingerprint": '"content":"one "'},
]
EVENTS = st.one_of(
    BODIES.map(lambda said: LATER.replace(b"one ", said)),
    BODIES.map(lambda said: THOUGHT.replace(b"hm", said)),
    st.builds(
        lambda delta, other, index, reason: event(
            choice(delta, index, finish_reason=reason), **other
        ),
        st.sampled_from(DELTAS),
        st.sampled_from(OTHERS),
        st.integers(0, 1),
        st.sampled_from([None, None, None, "stop", "error"]),
    ),
    st.sampled_from(
        [
            *(text("a"), LATER, LATER, LATER, THOUGHT, ended(), b"[DONE]", b"ping", b"nonsense"),
            LATER.replace(b",", b" ,\n"),
            ErrorEvent(LATER),
            b'{"message":"please pay"}',
            LATER.replace(b'"content"', b'"content":"a","content"'),
            LATER.replace(b'"content"', b'"a\\"content":"a","content"'),
        ]
    ),
)


class Unlearned(StreamedAnswer):
    """An answer that parses every event."""

    def take(self, event: bytes) -> bytes | None:
        """Forget what was learned before."""
        self._form = None
        return super().take(event)


def outcome_of(answer: StreamedAnswer, events: list[bytes]) -> tuple[Any, ...]:
    """Return everything that is known of an answer after events, and what was passed on."""
    passed: list[bytes | None] = []
    failed = None
    try:
        passed += [answer.take(one) for one in events]
        passed += answer.end()
    except (Fault, ApiError) as error:
        failed = (type(error), str(error))
    counts = (answer.length.in_ascii, answer.length.others, answer.usage, answer.raw_usage)
    return passed, failed, counts, answer.is_over, answer.has_finished, answer.is_complete


@given(st.lists(EVENTS, max_size=12))
def test_a_stream_is_passed_on_as_if_every_event_were_parsed(events: list[bytes]) -> None:
    events = [text("a"), *events]

    assert outcome_of(StreamedAnswer(), events) == outcome_of(Unlearned(), events)


@given(st.lists(BODIES, max_size=8))
def test_a_text_completion_is_passed_on_as_if_every_event_were_parsed(said: list[bytes]) -> None:
    events = [PIECE, *(PIECE.replace(b"one", one) for one in said)]
    answers = [kind(Operation.TEXT) for kind in (StreamedAnswer, Unlearned)]

    assert outcome_of(answers[0], events) == outcome_of(answers[1], events)


def parsed(answer: StreamedAnswer, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Note which events an answer parses from now on."""
    noted: list[bytes] = []
    parse = chunks.parse_object

    def note(event: bytes, *rest: Any) -> dict[str, Any]:
        noted.append(event)
        return parse(event, *rest)

    monkeypatch.setattr(chunks, "parse_object", note)
    assert answer.take(text("a")) is not None
    return noted


@pytest.mark.parametrize("learned", [LATER, THOUGHT], ids=["text", "thought"])
def test_only_the_first_of_many_alike_is_parsed(
    monkeypatch: pytest.MonkeyPatch, learned: bytes
) -> None:
    answer = StreamedAnswer()
    noted = parsed(answer, monkeypatch)
    answer.take(learned)
    others = [learned.replace(old, b"2\\n") for old in (b"one ", b"hm") if old in learned]

    assert [answer.take(one) for one in others * 3] == others * 3

    assert noted == [text("a"), learned]


def test_what_is_new_in_every_event_is_not_learned_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = StreamedAnswer()
    learned: list[bytes] = []
    monkeypatch.setattr(chunks, "form_of", lambda event, _: learned.append(event))

    for number in range(50):
        answer.take(event(choice({"content": "x"}), obfuscation=str(number)))

    assert len(learned) < 10


def learned_form(event_learned: bytes) -> KnownForm | None:
    """Learn the form of an event."""
    return form_of(event_learned, orjson.loads(event_learned))


@pytest.mark.parametrize("written", [b'"content":"%b"', b'"content" : "%b"', b'"content": "%b"'])
@pytest.mark.parametrize("said", [b"one ", b"", b"a", b"\\u0078", b'\\"content\\":\\"x'])
def test_a_form_is_known_however_it_is_written(written: bytes, said: bytes) -> None:
    form = learned_form(LATER.replace(b'"content":"one "', written % said))

    assert form is not None
    assert form.text_in(LATER.replace(b'"content":"one "', written % b"y")) == "y"


def test_a_text_that_stands_twice_is_no_form() -> None:
    twice = LATER.replace(b'"content"', b'"content":"a","content"')

    assert learned_form(twice) is None


def test_a_name_that_ends_like_one_is_no_form() -> None:
    alike = LATER.replace(b'"content"', b'"a\\"content":"one ","content"')

    assert learned_form(alike) is None


@pytest.mark.parametrize(
    "said", [b'"', b"\\", b'a","b":"c', b"\n", b"\xff", b"\x00", b'a"}', b"\\ud800"]
)
def test_what_is_no_text_is_not_known(said: bytes) -> None:
    form = learned_form(LATER)

    assert form is not None
    assert form.text_in(LATER.replace(b"one ", said)) is None
    assert form.text_in(LATER.replace(b"one ", b"two")) == "two"


def test_the_quotes_of_a_text_are_two() -> None:
    form = learned_form(LATER)

    assert form is not None
    assert form.text_in(LATER.replace(b'"one "', b'"')) is None
