"""A model on this machine that was killed is asked again as soon as it is back."""

from dataclasses import replace

import pytest

from llm_api.upstream.behavior import BUNDLED_MODEL, LOCAL_JUDGE
from tests.support import replies
from tests.support.peer import RecordedRequest
from tests.support.ports import free_port
from tests.support.upstream import ScriptedUpstream
from tests.upstream.asker import PLAIN, Asker, described
from tests.upstream.conftest import AskerOf

OURS = replace(BUNDLED_MODEL, is_always_streamed=False)
AWAY = (503, "upstream_unreachable", True)
SHUT = (503, "circuit_open", True)
LOADING = replies.json_reply(503, {"error": {"message": "Loading model", "code": 503}})
BROKEN = replies.json_reply(500, {"error": {"message": "It failed."}})
WELL = replies.json_reply(200, {"status": "ok"})


def cut_off(request: RecordedRequest) -> replies.Reply:
    """Answer as a process that is well, and whose calls end without an answer."""
    return WELL if request.path == "/health" else replies.reset_before_answer()


def until_shut(asker: Asker) -> None:
    """Ask until the circuit is open."""
    for _ in range(12):
        if asker.fail().reason == SHUT[1]:
            return
    pytest.fail("the circuit has not opened")


def test_a_model_that_is_back_is_asked_at_once(asker_of: AskerOf) -> None:
    port = free_port()
    asker = asker_of(f"http://127.0.0.1:{port}/v1", behavior=OURS)
    assert described(asker.fail()) == AWAY
    until_shut(asker)

    with ScriptedUpstream(port=port) as back:
        back.script(WELL)
        text = asker.ask().text

    assert text == "Hello"
    assert [request.path for request in back.requests] == ["/health", "/v1/chat/completions"]


def test_a_model_that_still_loads_is_not(asker_of: AskerOf) -> None:
    port = free_port()
    asker = asker_of(f"http://127.0.0.1:{port}/v1", behavior=OURS)
    until_shut(asker)

    with ScriptedUpstream(port=port) as back:
        back.script(LOADING)
        error = asker.fail()

    assert described(error) == SHUT
    assert [request.path for request in back.requests] == ["/health"]


def test_what_its_death_has_cut_off_is_forgotten_with_the_rest(asker_of: AskerOf) -> None:
    port = free_port()
    asker = asker_of(f"http://127.0.0.1:{port}/v1", behavior=OURS)
    with ScriptedUpstream(port=port) as dying:
        dying.script(*[replies.reset_before_answer()] * 4)
        cut = [asker.fail().reason for _ in range(2)]
    until_shut(asker)

    with ScriptedUpstream(port=port) as back:
        back.script(WELL)
        texts = [asker.ask().text for _ in range(2)]

    assert set(cut) == {"upstream_disconnected"}
    assert texts == ["Hello", "Hello"]


def test_one_that_is_there_and_cuts_calls_off_is_believed_once(
    asker_of: AskerOf, upstream: ScriptedUpstream
) -> None:
    asker = asker_of(behavior=OURS)
    upstream.script(*[replies.answer_with(cut_off)] * 60)

    reasons = [asker.fail().reason for _ in range(30)]

    assert {*reasons[-10:]} == {SHUT[1]}
    assert [request.path for request in upstream.requests].count("/health") == 1


def test_one_that_fails_and_was_never_away_stays_shut(
    asker_of: AskerOf, upstream: ScriptedUpstream
) -> None:
    asker = asker_of(behavior=OURS)
    upstream.script(*[BROKEN] * 20)
    until_shut(asker)
    upstream.clear()

    assert described(asker.fail()) == SHUT
    assert upstream.requests == []


def test_an_upstream_of_others_is_not_asked(asker_of: AskerOf) -> None:
    port = free_port()
    asker = asker_of(f"http://127.0.0.1:{port}/v1", behavior=PLAIN)
    until_shut(asker)

    with ScriptedUpstream(port=port) as back:
        error = asker.fail()

    assert described(error) == SHUT
    assert back.requests == []


def test_both_models_of_this_machine_are_started_again() -> None:
    assert BUNDLED_MODEL.is_started_again
    assert LOCAL_JUDGE.is_started_again
