"""A default of the service is never the reason of a refusal: it is left out, once and for all."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from llm_api.domain.calls import ModelRequest
from llm_api.errors import ApiError
from llm_api.upstream.request_forms import LearnedForms, RequestForm
from tests.support import replies
from tests.support.replies import Reply
from tests.support.upstream import ScriptedUpstream
from tests.upstream.asker import PROFILES, Asker

AskerOf = Callable[..., Asker]

OURS: dict[str, Any] = {
    "temperature": 0.7,
    "top_p": 0.8,
    "max_tokens": 700,
    "response_format": {"type": "json_object"},
}


def refused(sentence: str, status: int = 400, **more: Any) -> Reply:
    """Refuse a request in OpenAI's shape."""
    return replies.json_reply(status, {"error": {"message": sentence, **more}})


def ask(asker: Asker, ours: tuple[str, ...], model: str = "m", **parameters: Any) -> Any:
    """Ask with parameters of which some are the service's own."""
    asker.call = asker.client.new_call(lambda: False, lambda: None)
    body = {"messages": [{"role": "user", "content": "Hello"}], **parameters}
    request = ModelRequest(model, body, defaults=frozenset(ours))
    return asker.client.complete(model, request, asker.call)


def sent(upstream: ScriptedUpstream) -> list[dict[str, Any]]:
    """Return what the upstream was sent, without model and messages."""
    bodies = [dict(request.json) for request in upstream.requests]
    return [{n: v for n, v in body.items() if n not in {"model", "messages"}} for body in bodies]


# The words of a refusal, as bodies, with the field that they are about.
REFUSALS: list[tuple[str, int, object]] = [
    (  # OpenAI, GPT-5
        "temperature",
        400,
        {
            "error": {
                "message": "Unsupported value: 'temperature' does not support 0.7 with this model."
                " Only the default (1) value is supported.",
                "type": "invalid_request_error",
                "param": "temperature",
                "code": "unsupported_value",
            }
        },
    ),
    ("temperature", 400, {"error": {"message": "invalid temperature: only 1 is allowed"}}),  # Kimi
    ("temperature", 400, {"error": {"message": "`temperature` is deprecated for this model."}}),
    ("temperature", 422, {"detail": [{"loc": ["body", "temperature"], "msg": "Input is wrong"}]}),
    ("temperature", 400, {"message": "Sampling parameters are fixed for this model"}),
    (
        "temperature",
        400,
        {"error": {"message": "invalid temperature: only 0.6 is allowed for this model"}},
    ),
    ("temperature", 400, {"error": {"message": "temperature is not approved for this model"}}),
    ("temperature", 400, {"error": {"message": "当前模型不支持 temperature 参数"}}),
    ("temperature", 500, {"error": {"message": "temperature is not supported by this engine"}}),
    (
        "temperature",
        400,
        {"error": {"code": "1214", "message": "\u6e29\u5ea6\u53c2\u6570\u975e\u6cd5"}},
    ),
    (
        "top_p",
        400,
        {"error": {"message": "Unsupported parameter: 'top_p' is not supported with this model."}},
    ),
    ("top_p", 400, {"error": {"message": "The value of TopP is out of range"}}),
    ("top_p", 422, {"detail": "top-p must be 1"}),
    ("max_tokens", 400, {"error": {"message": "Range of max_tokens should be [1, 512]"}}),
    ("max_tokens", 400, {"error": {"message": "max output tokens is too large: at most 512"}}),
    (
        "response_format",
        400,
        {"error": {"message": "This response_format type is unavailable now"}},
    ),
    ("response_format", 400, {"error": {"message": "json mode is not supported by this model"}}),
    ("response_format", 400, {"error": "model features structured outputs not support"}),
]


@pytest.mark.parametrize(("field", "status", "body"), REFUSALS, ids=lambda value: str(value)[:60])
def test_a_default_that_is_refused_is_left_out_and_remembered(
    upstream: ScriptedUpstream, asker_of: AskerOf, field: str, status: int, body: object
) -> None:
    upstream.script(replies.json_reply(status, body))
    asker = asker_of()

    answers = [ask(asker, tuple(OURS), **OURS) for _ in range(2)]

    assert [answer.text for answer in answers] == ["Hello", "Hello"]
    first, second, third = sent(upstream)
    assert first == OURS
    assert field not in second
    assert third == second


