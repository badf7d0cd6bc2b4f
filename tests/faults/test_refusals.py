"""C17 to C22, and C24: the upstream refuses, and no second attempt would mend it."""

from pathlib import Path

import pytest

from tests.faults.gateway import (
    Gateway,
    faulty_service,
    held_to_all_invariants,
    in_both_dialects,
    told,
)
from tests.support.replies import Reply, api_error, json_reply, redirect
from tests.support.upstream import ScriptedUpstream
from tests.web.refusals import CHAT, CHATS

REDIRECTED = (502, "SERVICE_ERROR", "upstream_redirect", False)
REJECTED = (400, "VALIDATION_ERROR", "upstream_rejected", False)
FILTERED = (400, "VALIDATION_ERROR", "content_filtered", False)
ACCOUNT = (502, "SERVICE_ERROR", "upstream_account", False)
KEY_REFUSED = (502, "SERVICE_ERROR", "upstream_auth", False)
UNKNOWN_MODEL = (404, "VALIDATION_ERROR", "model_not_found", False)
MODEL_MISSING = (502, "SERVICE_ERROR", "upstream_model_missing", False)
TOO_LONG = (400, "VALIDATION_ERROR", "context_length_exceeded", False)


@in_both_dialects
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_c17_redirect_to_another_host(gateway: Gateway, path: str, status: int) -> None:
    with ScriptedUpstream() as other:
        gateway.upstream.script(redirect(status, f"{other.url}/chat/completions"))

        left = gateway.fail(path)

        assert left == told(path, REDIRECTED, hits=1)
        assert other.connections == 0


OPENING = "The model service refused the request as invalid: "
HARMLESS = "messages must be less than 20"  # no default of the service: those are left out
SECRETS = ("sk-abcdef1234567890", "2100123456", "ep-20240101-abcde")
POISONED = {
    "an account": f"Account {SECRETS[1]} may not use {SECRETS[2]} with the key {SECRETS[0]}.",
    "a key": f"Invalid parameter, api_key {SECRETS[0]}",
    "an endpoint": f"The endpoint {SECRETS[2]} has no parameter 'top_k'.",
    "nothing named": f"{HARMLESS} ({SECRETS[0]}, {SECRETS[2]}, account {SECRETS[1]})",
}


@in_both_dialects
def test_c18_invalid_parameter(gateway: Gateway, path: str) -> None:
    gateway.upstream.script(api_error(400, "invalid_parameter", HARMLESS))

    assert gateway.fail(path) == told(path, REJECTED, hits=1)


@in_both_dialects
def test_c18_the_message_is_passed(gateway: Gateway, path: str) -> None:
    gateway.upstream.script(api_error(400, "invalid_parameter", HARMLESS))

    message = gateway.refuse(path).message

    assert message.startswith(OPENING)
    assert HARMLESS in message


@in_both_dialects
def test_c18_the_message_is_scrubbed(gateway: Gateway, path: str) -> None:
    text = f"{HARMLESS}, see https://ark.internal/docs or ask ops@ark.internal"
    gateway.upstream.script(api_error(400, "invalid_parameter", text))

    message = gateway.refuse(path).message

    assert f"{HARMLESS}, see […] or ask […]" in message
    assert "ark.internal" not in message


@in_both_dialects
@pytest.mark.parametrize("text", POISONED.values(), ids=POISONED)
def test_c18_a_poisoned_message(gateway: Gateway, path: str, text: str) -> None:
    gateway.upstream.script(api_error(400, "invalid_parameter", text))

    with gateway.ask(path) as answer:
        said = answer.read_body().decode() + str(answer.headers) + gateway.service.log()

    assert answer.status == 400
    assert not [secret for secret in SECRETS if secret in said]


@in_both_dialects
@pytest.mark.parametrize(
    "code",
    [
        "DataInspectionFailed",
        "data_inspection_failed",
        "SensitiveContentDetected",
        "SensitiveContentDetected.Violence",
        "InputTextSensitiveContentDetected",
    ],
)
def test_c19_filtered_content(gateway: Gateway, path: str, code: str) -> None:
    gateway.upstream.script(api_error(400, code))

    assert gateway.fail(path) == told(path, FILTERED, hits=1)


@in_both_dialects
@pytest.mark.parametrize(("status", "code"), [(400, "Arrearage"), (403, "AccountOverdueError")])
def test_c20_account_refused(gateway: Gateway, path: str, status: int, code: str) -> None:
    gateway.upstream.script(api_error(status, code))

    assert gateway.fail(path) == told(path, ACCOUNT, hits=1)


@in_both_dialects
@pytest.mark.parametrize("status", [401, 403])
def test_c21_our_key_refused(gateway: Gateway, path: str, status: int) -> None:
    canary = f"Incorrect API key provided: {SECRETS[0]}"
    gateway.upstream.script(*[api_error(status, "invalid_api_key", canary)] * 2)

    assert gateway.fail(path) == told(path, KEY_REFUSED, hits=1)
    with gateway.ask(path) as answer:
        assert b"Incorrect" not in answer.read_body()
    log = gateway.service.log()
    assert "Incorrect API key provided: […]" in log
    assert SECRETS[0] not in log


def test_c22_model_outside_a_closed_catalogue(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    with (
        faulty_service(tmp_path, upstream, {"CATALOGUE_ONLY": "true"}) as service,
        held_to_all_invariants(service, upstream) as gateway,
    ):
        left = [gateway.fail(path, model="no-such-model") for path in CHATS]

    assert left == [told(path, UNKNOWN_MODEL, hits=0) for path in CHATS]


@in_both_dialects
def test_c22_model_that_the_upstream_does_not_have(gateway: Gateway, path: str) -> None:
    gateway.upstream.script(api_error(404, "model_not_found"))

    left = gateway.fail(path, model="no-such-model")

    assert left == told(path, UNKNOWN_MODEL, hits=1)


def test_c22_configured_model_that_the_upstream_does_not_have(gateway: Gateway) -> None:
    gateway.upstream.script(api_error(404, "model_not_found"))

    left = gateway.fail(CHAT)  # the dialect in which no model need be named

    assert left == told(CHAT, MODEL_MISSING, hits=1)


def overflow(status: int, code: int) -> Reply:
    """Answer as llama.cpp does; the code in its body need not be the status."""
    message = "the request exceeds the available context size. try increasing the context size"
    error = {"code": code, "message": message, "type": "exceed_context_size_error", "n_ctx": 2048}
    return json_reply(status, {"error": error})


@in_both_dialects
@pytest.mark.parametrize(("status", "code"), [(400, 400), (500, 500), (400, 500), (500, 400)])
def test_c24_context_overflow(gateway: Gateway, path: str, status: int, code: int) -> None:
    gateway.upstream.script(overflow(status, code))

    assert gateway.fail(path) == told(path, TOO_LONG, hits=1)
