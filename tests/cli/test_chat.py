"""`llm-api chat` asks a service elsewhere: by an argument, a pipe, and on a terminal."""

import json
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.conftest import ADMIN, Ask
from tests.support import replies
from tests.support.command_lines import COMMAND, Terminal, heed_interrupts, llm_api, run_program
from tests.support.peer import RecordedRequest
from tests.support.service import REPOSITORY_ROOT
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

SCRIPTED = ("chat", "--model", "scripted")


def slow_stream(*texts: str) -> replies.Reply:
    """Answer with a text each twentieth of a second."""
    return replies.sse([replies.chunk({"content": text}) for text in texts], 0.05)


def test_an_answer_is_written_as_text(ask: Ask, far_model: ScriptedUpstream) -> None:
    far_model.script(replies.completion_stream("Ro", "me"))

    ran = ask(*SCRIPTED, "Capital?", "--system", "Be brief.", "--temperature", "0")

    assert (ran.out, ran.err, ran.status) == ("Rome\n", "", 0)
    sent = far_model.requests[-1].json
    assert [one["content"] for one in sent["messages"]] == ["Be brief.", "Capital?"]
    assert (sent["temperature"], sent["stream"]) == (0, True)


def test_json_is_one_document_and_a_stream_of_it_is_lines(
    ask: Ask, far_model: ScriptedUpstream
) -> None:
    far_model.script(replies.completion("Rome"), replies.completion_stream("Ro", "me"))

    whole = json.loads(ask(*SCRIPTED, "Capital?", "--json").out)
    lines = [json.loads(x) for x in ask(*SCRIPTED, "a", "--json", "--stream").out.splitlines()]

    assert whole["choices"][0]["message"]["content"] == "Rome"
    assert [one["choices"][0]["delta"].get("content") for one in lines[:3]][-2:] == ["Ro", "me"]


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ((), "a text\n"),
        (("-",), "a text\n"),
        (("Summarize",), "Summarize\n\na text\n"),
    ],
)
def test_what_is_piped_in_is_asked(
    far_env: Mapping[str, str],
    far_model: ScriptedUpstream,
    arguments: tuple[str, ...],
    asked: str,
) -> None:
    far_model.script(replies.completion_stream("Yes"))

    ran = run_program(far_env, *SCRIPTED, *arguments, text="a text\n")

    assert (ran.out, ran.err, ran.status) == ("Yes\n", "", 0)
    assert far_model.requests[-1].json["messages"] == [{"role": "user", "content": asked}]


@pytest.mark.parametrize(
    ("text", "said"), [(b"\xff\xfe", "text in UTF-8"), (b" \n", "must have a text")]
)
def test_what_cannot_be_asked_is_wrong_usage(ask: Ask, text: bytes, said: str) -> None:
    ran = ask(*SCRIPTED, "-", text=text)

    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err


def test_without_a_model_the_configured_one_is_asked(ask: Ask, far_model: ScriptedUpstream) -> None:
    def answer(request: RecordedRequest) -> replies.Reply:
        """Answer chats, and the service's own question for models, which it asks now and then."""
        is_list = request.method == "GET"
        return replies.models("other") if is_list else replies.completion_stream("Yes")

    far_model.script(*[replies.answer_with(answer)] * 3)

    assert ask("chat", "Capital?").status == 0
    assert far_model.requests[-1].json["model"] == "scripted"


def test_a_stream_that_breaks_off_is_a_failure_after_its_beginning(
    ask: Ask, far_model: ScriptedUpstream
) -> None:
    far_model.script(replies.sse([replies.chunk({"content": "Ro"})], done=False, ending="close"))

    ran = ask(*SCRIPTED, "Capital?")

    assert (ran.out, ran.status) == ("Ro\n", 1)
    assert ran.err.startswith("Error: ")


def test_a_conversation_has_all_that_was_said(
    far_env: Mapping[str, str], far_model: ScriptedUpstream
) -> None:
    far_model.script(replies.completion_stream("Ro", "me"), replies.api_error(401))
    far_model.script(*[replies.completion_stream("Paris")] * 2)
    with Terminal(far_env, *SCRIPTED) as terminal:
        terminal.wait_for("> ")
        terminal.type("Capital of Italy?\n")
        terminal.wait_for("Rome\r\n> ")
        terminal.type("And of Atlantis?\n")
        terminal.wait_for("Error: ")
        terminal.wait_for("> ")
        terminal.type("And of France?\n")
        terminal.wait_for("Paris\r\n> ")
        before = far_model.requests[-1].json["messages"]
        terminal.type("/system Be brief.\n")
        terminal.wait_for("> ")
        terminal.type("/clear\n")
        terminal.wait_for("> ")
        terminal.type("Again?\n")
        terminal.wait_for("Paris\r\n> ")
        terminal.type("\x04")

        assert terminal.status() == 0
    assert [one["content"] for one in before] == ["Capital of Italy?", "Rome", "And of France?"]
    after = [one["content"] for one in far_model.requests[-1].json["messages"]]
    assert after == ["Be brief.", "Again?"]


