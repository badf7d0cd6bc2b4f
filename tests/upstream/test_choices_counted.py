"""n choices are counted n times, where an upstream counts one."""

from typing import Any

import pytest

from llm_api.domain.calls import TokenUsage
from llm_api.upstream.vendors.profiles import Profile, choose_profile
from tests.support import replies
from tests.support.upstream import ScriptedUpstream
from tests.upstream.asker import PROFILES, Asker
from tests.upstream.conftest import AskerOf

COUNTED = {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9}


def choices(count: int) -> replies.Reply:
    """Answer with so many choices and the usage of one."""
    made = [
        {"index": n, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
        for n in range(count)
    ]
    return replies.json_reply(200, {"choices": made, "usage": COUNTED})


def llama(asker_of: AskerOf) -> Asker:
    """Make a client of llama.cpp."""
    return asker_of(profile=PROFILES["llama-cpp"])


@pytest.mark.parametrize("count", [2, 4])
def test_llama_cpp_counts_one_choice_of_several(
    upstream: ScriptedUpstream, asker_of: AskerOf, count: int
) -> None:
    upstream.script(choices(count))

    completion = llama(asker_of).ask(n=count)

    assert completion.usage == TokenUsage(5, 4 * count, "estimated")
    assert completion.document["usage"] == COUNTED


def test_the_usage_of_one_choice_is_exact(upstream: ScriptedUpstream, asker_of: AskerOf) -> None:
    upstream.script(choices(1))

    assert llama(asker_of).ask().usage == TokenUsage(5, 4, "upstream")


def test_a_usage_that_is_missing_stays_so(upstream: ScriptedUpstream, asker_of: AskerOf) -> None:
    message: dict[str, Any] = {"message": {"content": "Hi"}}
    upstream.script(replies.json_reply(200, {"choices": [message, message]}))

    assert llama(asker_of).ask(n=2).usage == TokenUsage()


@pytest.mark.parametrize("name", [name for name in PROFILES if name != "llama-cpp"])
def test_others_count_all(upstream: ScriptedUpstream, asker_of: AskerOf, name: str) -> None:
    profile: Profile = PROFILES[name]
    upstream.script(choices(2))

    assert asker_of(profile=profile).ask(n=2).usage == TokenUsage(5, 4, "upstream")


def test_a_profile_says_nothing_of_it_by_default() -> None:
    assert not choose_profile(PROFILES, "").counts_one_choice
