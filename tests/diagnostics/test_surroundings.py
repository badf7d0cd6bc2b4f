"""The doctor tells of misspelt settings, and of a service that anybody can reach without a key."""

import pytest

from llm_api.diagnostics.results import State
from llm_api.diagnostics.surroundings import open_access
from llm_api.domain.access import AccessPlan
from tests.conftest import SettingsOf
from tests.support.visit import visit


def test_a_misspelt_setting_is_a_warning(settings_of: SettingsOf) -> None:
    seen = visit(settings_of({"REQUIRE_API_KEYS": "true", "RATE_LIMITS": "5/minute"}))

    line = seen.line("names")
    assert line.startswith("WARN")
    assert "is REQUIRE_API_KEY meant?" in line
    assert "is RATE_LIMIT meant?" in line


def test_names_of_others_are_ok(settings_of: SettingsOf) -> None:
    seen = visit(settings_of({"OPENAI_API_KEY": "sk-1", "PATH": "/bin", "DATABASE_HOST": "db"}))

    assert seen.line("names").startswith("ok")


@pytest.mark.parametrize(
    ("env", "cause"),
    [
        ({"TRUSTED_PROXIES": "1"}, "TRUSTED_PROXIES"),
        ({"TRUSTED_PROXIES": "2", "CORS_ORIGINS": "https://app.example"}, "TRUSTED_PROXIES"),
        ({"BIND": "0.0.0.0:8000", "ALLOW_OPEN_ACCESS": "true"}, "beyond this machine"),
        ({"CORS_ORIGINS": "https://app.example"}, "CORS_ORIGINS"),
    ],
)
def test_whoever_can_be_reached_without_a_key_is_warned(
    settings_of: SettingsOf, env: dict[str, str], cause: str
) -> None:
    line = visit(settings_of(env)).line("access")

    assert line.startswith("WARN")
    assert cause in line
    assert "REQUIRE_API_KEY=true" in line


@pytest.mark.parametrize("env", [{}, {"CORS_ORIGINS": "http://localhost:3000"}])
def test_on_this_machine_alone_no_key_is_needed(
    settings_of: SettingsOf, env: dict[str, str]
) -> None:
    assert visit(settings_of(env)).line("access").startswith("ok")


def test_with_keys_everything_may_be_in_front() -> None:
    access = AccessPlan(requires_key=True, trusted_proxies=1, cors_origins=("https://a.example",))

    assert open_access(access, is_local=False).state is State.OK
