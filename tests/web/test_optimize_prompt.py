"""The contract of optimize-prompt: three fields, and what else was asked for."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from llm_api.settings.config_files import read_targets
from llm_api.settings.settings import PROJECT_ROOT
from llm_api.web.rest.prompt_answers import DetailsSchema
from llm_api.web.rest.prompt_languages import LIMITED_TARGETS
from llm_api.web.rest.target_schemas import TARGETS, TARGETS_OF
from tests.conftest import AppOf, UsageRowsOf
from tests.support import replies
from tests.support.replies import Reply
from tests.support.upstream import ScriptedUpstream
from tests.web.conftest import Refuse
from tests.web.refusals import OPTIMIZE, good_body, read_refusal

DOCUMENTED = ["original_prompt", "optimized_prompt", "improvements"]
CAT = "A cat sitting on a chair"
LIGHT = "soft morning light from the left, warm muted tones, fine texture of the old painted wood"
BETTER = f"{CAT}, {LIGHT}, close-up, shallow depth of field."
Optimize = Callable[..., dict[str, Any]]


def answer(text: str) -> Reply:
    return replies.completion(json.dumps({"optimized_prompt": text}))


@pytest.fixture
def optimize(client: FlaskClient, upstream: ScriptedUpstream) -> Optimize:
    """Ask for a rewrite, which is scripted, and return a good answer."""

    def post(*written: str, **fields: object) -> dict[str, Any]:
        upstream.script(*map(answer, written or [BETTER]))
        response = client.post(OPTIMIZE, json=good_body(OPTIMIZE) | fields)
        assert response.status_code == 200, response.data
        return json.loads(response.data)

    return post


def material_of(upstream: ScriptedUpstream) -> Mapping[str, Any]:
    """Return what the model was given to rewrite."""
    return json.loads(upstream.requests[0].json["messages"][1]["content"])


def test_a_plain_answer_has_the_three_documented_fields_in_their_order(optimize: Optimize) -> None:
    answered = optimize()

    assert list(answered) == DOCUMENTED
    assert answered["original_prompt"] == CAT
    assert answered["optimized_prompt"] == BETTER
    assert "Enhanced visual details" in answered["improvements"]


def test_the_original_comes_back_byte_for_byte(optimize: Optimize) -> None:
    prompt = " A cat\r\n\u200bsitting on  a chair\u00a0e\u0301 "

    answered = optimize("Something else entirely", "Again other things", prompt=prompt)

    assert answered["original_prompt"] == answered["optimized_prompt"] == prompt


def test_warnings_stand_only_where_something_went_wrong(optimize: Optimize) -> None:
    answered = optimize("", "")

    assert list(answered) == [*DOCUMENTED, "warnings"]
    assert answered["optimized_prompt"] == CAT
    assert answered["improvements"] == []


def test_every_extra_field_at_its_default_changes_nothing(optimize: Optimize) -> None:
    answered = optimize(
        language="auto",
        target_model="generic",
        preserve=[],
        n=1,
        include_negative_prompt=False,
        on_failure="original",
        include_details=False,
    )

    assert list(answered) == DOCUMENTED


def test_extra_fields_of_the_answer_come_when_asked_for(optimize: Optimize) -> None:
    answered = optimize(n=2, include_negative_prompt=True, include_details=True)

    extras = ["warnings", "candidates", "negative_prompt", "details"]
    assert list(answered) == [*DOCUMENTED, *extras]


# --- candidates ---


def test_several_rewrites_are_candidates(client: FlaskClient, upstream: ScriptedUpstream) -> None:
    texts = [f"{CAT}, {LIGHT}, wide shot.", f"{CAT}, {LIGHT}, close-up."]
    upstream.script(replies.completion(json.dumps({"optimized_prompts": texts})))

    answered = client.post(OPTIMIZE, json=good_body(OPTIMIZE) | {"n": 2}).get_json()

    assert answered["candidates"] == texts
    assert answered["optimized_prompt"] == texts[0]
    assert "warnings" not in answered
    assert len(upstream.requests) == 1


def test_a_candidate_that_is_not_usable_is_left_out(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    texts = ["A dog under a tree in the rain.", f"{CAT}, {LIGHT}, close-up."]
    upstream.script(replies.completion(json.dumps({"optimized_prompts": texts})))

    answered = client.post(OPTIMIZE, json=good_body(OPTIMIZE) | {"n": 2}).get_json()

    assert answered["candidates"] == texts[1:]
    assert answered["warnings"] == ["1 of 2 rewrites were usable."]


def test_without_a_usable_rewrite_the_original_is_the_candidate(optimize: Optimize) -> None:
    assert optimize("", "", n=3)["candidates"] == [CAT]


# --- details ---


def test_the_details_tell_how_it_was_done(optimize: Optimize) -> None:
    prompt = 'A cat on a chair under a sign "OPEN"'
    written = f"{prompt}, {LIGHT}, close-up."

    details = optimize(written, prompt=prompt, include_details=True)["details"]

    assert (details["language"], details["method"]) == ("en", "instructed")
    assert details["kept"]["quotes"] == ["OPEN"]
    assert {"lighting", "composition"} <= set(details["added"])
    assert details["checks"] == {"passed": True, "problems": [], "first_problems": []}
    assert (details["model"], details["calls"]) == ("scripted", 1)
    assert details["usage"] == {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    assert details["prompt_version"].startswith("image-en-")
    assert 0 < details["latency_ms"]["upstream"] <= details["latency_ms"]["total"]


def test_the_details_are_those_of_the_api_document(optimize: Optimize) -> None:
    details = optimize(BETTER, include_details=True)["details"]

    assert set(details) == set(DetailsSchema().fields)


def test_half_of_a_sign_in_a_rewrite_is_no_failure(optimize: Optimize) -> None:
    assert optimize(BETTER + " \ud83d")["optimized_prompt"] == BETTER


def test_the_details_of_a_fallback_name_the_problems(optimize: Optimize) -> None:
    details = optimize("", "A dog under a tree", include_details=True)["details"]

    assert (details["method"], details["calls"], details["added"]) == ("fallback", 2, [])
    assert details["checks"]["passed"] is False
    assert details["checks"]["first_problems"] == ["empty"]
    assert details["checks"]["problems"] == ["empty"]
    assert details["usage"]["total_tokens"] == 14


@pytest.mark.parametrize("target", ["wan", "qwen-image", "seedream", "seedance", "hunyuan"])
def test_the_details_warn_of_a_vendor_that_rewrites_again(optimize: Optimize, target: str) -> None:
    kind = "video" if target == "seedance" else "image"  # it only films
    answered = optimize(target_model=target, type=kind, include_details=True)

    [note] = answered["details"]["notes"]
    assert "rewrite" in note
    assert "warnings" not in answered


# --- languages and targets ---


def test_the_schema_offers_the_configured_targets() -> None:
    targets = read_targets(PROJECT_ROOT)

    assert set(TARGETS) == set(targets)
    for kind, names in TARGETS_OF.items():
        assert set(names) == {name for name, target in targets.items() if kind in target.types}


def test_a_target_that_reads_english_gets_english(
    optimize: Optimize, upstream: ScriptedUpstream
) -> None:
    answered = optimize(
        "A cat sitting on a chair, soft light.", prompt="一只猫坐在椅子上", target_model="flux"
    )

    assert material_of(upstream)["language"] == "English"
    assert answered["optimized_prompt"].startswith("A cat sitting")


def test_a_language_can_be_asked_for(optimize: Optimize, upstream: ScriptedUpstream) -> None:
    answered = optimize("一只猫坐在椅子上，光线柔和。", language="zh")

    assert material_of(upstream)["language"] == "Chinese"
    assert answered["optimized_prompt"].startswith("一只猫")


def test_a_language_is_told_to_the_model_by_its_name(
    optimize: Optimize, upstream: ScriptedUpstream
) -> None:
    spanish = "Un gato sentado en una silla de madera, luz suave de la mañana y colores cálidos."
    answered = optimize(spanish, language="es-MX", include_details=True)

    assert material_of(upstream)["language"] == "Spanish (es-MX)"
    assert answered["optimized_prompt"] == spanish
    assert answered["details"]["language"] == "es"
    assert {"objects", "colors"} <= set(answered["details"]["unchecked"])


def test_a_prompt_in_another_language_is_rewritten_with_one_call(
    optimize: Optimize, upstream: ScriptedUpstream
) -> None:
    prompt = "Cuatro pescadores en el hielo de un lago helado"
    english = (
        "Four fishermen sit on the ice of a frozen lake in heavy coats. Pale dawn light spreads"
        " over the frozen surface, seen from a low angle."
    )
    answered = optimize(english, prompt=prompt, include_details=True)

    assert answered["optimized_prompt"] == english
    assert "warnings" not in answered
    assert len(upstream.requests) == 1
    assert answered["details"]["kept"] == {"counts": ["Cuatro pescadores"]}


def test_what_could_be_compared_is_not_called_unchecked(optimize: Optimize) -> None:
    assert optimize(BETTER, include_details=True)["details"]["unchecked"] == []


def test_the_document_limits_the_targets_that_do_not_understand_all() -> None:
    limited = {name for name, one in read_targets(PROJECT_ROOT).items() if not one.understands_all}

    assert set(LIMITED_TARGETS) == limited


@pytest.mark.parametrize(
    ("target", "limit"), [("wan", 800), ("seedream", 1_000), ("seedance", 500)]
)
def test_a_rewrite_is_not_longer_than_its_target_takes(
    optimize: Optimize, target: str, limit: int
) -> None:
    too_long = BETTER + " Soft light on the cat and the chair." * (limit // 37)

    kind = "video" if target == "seedance" else "image"  # it only films
    answered = optimize(too_long, too_long, target_model=target, type=kind, include_details=True)

    assert answered["optimized_prompt"].startswith(BETTER)
    assert answered["optimized_prompt"].endswith("the chair.")
    assert limit - 40 < len(answered["optimized_prompt"]) <= limit
    assert answered["details"]["repaired"] == ["shortened"]


def test_a_rewrite_has_no_more_tokens_than_its_target_reads(optimize: Optimize) -> None:
    # For sdxl, 77 tokens are less than its 600 characters.
    too_long = BETTER + " Soft light on the cat and the chair." * 16

    answered = optimize(too_long, too_long, target_model="sdxl", include_details=True)

    tokens = answered["details"]["tokens"]
    assert answered["optimized_prompt"].startswith(BETTER)
    assert answered["optimized_prompt"].endswith("the chair.")
    assert tokens == {"count": 73, "limit": 77, "exact": True}
    assert answered["details"]["repaired"] == ["shortened"]


def test_the_tokens_of_a_rewrite_are_limited_by_the_request(optimize: Optimize) -> None:
    too_long = BETTER + " Soft light on the cat and the chair." * 16

    answered = optimize(too_long, too_long, max_tokens=120, include_details=True)

    tokens = answered["details"]["tokens"]
    assert (tokens["limit"], tokens["exact"]) == (120, False)
    assert 100 < tokens["count"] <= 120


def test_a_rewrite_is_not_longer_than_was_asked_for(optimize: Optimize) -> None:
    assert "warnings" in optimize(BETTER, BETTER, max_length=len(BETTER) - 1)


def test_a_rewrite_may_be_as_long_as_was_asked_for(optimize: Optimize) -> None:
    assert optimize(max_length=len(BETTER))["optimized_prompt"] == BETTER


def test_several_targets_are_answered_together(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    scene = {"summary": CAT, "things": [{"what": "a cat sitting on a chair"}], "light": LIGHT}
    reply = {"text_en": BETTER, "scene_en": scene}
    upstream.script(replies.completion(json.dumps(reply)))
    fields = {"targets": ["flux-2", "midjourney"], "include_negative_prompt": True}

    answered = client.post(
        OPTIMIZE, json=good_body(OPTIMIZE) | fields | {"include_details": True}
    ).get_json()

    extras = ["warnings", "rewrites", "negative_prompt", "details"]
    assert list(answered) == [*DOCUMENTED, *extras]
    flux, midjourney = answered["rewrites"]
    assert (flux["target_model"], flux["optimized_prompt"]) == ("flux-2", BETTER)
    assert flux["warnings"] == ["flux-2 does not support negative prompts."]
    assert list(midjourney) == [
        *("target_model", "optimized_prompt", "improvements", "negative_prompt", "details")
    ]
    assert midjourney["details"]["target_model"] == "midjourney"
    assert len(upstream.requests) == 1


# --- time ---


def test_who_does_not_want_to_wait_gets_the_original(
    app: Flask, client: FlaskClient, upstream: ScriptedUpstream, usage_rows_of: UsageRowsOf
) -> None:
    upstream.script(replies.hang(60))

    response = client.post(OPTIMIZE, json=good_body(OPTIMIZE) | {"max_wait_ms": 100})

    answered = response.get_json()
    assert (response.status_code, answered["optimized_prompt"]) == (200, CAT)
    assert "100 ms" in answered["warnings"][0]
    [row] = usage_rows_of(app)
    assert (row["status"], row["reason"]) == ("timeout", "upstream_timeout")


def test_who_wants_an_error_gets_it_for_lost_time_too(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.hang(60))
    body = good_body(OPTIMIZE) | {"max_wait_ms": 100, "on_failure": "error"}

    response = client.post(OPTIMIZE, json=body)

    refusal = read_refusal(OPTIMIZE, response.status_code, response.headers, response.data)
    assert refusal.verdict == (504, "SERVICE_ERROR", "upstream_timeout", True)


def test_when_the_time_is_over_nobody_is_asked_again(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.delayed(answer(""), 0.6))

    response = client.post(OPTIMIZE, json=good_body(OPTIMIZE) | {"max_wait_ms": 1_000})

    assert (response.status_code, len(upstream.requests)) == (200, 1)
    assert "warnings" in response.get_json()


def test_an_outage_is_an_error_also_for_who_does_not_want_to_wait(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(*[replies.api_error(503)] * 2)

    response = client.post(OPTIMIZE, json=good_body(OPTIMIZE) | {"max_wait_ms": 60_000})

    assert response.status_code == 503


def test_an_unusable_rewrite_can_be_an_error(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(*[answer("")] * 2)

    response = client.post(OPTIMIZE, json=good_body(OPTIMIZE) | {"on_failure": "error"})

    refusal = read_refusal(OPTIMIZE, response.status_code, response.headers, response.data)
    assert refusal.verdict == (502, "SERVICE_ERROR", "optimizer_bad_output", True)


def test_switched_off_it_says_so(app_of: AppOf, upstream_env: dict[str, str]) -> None:
    client = app_of(upstream_env | {"ENABLE_PROMPT_OPTIMIZATION": "false"}).test_client()

    response = client.post(OPTIMIZE, json=good_body(OPTIMIZE))

    refusal = read_refusal(OPTIMIZE, response.status_code, response.headers, response.data)
    assert refusal.verdict == (503, "SERVICE_ERROR", "prompt_optimization_disabled", False)
    assert refusal.message == "Prompt optimization is switched off on this service."


# --- what is refused ---

WRONG: dict[str, tuple[dict[str, object], str, str]] = {
    "language": ({"language": "french"}, "language", "out_of_range"),
    "language of a line": ({"language": "fr\n"}, "language", "out_of_range"),
    "language of a target": (
        {"language": "fr", "target_model": "flux"},
        "language",
        "not_supported",
    ),
    "language of a number": ({"language": 1}, "language", "invalid_type"),
    "target": ({"target_model": "dall-e"}, "target_model", "out_of_range"),
    "target of films": ({"target_model": "veo"}, "target_model", "not_supported"),
    "target of edits": ({"target_model": "qwen-image-edit"}, "target_model", "not_supported"),
    "targets": ({"targets": ["dall-e"]}, "targets[0]", "out_of_range"),
    "targets of films": ({"targets": ["wan", "veo"]}, "targets", "not_supported"),
    "targets of none": ({"targets": []}, "targets", "out_of_range"),
    "targets of many": ({"targets": ["wan"] * 9}, "targets", "out_of_range"),
    "targets and target": (
        {"targets": ["wan"], "target_model": "flux"},
        "target_model",
        "not_supported",
    ),
    "targets and several": ({"targets": ["wan"], "n": 2}, "n", "not_supported"),
    "length": ({"max_length": 19}, "max_length", "out_of_range"),
    "tokens": ({"max_tokens": 19}, "max_tokens", "out_of_range"),
    "tokens as text": ({"max_tokens": "77"}, "max_tokens", "invalid_type"),
    "length as text": ({"max_length": "100"}, "max_length", "invalid_type"),
    "length as a fraction": ({"max_length": 100.5}, "max_length", "invalid_type"),
    "preserve": ({"preserve": "cat"}, "preserve", "invalid_type"),
    "preserve of numbers": ({"preserve": ["cat", 1]}, "preserve[1]", "invalid_type"),
    "preserve of nothing": ({"preserve": [" "]}, "preserve[0]", "out_of_range"),
    "preserve of much": ({"preserve": ["a" * 201]}, "preserve[0]", "out_of_range"),
    "preserve of many": ({"preserve": ["a"] * 21}, "preserve", "out_of_range"),
    "seed": ({"seed": 0.5}, "seed", "invalid_type"),
    "seed of a bool": ({"seed": True}, "seed", "invalid_type"),
    "n": ({"n": 5}, "n", "out_of_range"),
    "none": ({"n": 0}, "n", "out_of_range"),
    "negative": ({"include_negative_prompt": "yes"}, "include_negative_prompt", "invalid_type"),
    "details": ({"include_details": 1}, "include_details", "invalid_type"),
    "duration": ({"type": "video", "duration_seconds": 61}, "duration_seconds", "out_of_range"),
    "duration of a picture": ({"duration_seconds": 5}, "duration_seconds", "not_supported"),
    "camera": ({"camera": ""}, "camera", "out_of_range"),
    "camera of two lines": ({"camera": "pan\nleft"}, "camera", "out_of_range"),
    "on failure": ({"on_failure": "retry"}, "on_failure", "out_of_range"),
    "wait": ({"max_wait_ms": 99}, "max_wait_ms", "out_of_range"),
    "prompt of null": ({"prompt": None}, "prompt", "invalid_type"),
    "unknown": ({"candidates": 2}, "candidates", "unknown_field"),
    "nothing to see": ({"prompt": "\u200b\u2060\ufeff"}, "prompt", "out_of_range"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_field_is_named(refuse: Refuse, name: str) -> None:
    fields, place, reason = WRONG[name]

    refusal = refuse(OPTIMIZE, good_body(OPTIMIZE) | fields)

    assert refusal.verdict == (400, "VALIDATION_ERROR", reason, False)
    assert refusal.fields == (place,)
    assert refusal.message.startswith(f"{place}: must ") or "is not a known" in refusal.message
