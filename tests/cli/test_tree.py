"""All commands of `llm-api`: help with an example, `--json`, and completion in the shells."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pytest
from flask import Flask

from llm_api.cli.calling.command import Command
from llm_api.cli.commands import COMMANDS, PROGRAM, make_command
from llm_api.cli.program import Program
from llm_api.settings.settings import Settings
from tests.cli.conftest import Ask
from tests.conftest import SettingsOf
from tests.support.command_lines import llm_api, printed_by
from tests.support.service import REPOSITORY_ROOT

# What runs until it is ended, or writes what a shell reads.
WITHOUT_JSON = {"run", "local-model", "completion"}


def no_application(settings: Settings) -> Flask:
    raise AssertionError(settings)


def tree(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command with its path."""
    with click.Context(group, info_name=PROGRAM) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if isinstance(command, click.Group):
                yield from tree(command, *path, name)
            elif command is not None:
                yield (*path, name), command


LEAVES = dict(tree(Program(no_application)))


def test_there_are_all_of_them() -> None:
    names = {path[0] for path in LEAVES}
    assert names == ({*COMMANDS} - {"check-config"}) | {"check", "completion", "copy-config", "run"}
    assert len(LEAVES) == 43


def test_every_command_has_an_example_that_its_options_allow() -> None:
    wrong = []
    for path, command in LEAVES.items():
        assert isinstance(command, Command), path
        wrong += [path] if not command.examples else []
        for example in command.examples:
            options = {word for word in example.split() if word.startswith("--")}
            known = {name for one in command.params for name in one.opts + one.secondary_opts}
            begins = example.split()[: len(path)] == [path[0], *path[1:]]
            is_known = {option.partition("=")[0] for option in options} <= known
            if (not begins and path[0] != "check") or not is_known:
                wrong.append((*path, example))

    assert wrong == []


def test_every_command_has_help_and_all_but_servers_have_json() -> None:
    silent = {path[0] for path, command in LEAVES.items() if not has_json(command)}

    assert silent == WITHOUT_JSON
    assert [path for path, command in LEAVES.items() if not command.help] == []
    for path in LEAVES:
        said = llm_api({}, *path, "--help")
        assert (said.status, said.err) == (0, ""), path
        assert "Examples:\n  llm-api " in said.out


def has_json(command: click.Command) -> bool:
    return any("--json" in option.opts for option in command.params)


def test_the_list_says_of_each_command_what_it_says_itself(settings_of: SettingsOf) -> None:
    settings = settings_of({})
    own = {name: make_command(name, settings).get_short_help_str(200) for name in COMMANDS}

    said = {name: listed.what.rstrip(".") for name, listed in COMMANDS.items()}
    assert {name: text for name, text in said.items() if not own[name].startswith(text)} == {}


def test_the_list_and_completion_import_neither_the_application_nor_requests() -> None:
    """Both took two seconds with them, and Tab is pressed often."""
    code = """if True:
        import sys
        from click.testing import CliRunner
        from llm_api.cli.program import Program
        program = Program(None)
        for words in ("llm-api ", "llm-api keys ", "llm-api chat --", "llm-api usage plot --by "):
            env = {"_LLM_API_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "1"}
            CliRunner().invoke(program, [], prog_name="llm-api", env=env)
        CliRunner().invoke(program, ["--help"], prog_name="llm-api")
        print(sorted({"llm_api.app", "requests", "sqlalchemy", "gevent"} & set(sys.modules)))
    """

    assert printed_by(code) == "[]\n"


@pytest.fixture
def program_folder(tmp_path: Path) -> Path:
    """Make a folder with the program in it, as an installation has it."""
    path = tmp_path / PROGRAM
    path.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(REPOSITORY_ROOT)!r})\n"
        "from llm_api.__main__ import main\nmain()\n"
    )
    path.chmod(0o755)
    return tmp_path


def completed_by_bash(folder: Path, env: Mapping[str, str], line: str) -> list[str]:
    """Press Tab at the end of a line in bash."""
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    script = (
        f"source <(llm-api completion bash)\n"
        f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}\n"
        '_llm_api_completion llm-api; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["/bin/bash", "-c", script],
        env={"PATH": f"{folder}:{os.defpath}", **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_commands_options_models_targets_and_keys(
    program_folder: Path, far_env: Mapping[str, str], ask: Ask
) -> None:
    ask("keys", "create", "completed-key")

    def completed(line: str) -> list[str]:
        return completed_by_bash(program_folder, far_env, line)

    assert completed("llm-api au") == ["audit"]
    assert completed("llm-api images gen") == ["generate"]
    assert "--temperature" in completed("llm-api chat --")
    assert completed("llm-api chat --model script") == ["scripted"]
    assert completed("llm-api optimize --target-model flux-2") == ["flux-2"]
    assert completed("llm-api keys show completed") == ["completed-key"]


def test_completion_is_quiet_where_nothing_is_reached(program_folder: Path) -> None:
    away = {"LLM_API_URL": "http://127.0.0.1:9", "LLM_API_KEY": "k"}

    assert completed_by_bash(program_folder, away, "llm-api chat --model s") == []
    assert completed_by_bash(program_folder, {}, "llm-api keys show s") == []
    assert "layout-sketch" in completed_by_bash(program_folder, {}, "llm-api chat --model ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script_that_it_can_read(shell: str) -> None:
    ran = llm_api({}, "completion", shell)

    assert (ran.status, ran.err) == (0, "")
    assert f"_LLM_API_COMPLETE={shell}_complete" in ran.out
    if (found := shutil.which(shell)) is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([found, "-n"], input=ran.out, text=True, timeout=20, check=True)
