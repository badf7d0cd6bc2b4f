"""`llm-api`, also `python -m llm_api`: all commands, with help that needs no right settings."""

import pytest
from click.testing import CliRunner, Result
from flask import Flask

from llm_api.app import close_app, create_app
from llm_api.cli.commands import COMMANDS, PROGRAM
from llm_api.cli.program import Program
from llm_api.settings.settings import Settings
from tests.conftest import SettingsOf
from tests.support.command_lines import printed_by
from tests.support.commands import run_command
from tests.support.replies import api_error, completion_stream
from tests.support.upstream import ScriptedUpstream

WRONG = {"BIND": "nonsense", "WEB_CONCURRENCY": "many"}


def run(*arguments: str, **env: str) -> Result:
    """Run the program in this process."""
    made: list[Flask] = []

    def create(settings: Settings) -> Flask:
        made.append(create_app(settings))
        return made[-1]

    try:
        return CliRunner().invoke(Program(create), arguments, prog_name=PROGRAM, env=env)
    finally:
        for app in made:
            close_app(app)


def test_all_commands_are_listed_with_what_they_do() -> None:
    listed = run("--help").output.partition("Commands:")[2].splitlines()
    told = dict(line.strip().split(maxsplit=1) for line in listed if line.strip())

    assert set(told) == (set(COMMANDS) - {"check-config"}) | {
        "check",
        "completion",
        "copy-config",
        "run",
    }
    assert all(told.values())


def test_help_needs_no_right_settings() -> None:
    ran = run("--help", **WRONG)

    assert ran.exit_code == 0
    assert ran.output == run("--help").output


@pytest.mark.parametrize("command", ["check", "check-config", "run"])
def test_wrong_settings_are_told_together(command: str) -> None:
    ran = run(command, **WRONG)

    assert ran.exit_code == 1
    assert "BIND must be" in ran.output
    assert "WEB_CONCURRENCY must be" in ran.output


@pytest.mark.parametrize("command", ["check", "check-config"])
def test_right_ones_too(command: str) -> None:
    ran = run(command)

    assert (ran.output.splitlines()[-1], ran.exit_code) == ("The configuration is valid.", 0)


def test_an_unknown_command_is_refused() -> None:
    ran = run("dotcor")

    assert ran.exit_code == 2
    assert "No such command 'dotcor'" in ran.output


def test_the_installed_configuration_is_not_copied_over_ones_own() -> None:
    ran = run("copy-config")  # of a checkout, where it is the same

    assert ran.exit_code == 1
    assert "There is a config/ in this folder already." in ran.output


def test_the_program_starts_without_the_application() -> None:
    """Half a second: `run` and `--help` do without it."""
    code = "import sys; import llm_api.__main__; print('llm_api.app' in sys.modules)"

    assert printed_by(code) == "False\n"


@pytest.fixture
def asking(settings_of: SettingsOf, upstream: ScriptedUpstream) -> Settings:
    """Make settings with an upstream."""
    return settings_of({"FAST_LLM_API_URL": upstream.url, "FAST_LLM_MODEL": "scripted"})


def chat(settings: Settings, *arguments: str, text: str = "") -> Result:
    """Run `chat` as the program does."""
    app = create_app(settings)
    try:
        return app.test_cli_runner().invoke(args=["chat", *arguments], input=text)
    finally:
        close_app(app)


def test_a_prompt_can_come_from_standard_input(
    asking: Settings, upstream: ScriptedUpstream
) -> None:
    upstream.script(completion_stream("Ro", "me"))

    ran = chat(asking, "-", text="Capital?\n")

    assert (ran.stdout, ran.exit_code) == ("Rome\n", 0)
    assert upstream.requests[-1].json["messages"] == [{"role": "user", "content": "Capital?\n"}]


def test_a_failure_is_a_sentence(asking: Settings, upstream: ScriptedUpstream) -> None:
    upstream.script(api_error(401, "invalid_api_key", "no"))

    ran = chat(asking, "hi")

    assert ran.exit_code == 1
    assert ran.stderr.splitlines()[-1].startswith("Error: ")
    assert "Traceback" not in ran.stderr


def test_an_empty_prompt_is_refused(asking: Settings) -> None:
    ran = chat(asking, "")

    assert ran.exit_code == 2
    assert "messages" in ran.stderr


def test_chat_explains_itself(asking: Settings) -> None:
    assert "write its answer as it comes in" in run_command(asking, "chat", "--help").out
