"""The whole loop, with the layout sketch and a judge who sees its drawing."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from llm_api.domain.money import decimal_text
from tests.conftest import AppOf, UsageRowsOf
from tests.support.documented import ApiDocument
from tests.support.judge import checkpoints_in
from tests.support.replies import api_error
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.keyed import CLOSED, bearer, issue
from tests.web.loop.conftest import GENERATE, PROMPT, Ask, rewritten, sees

# The sketch knows no canine; what it draws of this is a cat.
CANINE = "A red cat beside its canine"
DOG = "a blue dog"
PRICED = "qwen3-next-80b-a3b-instruct"  # 1 and 4 CNY a million tokens
MICRO = 1_000_000
TASKS = "/api/v1/images/tasks/"
ADMIN = "adm-9f8e7d6c5b4a3f2e1d0c9b8a7f6e5d4c"


@pytest.fixture
def env(env: dict[str, str]) -> dict[str, str]:
    """Let both models have a price."""
    return {**env, "FAST_LLM_MODEL": PRICED, "JUDGE_LLM_MODEL": PRICED}


def test_a_lost_object_is_found_fed_back_and_mended_within_the_budget(
    generate: Ask,
    app: Flask,
    client: FlaskClient,
    upstream: ScriptedUpstream,
    usage_rows_of: UsageRowsOf,
) -> None:
    upstream.script(rewritten(f"{CANINE}. Most important: {DOG}. Soft evening light falls."))

    answer = generate(
        prompt=CANINE,
        judge={"checkpoints": [DOG]},
        until={"max_cost": "0.5 CNY", "max_tries": 4},
    )

    document = answer.get_json()
    assert answer.status_code == 200, document
    first, second = document["tries"]
    assert (document["stopped_by"], first["fed_back"], second["fed_back"]) == (
        "accepted",
        [],
        [DOG],
    )
    assert [one["pictures"][0]["verdict"]["passed"] for one in (first, second)] == [False, True]
    # What is returned is the second picture; the first one is there, too, and has no dog.
    assert document["data"][0]["url"] == second["pictures"][0]["url"]
    drawings = [client.get(one["pictures"][0]["url"]).data for one in (first, second)]
    assert [sees(one, "blue") for one in drawings] == [False, True]
    assert document["prompt"]["original"] == CANINE
    assert DOG in document["prompt"]["used"]
    # All is in the books, and within the limit.
    rows = usage_rows_of(app)
    assert len({row["lineage_id"] for row in rows}) == 1
    assert len({row["request_id"] for row in rows}) == len(rows) == 2 + 1 + 2 * 2
    cost = sum(row["cost_micro"] for row in rows)
    assert document["total_cost_micros"] == cost <= MICRO // 2
    assert document["total_currency"] == "CNY"


def test_what_the_vendor_was_sent_is_still_what_was_asked_for(
    generate: Ask, upstream: ScriptedUpstream, seer: ScriptedUpstream
) -> None:
    upstream.script(api_error(500), api_error(500), api_error(500), api_error(500))

    document = generate(prompt=CANINE, judge={"checkpoints": [DOG]}, until={}).get_json()

    # Without a rewriter the prompt says it itself.
    assert document["prompt"]["used"] == f"{CANINE}. Most important: {DOG}."
    assert document["stopped_by"] == "accepted"
    asked = [one for request in seer.requests for one in checkpoints_in(request)]
    assert {one["question"] for one in asked} >= {DOG, "Does the picture show a cat?"}


def test_all_candidates_have_verdicts_and_the_table(generate: Ask) -> None:
    document = generate(judge=True, n=2).get_json()

    assert [one["verdict"]["passed"] for one in document["data"]] == [True, True]
    assert document["stopped_by"] == "accepted"
    assert [(one["item"], one["in_picture"], one["lost_by"]) for one in document["fidelity"]] == [
        ("Does the picture show a cat?", "passed", None),
        ("Does the picture show a dog?", "passed", None),
        ("Is the cat red?", "passed", None),
        ("Is the dog blue?", "passed", None),
    ]


def test_pictures_that_are_not_judged_are_answered_as_before(generate: Ask) -> None:
    document = generate(judge=False).get_json()

    assert "tries" not in document
    assert "verdict" not in document["data"][0]


def test_a_picture_that_nobody_could_judge_is_returned_all_the_same(
    generate: Ask, seer: ScriptedUpstream
) -> None:
    seer.clear()
    seer.script(*[api_error(401)] * 9)

    document = generate(judge=True).get_json()

    assert [one["verdict"] for one in document["data"]] == [None]
    assert document["stopped_by"] == "error"
    assert document["warnings"][0]["field"] == "judge"
    assert document["tries"][0]["pictures"][0]["error"]["reason"].startswith("upstream")


def test_bytes_may_be_in_the_answer(generate: Ask) -> None:
    document = generate(judge=True, response_format="b64_json").get_json()

    assert document["data"][0]["b64_json"].startswith("iVBOR")
    assert document["data"][0]["verdict"]["passed"] is True


def test_a_preview_shows_the_judge_and_the_most_that_it_costs(
    generate: Ask, app: Flask, usage_rows_of: UsageRowsOf
) -> None:
    shown = generate(preview=True, judge={"checkpoints": [DOG]}, until={"max_tries": 4})

    document = shown.get_json()
    assert document["object"] == "image.preview"
    assert document["judge"]["method"] == "vision"
    assert document["judge"]["checkpoints"][0] == DOG
    # Further tries are rewritten, too.
    assert 4 * document["try_cost_micros"] < document["cost_micros"] < MICRO
    limit = 3 * document["try_cost_micros"]
    until = {"max_tries": 10, "max_cost": f"{decimal_text(limit)} CNY"}
    assert generate(preview=True, until=until).get_json()["cost_micros"] == limit
    assert usage_rows_of(app) == []


def test_a_loop_is_a_task(generate: Ask, client: FlaskClient) -> None:
    begun = generate(judge=True, wait_ms=0)

    document = begun.get_json()
    assert begun.status_code == 202
    assert begun.headers["Location"] == document["poll_url"]
    ended = client.get(f"{document['poll_url']}?wait_ms=60000").get_json()
    assert (ended["status"], ended["stopped_by"]) == ("completed", "accepted")
    assert ended["result"]["data"][0]["verdict"]["passed"] is True
    assert client.delete(document["poll_url"]).get_json()["cancel_state"] == "too_late"
    assert client.delete(f"{document['poll_url']}?purge=1").get_json()["deleted"] is True
    assert client.get(document["poll_url"]).status_code == 404
    assert client.get(ended["result"]["data"][0]["url"]).status_code == 404


def test_a_repeat_joins_the_loop(client: FlaskClient, seer: ScriptedUpstream) -> None:
    body = {"prompt": PROMPT, "model": "layout-sketch", "size": "256x256", "judge": True}
    headers = {"Idempotency-Key": "same"}

    first, second = (client.post(GENERATE, json=body, headers=headers) for _ in range(2))

    assert first.get_json()["id"] == second.get_json()["id"]
    assert second.headers["idempotent-replayed"] == "true"
    assert len(seer.requests) == 2  # the two questions about one picture


def test_a_loop_of_another_key_is_not_there(app_of: AppOf, env: dict[str, str]) -> None:
    app = app_of({**env, **CLOSED})
    client = app.test_client()
    mine, other = (bearer(issue(app, name).secret) for name in ("shop", "other"))
    body = {"prompt": PROMPT, "model": "layout-sketch", "size": "256x256", "until": {}}
    made = client.post(GENERATE, json=body, headers=mine).get_json()
    place = TASKS + made["id"]

    asked = [
        client.open(path, method=method, headers=other)
        for method, path in (
            ("GET", place),
            ("GET", f"{place}?wait_ms=1"),
            ("DELETE", place),
            ("DELETE", f"{place}?purge=1"),
            ("GET", TASKS + made["tries"][0]["task_id"]),
        )
    ]

    reasons = [(one.status_code, one.get_json()["error"]["details"]["reason"]) for one in asked]
    assert reasons == [(404, "job_not_found")] * 5
    # And nothing has happened to it.
    assert client.get(place, headers=mine).get_json()["result"]["data"]


def test_a_key_pays_in_the_background(
    app_of: AppOf, env: dict[str, str], usage_rows_of: UsageRowsOf
) -> None:
    app = app_of({**env, "ADMIN_API_KEY": ADMIN, "REQUIRE_API_KEY": "true"})
    client = app.test_client()
    admins = {"Authorization": f"Bearer {ADMIN}"}
    issued = client.post("/api/v1/keys", json={"name": "shop"}, headers=admins).get_json()
    body = {"prompt": PROMPT, "model": "layout-sketch", "size": "256x256", "judge": True}

    answers = [
        client.post(GENERATE, json=body, headers={"Authorization": f"Bearer {secret}"})
        for secret in (issued["secret"], ADMIN)
    ]

    assert [one.get_json().get("stopped_by") for one in answers] == ["accepted"] * 2
    assert {row["key_id"] for row in usage_rows_of(app)} == {issued["id"], "env:admin"}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"judge": 1}, "judge"),
    ({"judge": "yes"}, "judge"),
    ({"judge": {"samples": 6}}, "judge.samples"),
    ({"judge": {"samples": 0}}, "judge.samples"),
    ({"judge": {"threshold": 101}}, "judge.threshold"),
    ({"judge": {"checkpoints": ["x"] * 21}}, "judge.checkpoints"),
    ({"judge": {"checkpoints": [""]}}, "judge.checkpoints[0]"),
    ({"judge": {"checkpoints": ["x" * 201]}}, "judge.checkpoints[0]"),
    ({"judge": {"strict": True}}, "judge.strict"),
    ({"until": True}, "until"),
    ({"until": {"accept": "fine"}}, "until.accept"),
    ({"until": {"accept": {"min_overall": 101}}}, "until.accept.min_overall"),
    ({"until": {"accept": {"checkpoints": "some"}}}, "until.accept.checkpoints"),
    ({"until": {"accept": {"min_coverage": 1.5}}}, "until.accept.min_coverage"),
    ({"until": {"max_tries": 11}}, "until.max_tries"),
    ({"until": {"max_tries": 0}}, "until.max_tries"),
    ({"until": {"max_cost": "2"}}, "until.max_cost"),
    ({"until": {"max_cost": "2 cny"}}, "until.max_cost"),
    ({"until": {"max_cost": 2}}, "until.max_cost"),
    ({"until": {"max_cost": "-1 CNY"}}, "until.max_cost"),
    ({"until": {}, "judge": False}, "until"),
]
GOOD: list[dict[str, Any]] = [
    {"judge": None, "until": None},
    {"judge": {}},
    {"judge": {"checkpoints": [], "samples": None, "threshold": 12.5, "model": None}},
    {"until": {"accept": None, "max_cost": None, "max_tries": None}},
    {"until": {"accept": "passed"}, "judge": None},
    {"until": {"accept": {}}, "judge": True},
    {"until": {"accept": {"min_coverage": 0.5}}},
    {"until": {"accept": {"min_overall": 0, "checkpoints": "all"}, "max_tries": 1}},
    {"until": {"max_cost": "9999999.999999 CNY", "max_tries": 1}},
    {"preview": True, "until": {"max_tries": 10}},
]


@each(("fields", "field"), WRONG)
def test_what_is_wrong_is_refused_with_its_name_as_the_document_says(
    generate: Ask, client: FlaskClient, fields: dict[str, Any], field: str
) -> None:
    answer = generate(**fields)

    assert answer.status_code == 400
    assert answer.get_json()["error"]["details"]["errors"][0]["field"] == field
    assert problems_in(client, fields) != []


@each("fields", GOOD)
def test_what_the_document_allows_is_taken(
    generate: Ask, client: FlaskClient, fields: dict[str, Any]
) -> None:
    assert problems_in(client, fields) == []
    assert generate(**fields).status_code == 200


def problems_in(client: FlaskClient, fields: dict[str, Any]) -> list[str]:
    """Return what the API document does not allow in a body."""
    document = ApiDocument(client.get("/openapi.json").get_json())
    operation = document.operation("POST", GENERATE)
    assert operation is not None
    content = operation["requestBody"]["content"]["application/json"]
    return document.problems_in({"prompt": PROMPT, **fields}, content["schema"])


def test_a_score_needs_a_model_that_sees(app_of: AppOf, upstream_env: dict[str, str]) -> None:
    body = {"prompt": PROMPT, "model": "layout-sketch", "until": {"accept": {"min_overall": 70}}}

    answer = app_of(upstream_env).test_client().post(GENERATE, json=body)

    [wrong] = answer.get_json()["error"]["details"]["errors"]
    assert (answer.status_code, wrong["field"]) == (400, "until.accept.min_overall")


def test_a_judge_that_takes_no_pictures_is_refused_before_any_is_made(app_of: AppOf) -> None:
    body = {"prompt": PROMPT, "model": "layout-sketch", "judge": {"model": "nope"}}

    answer = app_of({}).test_client().post(GENERATE, json=body)

    error = answer.get_json()["error"]
    assert (answer.status_code, error["details"]["reason"]) == (400, "not_supported")
    assert error["message"] == "judge.model: must be a model that takes pictures."


def test_a_limit_without_a_price_is_refused(app_of: AppOf, env: dict[str, str]) -> None:
    client = app_of({**env, "JUDGE_LLM_MODEL": "seer"}).test_client()

    answer = client.post(
        GENERATE,
        json={"prompt": PROMPT, "model": "layout-sketch", "until": {"max_cost": "1 CNY"}},
    )

    assert answer.status_code == 400
    assert "seer" in answer.get_json()["error"]["message"]


def test_all_steps_are_in_one_lineage(
    generate: Ask, app: Flask, client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(rewritten(f"{CANINE}. Most important: {DOG}. Soft evening light falls."))

    document = generate(prompt=CANINE, judge={"checkpoints": [DOG]}, until={}).get_json()

    app.extensions["llm_api_lineage_spool"].flush()
    lineage = client.get(f"/api/v1/lineage/{document['request_id']}").get_json()
    counts = {name: len(lineage[name]) for name in ("rewrites", "pictures", "verdicts")}
    assert counts == {"rewrites": 1, "pictures": 2, "verdicts": 2}
