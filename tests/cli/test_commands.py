"""The commands of `flask --app wsgi` as a whole: they are listed, and imported when they run."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from llm_api.settings.settings import Settings
from tests.conftest import SettingsOf
from tests.support.commands import run_command
from tests.support.service import REPOSITORY_ROOT

OURS = {
    "chat": "Ask a model PROMPT, and write its answer as it comes in.",
    "check-config": "Check the configuration without connecting.",
    "db": "Manage the database schema.",
    "doctor": "Check the installation and advise on fixes.",
    "images": "Make and edit pictures.",
    "judge": "Judge pictures, and watch over the judge.",
    "keys": "Manage API keys.",
    "local-model": "Run the bundled model on its own.",
    "usage": "Report calls, tokens and cost, or show one call.",
    "videos": "Have films made, and look after them.",
}
LIBRARIES = {"openapi", "limiter"}
Flask = Callable[..., str]


@pytest.fixture
def settings(settings_of: SettingsOf) -> Settings:
    """Make settings with a database of their own."""
    return settings_of({})


@pytest.fixture
def flask(settings: Settings) -> Flask:
    """Run `flask --app wsgi` with arguments as a program."""

    def run(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
            cwd=REPOSITORY_ROOT,
            env={"DATABASE_URL": settings.database_url},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    return run


def test_all_commands_are_listed_with_what_they_do(flask: Flask) -> None:
    listed = {}
    for line in flask("--help").partition("Commands:")[2].splitlines():
        name, _, what = line.strip().partition(" ")
        listed[name] = what.strip()

    assert {name: listed.get(name) for name in OURS} == OURS
    assert listed.keys() >= LIBRARIES


@pytest.mark.parametrize("name", OURS)
def test_every_command_explains_itself(settings: Settings, name: str) -> None:
    ran = run_command(settings, name, "--help")

    assert ran.status == 0
    assert OURS[name] in ran.out


def test_an_unknown_command_is_refused(settings: Settings) -> None:
    ran = run_command(settings, "dotcor")

    assert ran.status == 2
    assert "No such command 'dotcor'" in ran.err


def test_every_module_of_the_commands_is_one_of_a_command() -> None:
    """A module that no command names would be dead: it is imported by its name."""
    shared = {"__init__", "commands", "program", "tables", "development_server", "own_model"}
    shared |= {"key_budgets", "key_options"}  # of `keys`
    shared |= {"actors"}  # of what changes something
    shared |= {"opening"}  # of what opens a store
    shared |= {"found_calls", "usage_plot", "usage_reports", "usage_series"}  # of `usage`
    shared |= {"terminal_charts", "plot_files"}  # of `usage plot`
    shared |= {"conversation"}  # of `chat`
    shared |= {"picture_files", "new_files"}  # of what reads pictures, and what writes files
    shared |= {"jobs"}  # of `images` and `videos`
    shared |= {"film_jobs", "film_shots"}  # of `videos`
    shared |= {"administering"}  # of `keys` and `groups`
    shared |= {"completing"}  # of arguments and options that the shell completes
    modules = {path.stem for path in (REPOSITORY_ROOT / "llm_api" / "cli").glob("*.py")} - shared

    named = (REPOSITORY_ROOT / "llm_api" / "cli" / "commands.py").read_text()
    assert [
        name
        for name in modules
        if f'Listed("{name}", ' not in " ".join(named.split()).replace("( ", "(")
    ] == []
