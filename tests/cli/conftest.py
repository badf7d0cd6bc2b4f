"""A service with keys, and a scripted model, which commands ask from elsewhere."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from tests.support.command_lines import llm_api
from tests.support.commands import Ran
from tests.support.film_upstream import FilmVendor
from tests.support.leftovers import LastingFolder
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream

ADMIN = "admin-9f86d081884c7d659a2feaa0"
Ask = Callable[..., Ran]


@pytest.fixture(scope="session")
def far_upstream() -> Iterator[ScriptedUpstream]:
    """Run the model of the service."""
    with ScriptedUpstream() as running:
        yield running


@pytest.fixture(scope="session")
def far_films() -> Iterator[FilmVendor]:
    """Run the vendor of films of the service, which is done at the first look."""
    with FilmVendor("vllm-omni") as running:
        running.studio.polls_needed = 0
        yield running


@pytest.fixture(scope="session")
def far_service(
    lasting_folder: LastingFolder, far_upstream: ScriptedUpstream, far_films: FilmVendor
) -> Iterator[Service]:
    """Run the service."""
    folder = lasting_folder("far")
    env = {
        "FAST_LLM_API_URL": far_upstream.url,
        "FAST_LLM_MODEL": "scripted",
        "FAST_LLM_API_KEY": "sk-canary",
        "JUDGE_LLM_API_URL": far_upstream.url,
        "JUDGE_LLM_MODEL": "seer",
        "JUDGE_LLM_API_KEY": "sk-canary",
        "VIDEO_LLM_API_URL": far_films.url,
        "VIDEO_LLM_MODEL": "wan-local",
        "VIDEO_LLM_PROFILE": "vllm-omni",
        "FILES_URL": (folder / "files").as_uri(),
        "CIRCUIT_BREAKER": "false",
        "REQUIRE_API_KEY": "true",
        "ADMIN_API_KEY": ADMIN,
    }
    with Service(folder, env) as running:
        yield running


@pytest.fixture
def far_model(far_upstream: ScriptedUpstream) -> ScriptedUpstream:
    """Lend the model, without what it was asked and told before."""
    far_upstream.clear()
    return far_upstream


@pytest.fixture
def far_env(far_service: Service) -> Mapping[str, str]:
    """Return the environment of a command that asks the service with the admin's key."""
    return {"LLM_API_URL": far_service.url, "LLM_API_KEY": ADMIN}


@pytest.fixture
def ask(far_env: Mapping[str, str]) -> Ask:
    """Run commands that ask the service."""

    def run(*arguments: str, text: str | bytes | None = None, **env: Any) -> Ran:
        return llm_api({**far_env, **env}, *arguments, text=text)

    return run
