"""Settings of access: what looks like a lock is one, and says so where it is not; F15."""

import secrets
from pathlib import Path

import pytest

from llm_api.domain.access import ApiKey
from llm_api.settings.settings import Settings, SettingsError

GOOD, OTHER = "k" + secrets.token_hex(16), "Zz9!" + secrets.token_hex(16)
PLACEHOLDERS = [
    "change-me-change-me-change-me",
    "your-api-key-goes-here-1234567",
    "sk-placeholder-1234567890abcdef",
    "example-key-1234567890abcdef",
    "insert-a-long-random-key-1234",
    "my-default-password-0123456789",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "super-secret-key-0123456789abc",
    "sk-0123456789abcdef0123456789...",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
]
WRONG = [
    "short",
    "x" * 257,
    f"{GOOD} {GOOD}",
    f"{GOOD}=",
    f"{GOOD}ключ",
    f"{GOOD}\0",
    *PLACEHOLDERS,
]


def problems_of(env: dict[str, str], root: Path) -> list[str]:
    """Return what is wrong with an environment."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(env, root=root)
    return caught.value.problems


@pytest.mark.parametrize("name", ["API_KEYS", "ADMIN_API_KEY"])
@pytest.mark.parametrize("empty", ["", "   ", "\n"])
def test_an_empty_secret_stops_the_start(name: str, empty: str, tmp_path: Path) -> None:
    """Most often a variable is missing that should have filled it."""
    assert problems_of({name: empty}, tmp_path) == [
        f"{name} is set and empty; leave it out, or set it."
    ]


@pytest.mark.parametrize("file", [".env", "backend/.env"])
def test_an_empty_secret_in_a_file_stops_the_start(file: str, tmp_path: Path) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("ADMIN_API_KEY=\n")

    assert problems_of({"ADMIN_API_KEY": GOOD}, tmp_path)[0].startswith("ADMIN_API_KEY is set and")


@pytest.mark.parametrize("wrong", WRONG, ids=range(len(WRONG)))
def test_a_secret_that_is_none_is_named_and_not_repeated(wrong: str, tmp_path: Path) -> None:
    problems = problems_of({"ADMIN_API_KEY": wrong, "API_KEYS": f"ci={wrong}"}, tmp_path)

    assert [problem.split()[0] for problem in problems] == ["API_KEYS", "ADMIN_API_KEY"]
    assert wrong not in "\n".join(problems)


@pytest.mark.parametrize(
    "wrong",
    [
        GOOD,
        f"={GOOD}",
        f"ci:{GOOD}",
        f"ci={GOOD},ci={OTHER}",
        f"c i={GOOD}",
        f"{'x' * 49}={GOOD}",
        f"admin={GOOD}",
        f"ci={GOOD},shop",
        ",",
    ],
    ids=range(9),
)
def test_names_and_keys_come_in_pairs(wrong: str, tmp_path: Path) -> None:
    (problem,) = problems_of({"API_KEYS": wrong}, tmp_path)

    assert problem.startswith("API_KEYS must be name=key pairs")
    assert GOOD not in problem


@pytest.mark.parametrize(
    "env",
    [
        {"API_KEYS": f"ci={GOOD},shop={GOOD}"},
        {"API_KEYS": f"ci={GOOD}", "ADMIN_API_KEY": GOOD},
    ],
)
def test_two_callers_do_not_have_one_key(env: dict[str, str], tmp_path: Path) -> None:
    problems = problems_of(env, tmp_path)

    assert problems == ["API_KEYS and ADMIN_API_KEY must be different keys."]


def test_the_keys_of_the_environment_are_known_by_their_names(tmp_path: Path) -> None:
    env = {"API_KEYS": f"ci={GOOD}, shop={OTHER}", "ADMIN_API_KEY": GOOD[::-1]}

    access = Settings.from_env(env, root=tmp_path).access

    assert access.environment_keys == {
        GOOD: ApiKey("env:ci", "ci"),
        OTHER: ApiKey("env:shop", "shop"),
        GOOD[::-1]: ApiKey("env:admin", "admin", is_admin=True),
    }


def test_the_keys_of_the_environment_are_secrets(tmp_path: Path) -> None:
    env = {"API_KEYS": f"ci={GOOD}", "ADMIN_API_KEY": OTHER}

    settings = Settings.from_env(env, root=tmp_path)

    assert {GOOD, OTHER} <= set(settings.secrets)
    assert GOOD not in repr(settings)
    assert OTHER not in repr(settings)


def test_no_key_is_required_and_none_is_there_where_nothing_is_said(tmp_path: Path) -> None:
    access = Settings.from_env({}, root=tmp_path).access

    assert (access.requires_key, access.environment_keys) == (False, {})
