"""The exit codes of commands, each provoked: at a real service, at none, and at something else."""

import json
from collections.abc import Mapping

import pytest

from llm_api.cli.calling import exit_codes
from llm_api.settings.settings import PROJECT_ROOT
from tests.cli.conftest import Ask
from tests.support import replies
from tests.support.command_lines import llm_api
from tests.support.ports import closed_port
from tests.support.tables import each
from tests.support.tls import TlsUpstream
from tests.support.upstream import ScriptedUpstream

CERTIFICATE = PROJECT_ROOT / "tests" / "upstream" / "self_signed.pem"
CHAT = ("chat", "--model", "scripted", "Capital?")


def test_the_manual_has_every_code() -> None:
    page = (PROJECT_ROOT / "docs" / "command-line.md").read_text()
    codes = [
        value for name, value in vars(exit_codes).items() if name[0] != "_" and type(value) is int
    ]

    assert len(codes) == len(set(codes)) == 8
    assert [code for code in codes if f"\n| {code} |" not in page] == []


@each(
    ("reply", "code"),
    [
        (replies.completion_stream("Rome"), 0),
        (replies.api_error(401, "invalid_api_key"), exit_codes.FAILED),
        (replies.api_error(500), exit_codes.FAILED),
        (replies.api_error(400, "data_inspection_failed"), exit_codes.FAILED),
        (replies.api_error(400, "invalid_parameter"), exit_codes.WRONG_USAGE),
        (replies.api_error(429, "rate_limit_exceeded"), exit_codes.RETRY_LATER),
    ],
)
def test_what_a_model_answers_decides(
    ask: Ask, far_model: ScriptedUpstream, reply: replies.Reply, code: int
) -> None:
    far_model.clear()
    far_model.script(*[reply] * 3)

    ran = ask(*CHAT)

    assert ran.status == code, ran
    assert ran.err.startswith("Error: ") or code == 0
    assert "(request req_" in ran.err or code == 0
    assert "sk-canary" not in ran.out + ran.err


def test_json_has_the_envelope_of_an_error(ask: Ask, far_model: ScriptedUpstream) -> None:
    far_model.script(replies.api_error(401, "invalid_api_key"))

    ran = ask(*CHAT, "--json")

    assert json.loads(ran.out)["error"]["details"]["reason"] == "upstream_auth"
    assert ran.err.count("\n") == 1


@each(
    ("arguments", "key", "code", "said"),
    [
        (CHAT, "llmapi_wrong", exit_codes.REFUSED, "The API key is not valid"),
        (CHAT, "", exit_codes.REFUSED, "requires an API key"),
        (("judge", "score", "none.png"), None, exit_codes.WRONG_USAGE, "none.png cannot be read"),
        (("images", "show", "img_none"), None, exit_codes.WRONG_USAGE, "no such job"),
        (("keys", "show", "nobody"), None, exit_codes.WRONG_USAGE, "There is no key"),
        (("usage", "report", "--since", "x"), None, exit_codes.WRONG_USAGE, "since: must be"),
        (("usage", "show", "req_none"), None, exit_codes.WRONG_USAGE, "There is no such call"),
        (("chat", "--url", "nonsense", "a"), None, exit_codes.WRONG_USAGE, "--url"),
        (("chat", "--temperature", "9", "a"), None, exit_codes.WRONG_USAGE, "--temperature"),
        (("optimize",), None, exit_codes.WRONG_USAGE, "Give a PROMPT"),
    ],
)
def test_what_is_asked_decides(
    ask: Ask, arguments: tuple[str, ...], key: str | None, code: int, said: str
) -> None:
    ran = ask(*arguments, **({} if key is None else {"LLM_API_KEY": key}))

    assert (ran.status, ran.out) == (code, ""), ran
    assert said in ran.err


def test_a_limit_of_a_key_is_worth_a_retry_and_its_rights_are_not(
    ask: Ask, far_model: ScriptedUpstream
) -> None:
    far_model.script(*[replies.completion_stream("Rome")] * 2)
    key = ask("keys", "create", "slow", "--requests", "1/minute", "--model", "scripted").out.strip()

    first, second = (ask(*CHAT, LLM_API_KEY=key) for _ in range(2))
    other = ask("keys", "create", "narrow", "--route", "/v1/embeddings").out.strip()

    assert (first.status, second.status) == (0, exit_codes.RETRY_LATER)
    assert "The limit is 1 per 1 minute" in second.err
    assert ask(*CHAT, LLM_API_KEY=other).status == exit_codes.REFUSED
    assert ask("keys", "list", LLM_API_KEY=other).status == exit_codes.REFUSED


def test_a_service_that_is_not_there_is_named_without_the_key() -> None:
    with closed_port() as port:
        env = {"LLM_API_URL": f"http://127.0.0.1:{port}", "LLM_API_KEY": "canary-key"}
        ran = llm_api(env, *CHAT)

    assert (ran.status, ran.out) == (exit_codes.UNREACHABLE, "")
    assert ran.err.startswith(f"Error: 127.0.0.1:{port} cannot be reached;")
    assert "canary-key" not in ran.err


def test_a_proxy_is_used_and_named(far_env: Mapping[str, str]) -> None:
    with closed_port() as port:
        proxies = {"HTTP_PROXY": f"http://who:canary@127.0.0.1:{port}", "NO_PROXY": ""}
        ran = llm_api({**far_env, **proxies}, *CHAT)

    assert ran.status == exit_codes.UNREACHABLE
    assert "The proxy of HTTP_PROXY" in ran.err
    assert "canary" not in ran.err


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (replies.raw_reply(b"HTTP/1.1 200 OK\r\n\r\n<html>hello</html>"), exit_codes.FAILED),
        (replies.raw_reply(b"HTTP/1.1 404 No\r\n\r\nnothing"), exit_codes.WRONG_USAGE),
        (replies.redirect(302, "https://elsewhere.example/"), exit_codes.FAILED),
    ],
)
def test_what_is_no_llm_api_is_said_to_be_none(
    upstream: ScriptedUpstream, reply: replies.Reply, code: int
) -> None:
    upstream.script(*[reply] * 3)

    ran = llm_api({"LLM_API_URL": upstream.url, "LLM_API_KEY": "k"}, "keys", "list")

    assert ran.status == code
    assert "is the address right?" in ran.err


def test_a_certificate_that_is_not_trusted_is_told_apart() -> None:
    with TlsUpstream(CERTIFICATE) as far:
        far.script(replies.models("scripted"))
        env = {"LLM_API_URL": far.url.replace("http:", "https:"), "LLM_API_KEY": "k"}
        refused = llm_api(env, "keys", "list")

    assert refused.status == exit_codes.UNREACHABLE
    assert "The certificate of 127.0.0.1" in refused.err