def test_ctrl_c_stops_the_answer_of_a_conversation_and_not_the_program(
    far_env: Mapping[str, str], far_model: ScriptedUpstream
) -> None:
    far_model.script(slow_stream("once ", *["and "] * 2_000), replies.completion_stream("Yes"))
    with Terminal(far_env, *SCRIPTED) as terminal:
        terminal.wait_for("> ")
        terminal.type("A story\n")
        terminal.wait_for("once and ")
        terminal.type("\x03")
        terminal.wait_for("(stopped)")
        terminal.wait_for("> ")
        terminal.type("\x03")
        terminal.wait_for("Ctrl-D or /exit leaves.")
        terminal.type("Go on\n")
        terminal.wait_for("Yes\r\n> ")
        terminal.type("/exit\n")

        assert terminal.status() == 0
    said = [one["content"] for one in far_model.requests[-1].json["messages"]]
    assert (said[0], said[2]) == ("A story", "Go on")
    assert said[1].startswith("once and ")


def test_ctrl_c_ends_a_single_question_with_130(
    far_env: Mapping[str, str], far_model: ScriptedUpstream
) -> None:
    far_model.script(slow_stream("once ", *["and "] * 2_000))
    with subprocess.Popen(
        [*COMMAND, *SCRIPTED, "A story"],
        cwd=REPOSITORY_ROOT,
        env=dict(far_env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,  # noqa: PLW1509  # nothing else runs in the child
    ) as program:
        assert program.stdout is not None
        assert program.stdout.read(9) == "once and "
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=60)

    assert program.returncode == 130
    assert (out[-1], err) == ("\n", "Interrupted.\n")


def test_progress_is_shown_on_a_terminal_alone(
    far_env: Mapping[str, str], far_model: ScriptedUpstream
) -> None:
    slow = replies.delayed(replies.completion_stream("Rome"), 1.5)
    far_model.script(slow, slow)

    with Terminal(far_env, *SCRIPTED, "Capital?") as terminal:
        terminal.wait_for("waiting for the answer 1 s")
        terminal.wait_for("\x1b[K")
        terminal.wait_for("Rome")
    assert run_program(far_env, *SCRIPTED, "Capital?").err == ""


def test_a_key_can_be_in_a_file_and_no_option_takes_one(
    far_env: Mapping[str, str], far_model: ScriptedUpstream, tmp_path: Path
) -> None:
    far_model.script(replies.completion_stream("Yes"))
    (tmp_path / "key").write_text(f"{ADMIN}\n")
    env = {"LLM_API_URL": far_env["LLM_API_URL"], "LLM_API_KEY": ""}

    with_file = llm_api(env, *SCRIPTED, "a", "--key-file", str(tmp_path / "key"))
    with_option = llm_api(env, *SCRIPTED, "a", "--key", ADMIN)

    assert with_file.status == 0
    assert with_option.status == 2


def test_what_netrc_has_for_the_host_is_not_sent(
    far_env: Mapping[str, str], tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"default login x password {ADMIN}\n")
    netrc.chmod(0o600)
    env = {"LLM_API_URL": far_env["LLM_API_URL"], "LLM_API_KEY": "", "NETRC": str(netrc)}

    ran = llm_api(env, *SCRIPTED, "a")

    assert ran.status == 6
    assert "requires an API key" in ran.err


def test_the_usage_row_of_an_interrupted_answer_is_its_callers(
    far_env: Mapping[str, str], far_model: ScriptedUpstream
) -> None:
    far_model.script(slow_stream("once ", *["and "] * 2_000))
    with Terminal(far_env, *SCRIPTED, "Interrupt me") as terminal:
        terminal.wait_for("once")
        terminal.type("\x03")
        status = terminal.status()

    assert status == 130
    report = ("usage", "report", "--filter", "status=client_closed", "--json")
    wait_until(lambda: json.loads(llm_api(far_env, *report).out) != [], 20, "the row is written")
