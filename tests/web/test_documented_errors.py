"""Each example of an error in the API document is what the service answers to its operation."""

from collections.abc import Mapping
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from llm_api.web.making.example_picture import ONE_PIXEL
from llm_api.web.making.picture_bodies import MAX_PICTURES_BODY_BYTES
from tests.conftest import AppOf
from tests.storage.changing import change
from tests.support import replies
from tests.support.judge import judge_that, says
from tests.support.replies import Reply
from tests.support.upstream import ScriptedUpstream
from tests.web.documented_errors import (
    ADMIN,
    ADMIN_KEY,
    CLOSED,
    NOBODY,
    SKETCH,
    UPSTREAM,
    DocumentedError,
    bearer,
    differences,
    documented_errors,
    key_with,
)
from tests.web.openai_calls import EMBEDDINGS_ANSWER, TEXT_ANSWER

Examples = list[DocumentedError]
SIGNED = {"WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
OF_CALLERS = {"file_not_found": NOBODY, "image_refused": "https://127.0.0.1/cat.png"}
# Models that make something, which is wanted of them in vain.
OF_KINDS = {
    "model_makes_text": "scripted",
    "model_makes_images": "gpt-image-2",
    "model_makes_films": "doubao-seedance-1-0-pro-250528",
    "model_rewrites_prompts": "optimize/image",
}
LONG = "x" * 201  # longer than a boundary may be
PINNED = {"prompt": "A cat", "type": "image", "pin": f"rw_{'0' * 32}_{'0' * 16}"}
NO_FILM = f"video_{'0' * 32}"
JSON_TYPE = {"Content-Type": "application/json"}
GENERATE, KEYS, GROUPS = "/api/v1/images/generate", "/api/v1/keys", "/api/v1/groups"
CHATS = "/v1/chat/completions"
# tests/web/videos/test_documented_films.py has those that only films have, as they are under way.
OF_FILMS = {
    *("cancelled", "max_cost_too_low", "task_expired", "task_not_cancellable", "task_not_ready"),
}
# tests/web/test_documented_faults.py has those that models and vendors are to blame for.
OF_UPSTREAMS = {
    *("circuit_open", "content_filtered", "context_length_exceeded", "description_unusable"),
    *("image_fetch_failed", "image_pending", "image_too_large", "invalid_image", "invalid_size"),
    *("invalid_request", "job_running", "judge_unparsable", "no_image_returned", "not_supported"),
    *("no_video_returned", "outcome_unknown"),
    *("overloaded", "pictures_unavailable", "result_download_failed", "result_expired"),
    *("task_failed", "task_not_found", "upstream_account", "upstream_auth"),
    *("connect_timeout", "upstream_bad_response", "upstream_disconnected", "upstream_dns"),
    *("upstream_error", "upstream_rejected", "upstream_starting", "upstream_tls"),
    *("upstream_too_large", "upstream_unavailable"),
    *("upstream_model_missing", "upstream_rate_limited", "upstream_redirect", "upstream_timeout"),
    "upstream_unreachable",
}
OWN = {
    *("admin_required", "body_too_large", "budget_unavailable", "call_not_found"),
    *("callback_refused", "idempotency_key_reused", "model_without_price", "too_many_at_once"),
    *("file_not_found", "form_invalid", "group_exists", "image_refused", "model_makes_text"),
    *("group_in_use", "group_not_found", "image_model_not_configured", "insufficient_quota"),
    *("internal_error", "invalid_api_key", "invalid_type", "job_not_found", "key_not_found"),
    *("judge_not_configured", "key_name_ambiguous", "keys_unavailable", "lineage_not_found"),
    *("method_not_allowed", "missing", "model_not_allowed", "model_not_found", "out_of_range"),
    *("price_unknown", "prompt_optimization_disabled", "range_not_satisfiable", "rate_limited"),
    *("rewrite_not_found", "rewrites_not_kept", "route_not_allowed", "store_unavailable"),
    *("seconds_do_not_add_up", "unsupported_media_type", "video_model_not_configured"),
    *("model_makes_films", "model_makes_images", "model_rewrites_prompts"),
    *("optimizer_bad_output", "pin_mismatch"),
    *("missing_api_key", "too_many_invalid_keys", "webhooks_not_configured"),
}
# A field that is wrong, by operation; None leaves it out.
WRONG: Mapping[str, Mapping[str, Any]] = {
    "chat": {"messages": [{"role": "wizard", "content": "x"}]},
    "optimizePrompt": {"type": "poem"},
    "optimizePrompts": {"prompts": []},
    "generateImages": {"n": 11},
    "generateVideo": {"duration": 61},
    "scoreImage": {"mode": "judge"},
    "describeImage": {"language": "x"},
    "giveFeedback": {"outcome": "liked"},
    "createKey": {"name": 1},
    "changeKey": {"name": 1},
    "rotateKey": {"overlap": 1},
    "createChatCompletion": {"temperature": 9},
    "createEngineChatCompletion": {"temperature": 9},
    "createCompletion": {"prompt": None},
    "createEmbeddings": {"input": []},
    "createImage": {"n": 11},
    "createImageEdit": {"image": None},
    "createVideo": {"seconds": "61"},
    "createResponse": {"max_output_tokens": 0},
    "createMessage": {"temperature": 9},
    "countMessageTokens": {"messages": None},
}
ASKED: Mapping[str, Mapping[str, str]] = {
    "getImageTask": {"wait_ms": "-1"},
    "deleteImageTask": {"purge": "maybe"},
    "listVideos": {"limit": "0"},
    "getVideo": {"wait_ms": "-1"},
    "deleteVideo": {"purge": "maybe"},
    "listOpenAIVideos": {"order": "random"},
    "downloadVideoContent": {"variant": "poster"},
    "getUsage": {"page_size": "0"},
    "getReports": {"judged_by": "nobody"},
    "listKeys": {"name": "a\x07"},
    "getAudit": {"cursor": "x"},
}
# A field that makes another request of one without a prompt.
ANOTHER: Mapping[str, Mapping[str, Any]] = {
    **{
        operation: {"temperature": 0.5}
        for operation in (
            *("chat", "createChatCompletion", "createEngineChatCompletion", "createResponse"),
            "createMessage",
        )
    },
    "createEmbeddings": {"input": "a blue bicycle"},
    "describeImage": {"language": "fr"},
    "optimizePrompts": {"prompts": [{"prompt": "A dog", "type": "image"}]},
}
# What an upstream answers to the first of two, if it is no chat.
ANSWERS: Mapping[str, Reply] = {
    "createCompletion": replies.json_reply(200, TEXT_ANSWER),
    "createEmbeddings": replies.json_reply(200, EMBEDDINGS_ANSWER),
    "scoreImage": replies.answer_with(judge_that()),
    "describeImage": says({"optimized_prompt": "1 gray cat, wooden chair, soft light"}),
}


@pytest.fixture(scope="module")
def module_env() -> Mapping[str, str]:
    """Require keys."""
    return CLOSED


@pytest.fixture(scope="module")
def client(module_app: Flask) -> FlaskClient:
    """Call the application without a socket in between."""
    return module_app.test_client()


@pytest.fixture(scope="module")
def examples(client: FlaskClient) -> Examples:
    """Read the examples."""
    return list(documented_errors(client.get("/openapi.json").get_json()))


def test_no_example_is_left_out(examples: Examples) -> None:
    assert {one.reason for one in examples} == OWN | OF_FILMS | OF_UPSTREAMS


def test_a_wrong_key(client: FlaskClient, examples: Examples) -> None:
    assert differences(examples, "invalid_api_key", lambda one: one.send(client, "wrong")) == {}


def test_no_key(client: FlaskClient, examples: Examples) -> None:
    assert differences(examples, "missing_api_key", lambda one: one.send(client)) == {}


def test_an_address_that_guesses_keys(app_of: AppOf, examples: Examples) -> None:
    client, guesses = app_of(CLOSED | UPSTREAM).test_client(), count()

    def ask(one: DocumentedError) -> Any:
        answers = (one.send(client, f"wrong-{next(guesses)}") for _ in range(40))
        return next(answer for answer in answers if "too_many_invalid_keys" in answer.text)

    assert differences(examples, "too_many_invalid_keys", ask) == {}


def test_a_key_that_is_no_admins(client: FlaskClient, examples: Examples) -> None:
    key = key_with(client)
    of_others = {"query_string": {"key": "store"}}

    found = differences(
        examples,
        "admin_required",
        lambda one: one.send(client, key, **of_others if one.operation == "getUsage" else {}),
    )

    assert found == {}


def test_a_key_for_another_route(client: FlaskClient, examples: Examples) -> None:
    key = key_with(client, routes=["/elsewhere"])

    assert differences(examples, "route_not_allowed", lambda one: one.send(client, key)) == {}


def test_a_key_for_another_model(client: FlaskClient, examples: Examples) -> None:
    key = key_with(client, models=["other"])

    assert differences(examples, "model_not_allowed", lambda one: one.send(client, key)) == {}


def test_a_model_that_is_not_there(app_of: AppOf, examples: Examples) -> None:
    client = app_of(CLOSED | UPSTREAM | {"CATALOGUE_ONLY": "true"}).test_client()

    def ask(one: DocumentedError) -> Any:
        path = one.path.format(engine="nope", model_id="nope")
        body = {} if one.body is None else {"json": {**one.body, "model": "nope"}}
        return client.open(path, method=one.method, headers=ADMIN, **body)

    assert differences(examples, "model_not_found", ask) == {}


def test_a_body_that_is_too_large(client: FlaskClient, examples: Examples) -> None:
    sent = {"data": b" " * (MAX_PICTURES_BODY_BYTES + 1), "headers": JSON_TYPE}

    found = differences(examples, "body_too_large", lambda one: one.send(client, ADMIN_KEY, **sent))

    assert found == {}


def test_a_body_that_is_no_json(client: FlaskClient, examples: Examples) -> None:
    found = differences(
        examples, "unsupported_media_type", lambda one: one.send(client, ADMIN_KEY, data=b"{}")
    )

    assert found == {}


def test_a_method_that_is_not_there(client: FlaskClient, examples: Examples) -> None:
    found = differences(
        examples, "method_not_allowed", lambda one: one.send(client, ADMIN_KEY, method="PUT")
    )

    assert found == {}


@pytest.mark.parametrize("reason", ["out_of_range", "missing", "invalid_type"])
def test_a_wrong_field(client: FlaskClient, examples: Examples, reason: str) -> None:
    made = client.post(KEYS, json={"name": "shop"}, headers=ADMIN).get_json()["id"]

    def ask(one: DocumentedError) -> Any:
        path = one.path.replace("{key_id}", made).replace("{engine}", "scripted")
        path = path.replace("{video_id}", NOBODY)
        given = {**(one.body or {}), **WRONG.get(one.operation, {})}
        body = {name: value for name, value in given.items() if value is not None}
        asked = {"query_string": ASKED[one.operation]} if one.operation in ASKED else {"json": body}
        return client.open(path, method=one.method, headers=ADMIN, **asked)

    assert differences(examples, reason, ask) == {}


def test_keys_and_groups_that_are_in_the_way(client: FlaskClient, examples: Examples) -> None:
    for name in ("video", "other"):
        client.post(GROUPS, json={"name": name}, headers=ADMIN)
    for properties in ({"group": "video"}, {}):
        client.post(KEYS, json={"name": "twin", **properties}, headers=ADMIN)

    def ask(one: DocumentedError) -> Any:
        group = "other" if one.method == "PATCH" else "video"
        body = {"name": "video"} if one.path.startswith(GROUPS) else one.body
        path = one.path.format(key_id="twin", group_id=group)
        return client.open(path, method=one.method, json=body, headers=ADMIN)

    for reason in ("group_exists", "group_in_use", "key_name_ambiguous"):
        assert differences(examples, reason, ask) == {}


def test_a_caller_over_its_limit(app_of: AppOf, examples: Examples) -> None:
    client = app_of(CLOSED | UPSTREAM | {"RATE_LIMIT": "60/minute"}).test_client()
    busy = key_with(client, limits={"requests": "60/minute"})
    painter = key_with(client, limits={"images_per_minute": 10})
    client.post(GENERATE, json=SKETCH | {"n": 10}, headers=bearer(painter))
    for key in [busy] * 61 + [ADMIN_KEY] * 61:
        client.get("/v1/models", headers=bearer(key))

    def ask(one: DocumentedError) -> Any:
        if one.shown["error"]["details"]["scope"] == "key.images":
            return one.send(client, painter, json={**one.body, "n": 10})
        return one.send(client, ADMIN_KEY if one.needs_admin else busy)

    assert differences(examples, "rate_limited", ask) == {}


def for_money(one: DocumentedError, **more: Any) -> dict[str, Any]:
    """Return the body of a request that a vendor wants money for."""
    named = "gpt-image-2" if "/images/" in one.path else "scripted"
    with_name = "model" in one.body or "/images/" in one.path
    return {**one.body, **({"model": named} if with_name else {}), **more}


@pytest.mark.parametrize(
    ("reason", "budget"),
    [("insufficient_quota", "1 tokens/day"), ("model_without_price", "1 CNY/day")],
)
def test_a_budget_that_does_not_cover_it(
    client: FlaskClient, examples: Examples, reason: str, budget: str
) -> None:
    key = key_with(client, budgets=[budget])

    found = differences(examples, reason, lambda one: one.send(client, key, json=for_money(one)))

    assert found == {}


def test_a_budget_that_nobody_knows(app_of: AppOf, examples: Examples) -> None:
    app = app_of(CLOSED | UPSTREAM)
    client = app.test_client()
    key = key_with(client, budgets=["1000000 tokens/day"])
    change(app.config["DATABASE_OF_THE_TEST"], [sa.text("DROP TABLE budget_reservations")])

    found = differences(
        examples, "budget_unavailable", lambda one: one.send(client, key, json=for_money(one))
    )

    assert found == {}


def test_one_call_too_many(app_of: AppOf, upstream: ScriptedUpstream, examples: Examples) -> None:
    client = app_of(CLOSED | UPSTREAM | {"FAST_LLM_API_URL": upstream.url}).test_client()
    key = key_with(client, limits={"requests": "10000/minute", "concurrent_requests": 1})
    hello = {"messages": [{"role": "user", "content": "Hi"}]}
    asked = {"model": "scripted", "stream": True, **hello}

    # Its place is taken until it is closed.
    with closing(client.post(CHATS, json=asked, headers=bearer(key))) as stream:
        assert stream.status_code == 200
        found = differences(examples, "too_many_at_once", lambda one: one.send(client, key))

    assert found == {}


def test_a_repeat_that_is_another_request(
    app_of: AppOf, upstream: ScriptedUpstream, examples: Examples
) -> None:
    urls = {"FAST_LLM_API_URL": upstream.url, "JUDGE_LLM_API_URL": upstream.url}
    client = app_of(CLOSED | UPSTREAM | urls).test_client()

    def ask(one: DocumentedError) -> Any:
        upstream.clear()
        upstream.script(*[ANSWERS.get(one.operation, replies.completion())] * 5)
        same = {"Idempotency-Key": one.operation}
        for more in ({}, ANOTHER.get(one.operation, {"prompt": "A dog"})):
            answer = one.send(client, ADMIN_KEY, json={**one.body, **more}, headers=same)
        return answer

    assert differences(examples, "idempotency_key_reused", ask) == {}


def test_a_bug(app_of: AppOf, examples: Examples) -> None:
    app = app_of(CLOSED | UPSTREAM)

    def fails(**_: Any) -> None:
        raise RuntimeError

    app.view_functions = dict.fromkeys(app.view_functions, fails)
    client = app.test_client()

    assert differences(examples, "internal_error", lambda one: one.send(client, ADMIN_KEY)) == {}


def test_a_store_that_is_away(app_of: AppOf, tmp_path: Path, examples: Examples) -> None:
    app = app_of(CLOSED | UPSTREAM | {"REWRITE_STORE": "sql"})
    client = app.test_client()
    unused = key_with(client)
    picture = client.post(GENERATE, json=SKETCH, headers=ADMIN).get_json()["data"][0]["url"]
    for path in (tmp_path / "root" / "instance" / "files").rglob("file_*"):
        path.unlink()
    url = app.config["DATABASE_OF_THE_TEST"]
    tables = sa.inspect(sa.create_engine(url, poolclass=sa.NullPool)).get_table_names()
    change(url, [sa.text(f"DROP TABLE {name}") for name in tables])

    def ask(one: DocumentedError) -> Any:
        if one.operation == "getFile":
            return client.get(picture, headers=ADMIN)
        more = {"json": PINNED} if one.operation == "optimizePrompt" else {}
        return one.send(client, unused if one.operation == "getOwnKey" else ADMIN_KEY, **more)

    for reason in ("store_unavailable", "keys_unavailable"):
        assert differences(examples, reason, ask) == {}


def test_what_is_not_there(app_of: AppOf, examples: Examples) -> None:
    client = app_of(CLOSED | UPSTREAM | {"REWRITE_STORE": "sql"}).test_client()
    beside: Mapping[str, Mapping[str, Any]] = {
        "optimizePrompt": {"json": PINNED},
        "listVideos": {"query_string": {"after": NO_FILM}},
        "listOpenAIVideos": {"query_string": {"after": NO_FILM}},
    }

    def ask(one: DocumentedError) -> Any:
        return one.send(client, ADMIN_KEY, **beside.get(one.operation, {}))

    elsewhere = {"model_not_found", "task_not_ready", "not_supported"}
    # tests/web/videos/test_documented_films.py has a film without its file.
    missing = [
        one
        for one in examples
        if (one.status, one.reason) != ("400", "file_not_found")
        and (one.operation, one.reason) != ("downloadVideoContent", "file_not_found")
    ]
    found = {one.reason for one in examples if one.status == "404"} - elsewhere
    assert [differences(missing, reason, ask) for reason in found] == [{}] * 7


@pytest.mark.parametrize(("reason", "picture"), OF_CALLERS.items())
def test_a_picture_that_nobody_may_have(
    client: FlaskClient, examples: Examples, reason: str, picture: str
) -> None:
    named = [one for one in examples if one.status == "400"]

    def ask(one: DocumentedError) -> Any:
        error = one.shown["error"]
        name = error.get("param") or error["details"]["errors"][0]["field"]
        of_pictures = {"model": "gpt-image-2"} if "/images/" in one.path else {}
        field = {"images": [picture]} if name == "images[0]" else {name: picture}
        return one.send(client, ADMIN_KEY, json={**one.body, **of_pictures, **field})

    assert differences(named, reason, ask) == {}


@pytest.mark.parametrize("reason", OF_KINDS)
def test_a_model_that_makes_something_else(
    client: FlaskClient, examples: Examples, reason: str
) -> None:
    def ask(one: DocumentedError) -> Any:
        path = one.path.replace("{engine}", OF_KINDS[reason])
        body = {**one.body, "model": OF_KINDS[reason]}
        return client.open(path, method=one.method, headers=ADMIN, json=body)

    assert differences(examples, reason, ask) == {}


def test_a_form_that_cannot_be_read(client: FlaskClient, examples: Examples) -> None:
    sent = {"data": b"-", "headers": {"Content-Type": f"multipart/form-data; boundary={LONG}"}}

    found = differences(examples, "form_invalid", lambda one: one.send(client, ADMIN_KEY, **sent))

    assert found == {}


@pytest.mark.parametrize(
    ("reason", "secret"), [("webhooks_not_configured", {}), ("callback_refused", SIGNED)]
)
def test_a_callback_that_is_refused(
    app_of: AppOf, examples: Examples, reason: str, secret: Mapping[str, str]
) -> None:
    client = app_of(CLOSED | UPSTREAM | secret).test_client()
    hook = {"callback_url": "https://127.0.0.1/hook"}

    found = differences(
        examples, reason, lambda one: one.send(client, ADMIN_KEY, json={**one.body, **hook})
    )

    assert found == {}


def test_a_limit_of_costs_without_a_price(client: FlaskClient, examples: Examples) -> None:
    def ask(one: DocumentedError) -> Any:
        of_films, of_loops = {"max_cost_micros": 1}, {"until": {"max_cost": "1 CNY"}}
        more = of_loops if one.operation == "generateImages" else of_films
        return one.send(client, ADMIN_KEY, json={**one.body, **more})

    assert differences(examples, "price_unknown", ask) == {}


def test_a_part_of_a_file_that_is_not_there(client: FlaskClient, examples: Examples) -> None:
    picture = client.post(GENERATE, json=SKETCH, headers=ADMIN).get_json()["data"][0]["url"]
    behind = {**ADMIN, "Range": "bytes=99999999-"}
    of_pictures = [one for one in examples if one.operation == "getFile"]

    found = differences(
        of_pictures, "range_not_satisfiable", lambda _: client.get(picture, headers=behind)
    )

    assert found == {}


@pytest.mark.parametrize(
    "reason",
    [
        *("image_model_not_configured", "judge_not_configured", "video_model_not_configured"),
        *("rewrites_not_kept", "prompt_optimization_disabled"),
    ],
)
def test_what_is_not_configured(app_of: AppOf, examples: Examples, reason: str) -> None:
    bare = {"ADMIN_API_KEY": ADMIN_KEY, "ENABLE_PROMPT_OPTIMIZATION": "false"}
    client = app_of(UPSTREAM | bare).test_client()
    two = {"mode": "compare", "images": [ONE_PIXEL] * 2}

    def ask(one: DocumentedError) -> Any:
        body = {n: v for n, v in (one.body or {}).items() if n != "model"}
        body = two if one.operation == "scoreImage" else body
        return one.send(client, ADMIN_KEY, **{"json": body} if body else {})

    # A pin is looked up where prompts are rewritten at all.
    found = differences(
        [
            one
            for one in examples
            if (one.operation, reason) != ("optimizePrompt", "rewrites_not_kept")
        ],
        reason,
        ask,
    )

    assert found == {}


def test_rewrites_that_nobody_keeps(client: FlaskClient, examples: Examples) -> None:
    asked = [one for one in examples if one.operation == "optimizePrompt"]

    found = differences(
        asked, "rewrites_not_kept", lambda one: one.send(client, ADMIN_KEY, json=PINNED)
    )

    assert found == {}


def test_a_rewrite_of_another_prompt(
    app_of: AppOf, upstream: ScriptedUpstream, examples: Examples
) -> None:
    kept = {"REWRITE_STORE": "sql", "FAST_LLM_API_URL": upstream.url}
    client = app_of(CLOSED | UPSTREAM | kept).test_client()
    rewritten = {"optimized_prompt": "A gray cat sits on a wooden chair, soft light."}
    upstream.script(says(rewritten), says(rewritten))

    def ask(one: DocumentedError) -> Any:
        pin = one.send(client, ADMIN_KEY).headers["x-rewrite-id"]
        return one.send(client, ADMIN_KEY, json={**one.body, "prompt": "A dog", "pin": pin})

    assert differences(examples, "pin_mismatch", ask) == {}


def test_a_model_that_writes_no_prompt(
    app_of: AppOf, upstream: ScriptedUpstream, examples: Examples
) -> None:
    client = app_of(CLOSED | UPSTREAM | {"FAST_LLM_API_URL": upstream.url}).test_client()
    upstream.script(replies.completion(""), replies.completion(""))

    def ask(one: DocumentedError) -> Any:
        return one.send(client, ADMIN_KEY, json={**one.body, "on_failure": "error"})

    assert differences(examples, "optimizer_bad_output", ask) == {}


def test_shots_that_do_not_fill_the_time(client: FlaskClient, examples: Examples) -> None:
    script = {"prompt": "A cat runs. A dog runs.", "type": "storyboard", "target_model": "wan"}
    body = {**script, "total_seconds": 7}

    found = differences(
        examples, "seconds_do_not_add_up", lambda one: one.send(client, ADMIN_KEY, json=body)
    )

    assert found == {}
