"""The same request, the same words; and many prompts in one request."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from flask import Flask

from llm_api.domain.access import Budget
from llm_api.domain.calls import Caller
from llm_api.domain.prompts import PromptRequest
from llm_api.storage.sql.engine import make_engine
from llm_api.upstream.faults import ClientGone
from tests.conftest import AppOf, UsageRowsOf
from tests.support import replies
from tests.support.replies import Reply
from tests.support.upstream import ScriptedUpstream
from tests.web.keyed import CLOSED, bearer, issue
from tests.web.refusals import OPTIMIZE

BATCH, REWRITES = "/api/v1/llm/optimize-prompts", "/api/v1/llm/rewrites"
CAT = {"prompt": "A cat sitting on a chair", "type": "image", "seed": 7}
LIGHT = "soft morning light from the left, warm muted tones, fine texture of the old painted wood"
BETTER = f"A cat sitting on a chair, {LIGHT}, close-up, shallow depth of field."
OTHER = f"A cat sitting on a chair, {LIGHT}, wide view, deep focus."
PIN = "rw_" + "0" * 32 + "_" + "0" * 16


def answer(text: str) -> Reply:
    return replies.completion(json.dumps({"optimized_prompt": text}))


def post(app: Flask, body: Mapping[str, Any], secret: str = "", path: str = OPTIMIZE) -> Any:
    headers = bearer(secret) if secret else {}
    return app.test_client().post(path, json=body, headers=headers)


def test_a_rewrite_is_named_repeated_pinned_and_deleted(
    app_of: AppOf, upstream: ScriptedUpstream, upstream_env: dict[str, str]
) -> None:
    env = {**upstream_env, **CLOSED, "REWRITE_STORE": "sql"}
    upstream.script(answer(BETTER), answer(OTHER))
    app = app_of(env)
    ours, theirs = issue(app).secret, issue(app, "other").secret

    first = post(app, CAT, ours)
    rewrite_id = first.headers["x-rewrite-id"]
    restarted = app_of(env)
    repeat = post(restarted, CAT | {"include_details": True}, ours)
    anew = post(restarted, CAT | {"refresh": True}, ours)
    pinned = post(restarted, CAT | {"pin": rewrite_id}, ours)
    of_other_key = post(restarted, CAT | {"pin": rewrite_id}, theirs)
    deleted = [
        restarted.test_client().delete(f"{REWRITES}/{rewrite_id}", headers=bearer(secret))
        for secret in (theirs, ours, ours)
    ]
    gone = post(restarted, CAT | {"pin": rewrite_id}, ours)

    assert list(first.json) == ["original_prompt", "optimized_prompt", "improvements"]
    assert repeat.json["details"]["rewrite_id"] == repeat.headers["x-rewrite-id"] == rewrite_id
    assert (repeat.json["details"]["is_repeat"], repeat.json["details"]["seed"]) == (True, 7)
    assert (anew.json["optimized_prompt"], pinned.json["optimized_prompt"]) == (OTHER, BETTER)
    assert anew.headers["x-rewrite-id"] != pinned.headers["x-rewrite-id"] == rewrite_id
    reasons = [one.json["error"]["details"]["reason"] for one in (of_other_key, gone)]
    assert reasons == ["rewrite_not_found"] * 2
    assert [one.status_code for one in deleted] == [404, 200, 404]
    assert len(upstream.requests) == 2


def test_every_use_is_in_its_lineage_and_only_calls_are_accounted_for(
    app_of: AppOf,
    upstream: ScriptedUpstream,
    upstream_env: dict[str, str],
    usage_rows_of: UsageRowsOf,
) -> None:
    upstream.script(answer(BETTER))
    app = app_of({**upstream_env, "REWRITE_STORE": "sql", "LINEAGE_TEXTS": "true"})
    sketch = {"prompt": CAT["prompt"], "model": "layout-sketch", "optimize_prompt": True}
    plain = {"prompt": CAT["prompt"], "type": "image"}

    answers = [post(app, plain), post(app, plain)]
    picture = post(app, sketch, path="/api/v1/images/generate?wait_ms=20000")
    app.extensions["llm_api"].lineage.late.flush()
    ids = [one.headers["x-request-id"] for one in answers]
    lineages = [app.test_client().get(f"/api/v1/lineage/{one}").json for one in ids]

    assert picture.status_code < 300, picture.json
    assert len(upstream.requests) == 1
    assert [one["route"] for one in usage_rows_of(app)].count(OPTIMIZE) == 1
    rewrites = [lineage["rewrites"][0] for lineage in lineages]
    assert [one["is_repeat"] for one in rewrites] == [False, True]
    assert rewrites[1]["cost_micros"] == 0
    assert rewrites[0]["texts"] == rewrites[1]["texts"]
    assert lineages[1]["cost"] == []
    assert lineages[1]["unpriced"] == 0


def test_the_control_arm_keeps_its_original_unless_words_were_pinned(
    app_of: AppOf, upstream: ScriptedUpstream, upstream_env: dict[str, str]
) -> None:
    upstream.script(answer(BETTER))
    env = {**upstream_env, "REWRITE_STORE": "sql"}
    rewrite_id = post(app_of(env), CAT).headers["x-rewrite-id"]
    app = app_of({**env, "OPTIMIZER_CONTROL_SHARE": "1"})

    control, pinned = post(app, CAT), post(app, CAT | {"pin": rewrite_id})

    assert control.json["optimized_prompt"] == CAT["prompt"]
    assert "x-rewrite-id" not in control.headers
    assert pinned.json["optimized_prompt"] == BETTER


def test_what_cannot_be_pinned_is_refused(
    app_of: AppOf, upstream: ScriptedUpstream, upstream_env: dict[str, str]
) -> None:
    upstream.script(answer(BETTER), answer(OTHER))
    app = app_of(upstream_env)

    refused = [
        post(app, CAT | fields)
        for fields in ({"pin": PIN, "refresh": True}, {"pin": f"{PIN}\n"}, {"pin": PIN})
    ]
    repeats = [post(app, CAT).json["optimized_prompt"] for _ in range(2)]

    told = [(one.status_code, one.json["error"]["details"]["reason"]) for one in refused]
    assert told == [(400, "not_supported"), (400, "out_of_range"), (503, "rewrites_not_kept")]
    assert repeats == [BETTER, BETTER]


def test_each_prompt_of_a_batch_has_an_outcome_of_its_own(
    app_of: AppOf,
    upstream: ScriptedUpstream,
    upstream_env: dict[str, str],
    usage_rows_of: UsageRowsOf,
) -> None:
    def rewritten(request: Any) -> Reply:
        material = json.loads(request.json["messages"][1]["content"])
        return answer(f"{material['description']}, {LIGHT}")

    upstream.script(*[replies.answer_with(rewritten)] * 9)
    app = app_of(upstream_env)
    prompts: list[Any] = [
        CAT,
        {"prompt": "A dog under a tree", "type": "image"},
        {"prompt": "A dog", "type": "picture"},
        "A dog",
        {"prompt": "\u200b", "type": "image"},
        CAT,
        {"prompt": "A red boat on a lake", "type": "image", "include_details": True},
    ]

    answered = post(app, {"prompts": prompts}, path=BATCH)

    results = answered.json["results"]
    assert answered.status_code == 200
    assert [one["index"] for one in results] == list(range(7))
    assert ["result" in one for one in results] == [True, True, False, False, False, True, True]
    assert results[0]["result"] == results[5]["result"]
    assert results[0]["rewrite_id"] == results[5]["rewrite_id"]
    assert results[1]["result"]["optimized_prompt"].startswith("A dog under a tree, soft")
    assert results[6]["result"]["details"]["rewrite_id"] == results[6]["rewrite_id"]
    wrong = [results[n]["error"]["details"] for n in (2, 3, 4)]
    assert [one["reason"] for one in wrong] == ["out_of_range", "invalid", "out_of_range"]
    request_id = answered.headers["x-request-id"]
    assert wrong[0]["request_id"] == f"{request_id}_2"
    assert wrong[0]["errors"] == [
        {"field": "type", "message": "must be one of image, video, edit, storyboard."}
    ]
    rows = {row["request_id"] for row in usage_rows_of(app)}
    assert len(rows) == 3  # the same prompt twice is one call
    assert rows < {f"{request_id}_{n}" for n in range(7)}


def test_a_batch_that_is_none_is_refused(
    app_of: AppOf, upstream: ScriptedUpstream, upstream_env: dict[str, str]
) -> None:
    app = app_of(upstream_env)

    bodies: list[Any] = [{}, {"prompts": CAT}, {"prompts": []}, {"prompts": [CAT] * 51}]
    statuses = [post(app, body, path=BATCH).status_code for body in bodies]
    off = app_of({**upstream_env, "ENABLE_PROMPT_OPTIMIZATION": "false"})

    assert statuses == [400] * 4
    assert post(off, {"prompts": [CAT]}, path=BATCH).status_code == 503
    assert upstream.requests == []


def test_a_batch_counts_as_many_requests_and_names_what_would_fit(
    app_of: AppOf, upstream: ScriptedUpstream, upstream_env: dict[str, str]
) -> None:
    upstream.script(*[answer(BETTER)] * 9)
    app = app_of({**upstream_env, "RATE_LIMIT": "5/hour"})

    too_many = post(app, {"prompts": [CAT] * 6}, path=BATCH)
    three = post(app, {"prompts": [CAT] * 3}, path=BATCH)
    two_more = post(app, {"prompts": [CAT] * 2}, path=BATCH)

    assert (too_many.status_code, too_many.json["error"]["details"]["retryable"]) == (429, False)
    assert "6 prompts" in too_many.json["error"]["message"]
    assert three.status_code == 200
    assert three.headers["x-ratelimit-remaining-requests"] == "1"
    assert (two_more.status_code, two_more.json["error"]["details"]["retryable"]) == (429, True)
    assert len(upstream.requests) == 1


def test_a_batch_reserves_of_a_budget_for_all_or_for_none(
    app_of: AppOf, upstream: ScriptedUpstream, upstream_env: dict[str, str]
) -> None:
    upstream.script(*[answer(BETTER)] * 9)
    app = app_of({**upstream_env, **CLOSED})
    rich = issue(app, budgets=(Budget("day", "tokens", 1_000_000),))
    poor = issue(app, "poor", budgets=(Budget("day", "tokens", 9_000),))
    prompts = {"prompts": [CAT | {"seed": n} for n in range(4)]}

    refused = post(app, prompts, poor.secret, BATCH)
    single = post(app, CAT, poor.secret)
    granted = post(app, prompts, rich.secret, BATCH)
    repeated = post(app, prompts, rich.secret, BATCH)
    app.extensions["llm_api_spool"].flush()

    assert (refused.status_code, single.status_code) == (429, 200)
    assert refused.json["error"]["details"]["reason"] == "insufficient_quota"
    assert all("result" in one for one in granted.json["results"] + repeated.json["results"])
    assert len(upstream.requests) == 1 + 4
    spent, reserved = books_of(app, rich.key.id)
    assert (spent, reserved) == (4 * 7, 0)


def test_a_batch_knows_what_is_kept_for_several_targets(
    app_of: AppOf, upstream: ScriptedUpstream, upstream_env: dict[str, str]
) -> None:
    upstream.script(answer(BETTER))
    app = app_of(upstream_env)
    twice = {"prompt": CAT["prompt"], "type": "image", "targets": ["wan", "wan"]}

    made = post(app, twice)

    request = PromptRequest(str(CAT["prompt"]), "image", targets=("wan", "wan"))
    assert len(made.json["rewrites"]) == 1
    assert app.extensions["llm_api"].optimizer.is_kept(request, Caller("req_again", BATCH))


def test_a_batch_whose_client_leaves_gives_all_back(
    app_of: AppOf, upstream: ScriptedUpstream, upstream_env: dict[str, str]
) -> None:
    upstream.script(*[replies.hang(30)] * 9)
    app = app_of({**upstream_env, **CLOSED})
    rich = issue(app, budgets=(Budget("day", "tokens", 1_000_000),))
    gone = Caller("req_gone", BATCH, lambda: True, key=rich.key)
    # The same prompt: while one call is made, the others wait for it and make none.
    prompts = [PromptRequest("A cat sitting on a chair", "image")] * 6

    with pytest.raises(ClientGone):
        app.extensions["llm_api"].batches.optimize(prompts, gone)
    app.extensions["llm_api_spool"].flush()

    assert books_of(app, rich.key.id)[1] == 0


def books_of(app: Flask, key_id: str) -> tuple[int, int]:
    """Return what a key has spent and what is reserved for it, of all days."""
    engine = make_engine(app.config["DATABASE_OF_THE_TEST"])
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT spent, reserved FROM budget_spending WHERE key_id = ?", (key_id,)
        ).all()
    engine.dispose()
    return sum(row[0] for row in rows), sum(row[1] for row in rows)