@pytest.mark.parametrize(("field", "status", "body"), REFUSALS, ids=lambda value: str(value)[:60])
def test_what_the_caller_names_is_sent_and_its_refusal_is_told(
    upstream: ScriptedUpstream, asker_of: AskerOf, field: str, status: int, body: object
) -> None:
    upstream.script(replies.json_reply(status, body))
    asker = asker_of()

    with pytest.raises(ApiError) as raised:
        ask(asker, (), **OURS)

    assert raised.value.status == 400
    assert sent(upstream) == [OURS]
    assert field in sent(upstream)[0]


def test_the_callers_own_value_is_sent_after_a_default_was_refused(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(refused("temperature: only 1 is allowed"))
    asker = asker_of()

    ask(asker, ("temperature",), temperature=0.7)
    ask(asker, (), temperature=1)

    assert sent(upstream) == [{"temperature": 0.7}, {}, {"temperature": 1}]


def test_two_defaults_can_be_refused_one_after_the_other(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(refused("no temperature, please"), refused("and no seed"))
    asker = asker_of()

    for _ in range(2):
        ask(asker, ("temperature", "seed"), temperature=0.7, seed=1)

    assert sent(upstream) == [{"temperature": 0.7, "seed": 1}, {"seed": 1}, {}, {}]
    assert asker.attempts == 1


def test_with_one_sampling_parameter_all_defaults_of_that_kind_are_left_out(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(refused("no temperature, please"))
    asker = asker_of()

    ask(asker, ("temperature", "top_p"), temperature=0.7, top_p=0.8, presence_penalty=1)

    assert sent(upstream)[1] == {"presence_penalty": 1}


def test_what_was_learned_before_the_attempts_ran_out_is_remembered(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    cap = "'max_tokens' is not supported, use 'max_completion_tokens'"
    upstream.script(refused(cap), refused("temperature"), refused("seed"))
    asker = asker_of(profile=PROFILES["generic"])
    ours = {"temperature": 0.7, "seed": 1, "max_tokens": 5}

    with pytest.raises(ApiError):
        ask(asker, tuple(ours), **ours)
    upstream.script(refused("seed"))
    ask(asker, tuple(ours), **ours)

    *_, fourth, fifth = sent(upstream)
    assert fourth == {"seed": 1, "max_completion_tokens": 5}
    assert fifth == {"max_completion_tokens": 5}


def test_each_model_is_remembered_for_itself(upstream: ScriptedUpstream, asker_of: AskerOf) -> None:
    upstream.script(refused("temperature must be 1"))
    asker = asker_of()

    for model in ("a", "b", "a"):
        ask(asker, ("temperature",), model, temperature=0.7)

    assert sent(upstream) == [{"temperature": 0.7}, {}, {"temperature": 0.7}, {}]


@pytest.mark.parametrize(
    "reply",
    [
        refused("temperature is wrong", 500),
        refused("temperature is wrong", 401),
        refused("temperature", code="content_filter"),
        refused("The messages are wrong"),
        refused("top_probs and temperatures"),
        refused("n is wrong; temperature is good", param="n"),
    ],
    ids=range(6),
)
def test_a_refusal_for_another_reason_changes_nothing(
    upstream: ScriptedUpstream, asker_of: AskerOf, reply: Reply
) -> None:
    upstream.script(reply, reply)
    asker = asker_of()

    with pytest.raises(ApiError):
        ask(asker, ("temperature", "top_p"), temperature=0.7, top_p=1)

    assert all("temperature" in body for body in sent(upstream))


def test_a_request_that_is_refused_without_the_default_too_teaches_nothing(
    upstream: ScriptedUpstream, asker_of: AskerOf
) -> None:
    upstream.script(refused("temperature is wrong"), refused("The messages are wrong"))
    asker = asker_of()

    with pytest.raises(ApiError, match="messages"):
        ask(asker, ("temperature",), temperature=0.7)
    ask(asker, ("temperature",), temperature=0.7)

    assert sent(upstream) == [{"temperature": 0.7}, {}, {"temperature": 0.7}]


# --- the name of the cap ---

CAPS = [
    (
        "max_tokens",
        400,
        {
            "error": {
                "message": "Unsupported parameter: 'max_tokens' is not supported with this model."
                " Use 'max_completion_tokens' instead.",
                "param": "max_tokens",
                "code": "unsupported_parameter",
            }
        },
    ),
    ("max_tokens", 400, {"error": "max_tokens is deprecated, send max_completion_tokens"}),
    (
        "max_completion_tokens",
        422,
        {
            "detail": [
                {
                    "type": "extra_forbidden",
                    "loc": ["body", "max_completion_tokens"],
                    "msg": "Extra inputs are not permitted",
                }
            ]
        },
    ),
    (
        "max_completion_tokens",
        400,
        {
            "error": {
                "message": "Unrecognized request argument supplied: max_completion_tokens",
                "param": None,
            }
        },
    ),
    ("max_completion_tokens", 400, {"message": "unknown field `max_completion_tokens`"}),
]


@pytest.mark.parametrize(("name", "status", "body"), CAPS, ids=lambda value: str(value)[:50])
def test_a_cap_whose_name_is_refused_gets_its_other_name(
    upstream: ScriptedUpstream, asker_of: AskerOf, name: str, status: int, body: object
) -> None:
    upstream.script(replies.json_reply(status, body))
    asker = asker_of(profile=PROFILES["generic"])
    [other] = {"max_tokens", "max_completion_tokens"} - {name}

    for _ in range(2):
        ask(asker, (), **{name: 50})

    assert sent(upstream) == [{name: 50}, {other: 50}, {other: 50}]


@pytest.mark.parametrize(
    "sentence",
    [
        "'max_tokens' or 'max_completion_tokens' is too large: 8000. The model's context is 4096",
        "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
        "max_tokens: 8000 > 4096, which is the maximum allowed number of output tokens",
        "Range of max_tokens should be [1, 8192]",
        "max_tokens must be at least 1; unsupported value",
    ],
)
def test_a_cap_whose_value_is_refused_keeps_its_name(
    upstream: ScriptedUpstream, asker_of: AskerOf, sentence: str
) -> None:
    upstream.script(refused(sentence))
    asker = asker_of(profile=PROFILES["generic"])

    with pytest.raises(ApiError) as raised:
        ask(asker, (), max_tokens=8_000)

    assert raised.value.status == 400
    assert sent(upstream) == [{"max_tokens": 8_000}]


def test_a_stream_learns_as_well(upstream: ScriptedUpstream, asker_of: AskerOf) -> None:
    upstream.script(refused("stream_options: unknown"), refused("temperature must be 1"))
    asker = asker_of()
    call = asker.client.new_call(lambda: False, lambda: None, is_streamed=True)
    body = {"messages": [{"role": "user", "content": "Hello"}], "temperature": 0.7}
    request = ModelRequest("m", body, defaults=frozenset(["temperature"]))

    stream = asker.client.stream("m", request, call)
    chunks = [json.loads(chunk) for batch in stream for chunk in batch]

    assert chunks
    assert [set(body) - {"stream"} for body in sent(upstream)] == [
        {"temperature", "stream_options"},
        {"temperature"},
        set(),
    ]


def test_names_that_callers_make_up_are_forgotten() -> None:
    forms = LearnedForms()
    for number in range(1_100):
        with forms.learning(f"m{number}", RequestForm(cap="max_tokens")):
            pass

    with forms.learning("m1099", RequestForm(without=frozenset(["top_p"]))):
        pass

    assert len(forms.of_models) == 1_024
    assert "m0" not in forms.of_models
    assert forms.of_models["m1099"] == RequestForm("max_tokens", frozenset(["top_p"]))
