"""The files in `config/` are good as they are shipped, and a mistake is told by its place."""

import re
import shutil
from pathlib import Path

import pytest

from llm_api.domain.access import Limits
from llm_api.settings.config_files import MODELS, PROFILES, read_models, read_profiles
from llm_api.settings.settings import PROJECT_ROOT, SettingsError
from llm_api.upstream.vendors.error_meanings import REASONS
from llm_api.upstream.vendors.profiles import choose_profile
from llm_api.upstream.vendors.responses_traits import ResponsesTraits
from tests.conftest import AppOf, SettingsOf

UPSTREAM = {"FAST_LLM_API_URL": "http://127.0.0.1:9/v1", "FAST_LLM_MODEL": "m"}
CANARY = "sk-canary-of-the-config"
TITLE = 'title = "V"\n'


def rule(text: str, *, head: str = 'match = "x"\nreason = "upstream_auth"\n') -> str:
    """Write a profile with one rule for errors."""
    return f"{TITLE}[[errors]]\n{head}{text}\n"


def model(text: str) -> str:
    """Write a catalogue of one model."""
    return f'[models."m.1"]\nupstream = "fast"\n{text}\n'


def limits(text: str) -> str:
    """Write the limits of a model."""
    return f"limits = {{ {text} }}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make an installation with a copy of the shipped files."""
    shutil.copytree(PROJECT_ROOT / "config", tmp_path / "config")
    return tmp_path


def problems_of(root: Path, path: Path, content: str | bytes) -> list[str]:
    """Write a file, and return what reading the files says is wrong."""
    (root / path).write_bytes(content.encode() if isinstance(content, str) else content)
    read = read_models if path == MODELS else read_profiles
    with pytest.raises(SettingsError) as raised:
        read(root)
    return raised.value.problems


def check_lines(problems: list[str], path: Path, *places: str) -> None:
    """Find one line for each place, in any order."""
    assert all(problem.isprintable() for problem in problems)
    assert all(problem.endswith(".") for problem in problems)
    told = [problem.partition(": ")[0].replace(".value", "") for problem in problems]
    assert sorted(told) == sorted(f"{path}, {place}" for place in places)


def test_the_shipped_files_can_be_read() -> None:
    models, profiles = read_models(PROJECT_ROOT)[0], read_profiles(PROJECT_ROOT)

    assert {one.upstream for one in models} == {"fast", "judge", "local", "image", "layout-sketch"}
    assert {path.stem for path in (PROJECT_ROOT / PROFILES).iterdir()} == set(profiles)
    assert {one.name for one in profiles.values()} == set(profiles)


@pytest.mark.parametrize("name", sorted(read_profiles(PROJECT_ROOT)))
def test_a_shipped_profile_means_what_the_code_knows(name: str) -> None:
    profile = read_profiles(PROJECT_ROOT)[name]

    assert {one.reason for one in profile.rules} <= set(REASONS)
    # A pattern that fits the empty text would fit every error.
    assert [one.match.pattern for one in profile.rules if one.match.search("")] == []
    assert all(one.match.flags & re.IGNORECASE for one in profile.rules)
    assert (profile.thinking_on is None) == (profile.thinking_off is None)
    assert all(400 <= status < 600 for one in profile.rules for status in one.status)


def test_no_two_shipped_profiles_claim_one_address() -> None:
    profiles = read_profiles(PROJECT_ROOT)
    for profile in profiles.values():
        for host in profile.hosts:
            url = f"https://{host.replace('*', 'some')}/v1"

            assert choose_profile(profiles, url).name == profile.name


def test_all_that_a_profile_may_say_is_read(root: Path) -> None:
    text = """
        title = "V"
        hosts = ["*.v.com"]
        token_cap = "max_completion_tokens"
        developer_role = false
        parameters = ["seed"]
        json_modes = []
        seeds = [1, 9_223_372_036_854_775_807]
        [thinking]
        on = { a = { b = [1] } }
        off = { a = 0 }
        level = "a.c"
        levels = ["low", "max"]
        budget = "d"
        [responses]
        parameters = ["input", "tools"]
        tools = ["function"]
        [[errors]]
        match = "Over(Quota)?"
        reason = "upstream_account"
        hint = "Pay."
        retryable = true
        status = [429, 400]
        [[errors]]
        match = "x"
        reason = "upstream_auth"
    """
    (root / PROFILES / "v.toml").write_text(text)

    profile = read_profiles(root)["v"]

    assert (profile.name, profile.hosts, profile.token_cap) == (
        "v",
        ("*.v.com",),
        "max_completion_tokens",
    )
    assert (profile.has_developer_role, profile.parameters) == (False, frozenset(["seed"]))
    assert (profile.json_modes, profile.thinking_on, profile.thinking_off) == (
        frozenset(),
        {"a": {"b": [1]}},
        {"a": 0},
    )
    assert (profile.thinking.level, profile.thinking.budget) == ("a.c", "d")
    assert (profile.thinking.levels, profile.seeds) == (["low", "max"], (1, 2**63 - 1))
    assert profile.responses == ResponsesTraits(
        frozenset(["input", "tools"]), frozenset(["function"])
    )
    first, second = profile.rules
    assert first.match.search("OVERQUOTA")
    assert (first.reason, first.hint, first.retryable) == ("upstream_account", "Pay.", True)
    assert first.status == {429, 400}
    assert (second.hint, second.retryable, second.status) == (None, None, frozenset())


def test_a_profile_of_its_title_alone_says_nothing(root: Path) -> None:
    (root / PROFILES / "v.toml").write_text(TITLE)

    profile = read_profiles(root)["v"]

    assert (profile.hosts, profile.rules, profile.has_developer_role) == ((), (), True)
    nothing = (profile.token_cap, profile.parameters, profile.json_modes)
    assert (*nothing, profile.thinking_on, profile.thinking_off) == (None,) * 5
    assert profile.seeds == (-(2**63), 2**63 - 1)
    assert profile.responses is None


def test_an_empty_table_says_that_there_is_a_responses_api(root: Path) -> None:
    (root / PROFILES / "v.toml").write_text(TITLE + "[responses]\n")

    assert read_profiles(root)["v"].responses == ResponsesTraits(None, None)


def test_all_that_a_model_may_say_is_read(root: Path) -> None:
    switches = 'is_guided = true\nhas_json_mode = true\nparameters = ["a", "b"]\n'
    text = f'{switches}fallback = ["judge", "x"]\nlonger_context = "y"\n' + limits(
        'requests = "6/second;500/day", tokens_per_minute = 1000000000, '
        "concurrent_requests = 3, concurrent_streams = 1"
    )
    (root / MODELS).write_text(model(text))

    (read,) = read_models(root)[0]

    assert (read.id, read.upstream) == ("m.1", "fast")
    assert read.is_guided
    assert read.has_json_mode
    assert (read.fallback, read.longer_context) == (("judge", "x"), "y")
    assert read.parameters == {"a", "b"}
    assert read.limits == Limits("6/second;500/day", 1_000_000_000, 3, 1)


WRONG_MODELS = {
    "no models": ("", ["models"]),
    "other table": ("[modells.x]\n", ["models", "modells"]),
    "models no table": ("models = 1\n", ["models"]),
    "model no table": ("[models]\nm = 1\n", ["models.m"]),
    "no upstream": ('[models."m"]\n', ["models.m.upstream"]),
    "wrong key": (model("is_guide = true"), ["models.m.1.is_guide"]),
    "text for a switch": (model('is_guided = "true"'), ["models.m.1.is_guided"]),
    "number for a switch": (model("is_guided = 2"), ["models.m.1.is_guided"]),
    "no list": (model('fallback = "judge"'), ["models.m.1.fallback"]),
    "number in a list": (model("fallback = [1]"), ["models.m.1.fallback.0"]),
    "empty name": (model('fallback = ["x", ""]'), ["models.m.1.fallback.1"]),
    "number for a name": (model("longer_context = 1"), ["models.m.1.longer_context"]),
    "no list of parameters": (model('parameters = "a"'), ["models.m.1.parameters"]),
    "limits no table": (model("limits = 3"), ["models.m.1.limits"]),
    "wrong limit": (model(limits("streams = 3")), ["models.m.1.limits.streams"]),
    "number of requests": (model(limits("requests = 3")), ["models.m.1.limits.requests"]),
    "requests without a time": (model(limits('requests = "3"')), ["models.m.1.limits.requests"]),
    "no requests": (model(limits('requests = "3/day;0/hour"')), ["models.m.1.limits.requests"]),
    "no tokens": (
        model(limits("tokens_per_minute = 0")),
        ["models.m.1.limits.tokens_per_minute"],
    ),
    "too many tokens": (
        model(limits("tokens_per_minute = 1000000001")),
        ["models.m.1.limits.tokens_per_minute"],
    ),
    "text for a number": (
        model(limits('concurrent_requests = "3"')),
        ["models.m.1.limits.concurrent_requests"],
    ),
    "switch for a number": (
        model(limits("concurrent_streams = true")),
        ["models.m.1.limits.concurrent_streams"],
    ),
    "two at once": (
        model("a = 1\nlonger_context = 1"),
        ["models.m.1.a", "models.m.1.longer_context"],
    ),
}
WRONG_PROFILES = {
    "no title": ("", ["title"]),
    "number for a title": ("title = 1\n", ["title"]),
    "wrong key": (TITLE + "host = []\n", ["host"]),
    "no list of hosts": (TITLE + 'hosts = "v.com"\n', ["hosts"]),
    "empty host": (TITLE + 'hosts = [""]\n', ["hosts.0"]),
    "wrong cap": (TITLE + 'token_cap = "max_new_tokens"\n', ["token_cap"]),
    "text for a switch": (TITLE + 'developer_role = "no"\n', ["developer_role"]),
    "number among parameters": (TITLE + 'parameters = ["seed", 2]\n', ["parameters.1"]),
    "no list of modes": (TITLE + 'json_modes = "json_object"\n', ["json_modes"]),
    "wrong key of thinking": (TITLE + "[thinking]\nyes = {}\n", ["thinking.yes"]),
    "thinking no table": (TITLE + "thinking = false\n", ["thinking"]),
    "switch no table": (TITLE + "[thinking]\non = true\n", ["thinking.on"]),
    "unknown level": (TITLE + '[thinking]\nlevels = ["more"]\n', ["thinking.levels"]),
    "wrong key of responses": (TITLE + "[responses]\npath = 1\n", ["responses.path"]),
    "responses no table": (TITLE + "responses = true\n", ["responses"]),
    "no list of tools": (TITLE + '[responses]\ntools = "mcp"\n', ["responses.tools"]),
    "one seed": (TITLE + "seeds = [1]\n", ["seeds"]),
    "errors no list": (TITLE + "[errors]\nmatch = 1\n", ["errors"]),
    "no pattern": (rule("", head='reason = "upstream_auth"\n'), ["errors.0.match"]),
    "bad pattern": (rule("", head='match = "(x"\nreason = "upstream_auth"\n'), ["errors.0.match"]),
    "number for a pattern": (
        rule("", head='match = 1\nreason = "upstream_auth"\n'),
        ["errors.0.match"],
    ),
    "no reason": (rule("", head='match = "x"\n'), ["errors.0.reason"]),
    "unknown reason": (rule("", head='match = "x"\nreason = "tired"\n'), ["errors.0.reason"]),
    "wrong key of a rule": (rule("hints = 1"), ["errors.0.hints"]),
    "number for a hint": (rule("hint = 1"), ["errors.0.hint"]),
    "text for a rule's switch": (rule('retryable = "no"'), ["errors.0.retryable"]),
    "one status": (rule("status = 429"), ["errors.0.status"]),
    "text for a status": (rule('status = [429, "400"]'), ["errors.0.status.1"]),
    "second rule": (rule("") + "[[errors]]\nreason = 1\n", ["errors.1.match", "errors.1.reason"]),
}


@pytest.mark.parametrize("name", WRONG_MODELS)
def test_a_mistake_in_the_catalogue_is_told_by_its_place(root: Path, name: str) -> None:
    content, places = WRONG_MODELS[name]

    check_lines(problems_of(root, MODELS, content), MODELS, *places)


@pytest.mark.parametrize("name", WRONG_PROFILES)
def test_a_mistake_in_a_profile_is_told_by_its_place(root: Path, name: str) -> None:
    content, places = WRONG_PROFILES[name]
    path = PROFILES / "v.toml"

    check_lines(problems_of(root, path, content), path, *places)


@pytest.mark.parametrize("path", [MODELS, PROFILES / "v.toml", PROFILES / "generic.toml"], ids=str)
@pytest.mark.parametrize(
    "content",
    [b"title = \n", b'title = "V"\ntitle = "V"\n', b"[models\n", b"\xff\xfe", b'a = "\x00"\n'],
    ids=repr,
)
def test_a_file_that_is_no_toml_is_named(root: Path, path: Path, content: bytes) -> None:
    (problem,) = problems_of(root, path, content)

    assert problem.startswith(f"{path} is not valid TOML: ")
    assert problem.isprintable()


def test_a_catalogue_that_is_missing_is_named(root: Path) -> None:
    (root / MODELS).unlink()

    with pytest.raises(SettingsError) as raised:
        read_models(root)

    assert raised.value.problems == [f"{MODELS} cannot be read."]


def test_a_catalogue_that_is_a_folder_is_named(root: Path) -> None:
    (root / MODELS).unlink()
    (root / MODELS).mkdir()

    with pytest.raises(SettingsError) as raised:
        read_models(root)

    assert raised.value.problems == [f"{MODELS} cannot be read."]


@pytest.mark.parametrize("is_folder_there", [True, False])
def test_without_the_generic_profile_nothing_works(root: Path, *, is_folder_there: bool) -> None:
    if is_folder_there:
        (root / PROFILES / "generic.toml").unlink()
    else:
        shutil.rmtree(root / PROFILES)

    with pytest.raises(SettingsError) as raised:
        read_profiles(root)

    assert raised.value.problems == [f"{PROFILES}/generic.toml is missing."]


@pytest.fixture
def config(settings_of: SettingsOf, tmp_path: Path) -> Path:
    """Give the applications of this test a catalogue of their own, and return its folder."""
    folder = tmp_path / "root" / "config"
    folder.unlink()  # the link to the shipped one
    shutil.copytree(PROJECT_ROOT / "config", folder)
    settings_of({})
    return folder


def refusal(app_of: AppOf, env: dict[str, str]) -> list[str]:
    """Try to make an application, and return why there is none."""
    with pytest.raises(SettingsError) as raised:
        app_of({**UPSTREAM, "FAST_LLM_API_KEY": CANARY, **env})
    assert CANARY not in str(raised.value)
    assert all(one.isprintable() for one in raised.value.problems)
    return raised.value.problems


def test_a_profile_that_is_not_there_is_named(app_of: AppOf) -> None:
    (problem,) = refusal(app_of, {"FAST_LLM_PROFILE": "dashscop"})

    assert problem.startswith("FAST_LLM_PROFILE must be one of anthropic, azure, ")
    assert ", dashscope, " in problem
    assert "dashscop," not in problem.replace("dashscope,", "")


def test_every_profile_that_is_not_there_is_named(app_of: AppOf) -> None:
    env = {
        "FAST_LLM_PROFILE": "OpenAI",
        "EXTRA_UPSTREAMS": "spare_1",
        "SPARE_1_LLM_API_URL": "http://127.0.0.1:9/v1",
        "SPARE_1_LLM_MODEL": "m",
        "SPARE_1_LLM_PROFILE": "../profiles/generic",
    }

    problems = refusal(app_of, env)

    assert [one.split()[0] for one in problems] == ["FAST_LLM_PROFILE", "SPARE_1_LLM_PROFILE"]


def test_a_fallback_that_nobody_knows_is_named(app_of: AppOf) -> None:
    (problem,) = refusal(app_of, {"FAST_LLM_FALLBACK": "judge,nobody"})

    assert problem.startswith("FAST_LLM_FALLBACK must be names of upstreams or of models")


@pytest.mark.parametrize("text", ['fallback = ["judge", "nobody"]', 'longer_context = "nobody"'])
def test_a_models_fallback_that_nobody_knows_is_named(
    app_of: AppOf, config: Path, text: str
) -> None:
    (config / "models.toml").write_text(model(text))

    (problem,) = refusal(app_of, {})

    assert problem.startswith(f"{MODELS}, models.m.1: ")


@pytest.mark.parametrize("name", ["judge", "local", "m", "doubao-seed-1-6-251015"])
def test_a_fallback_may_be_one_that_is_not_configured(app_of: AppOf, name: str) -> None:
    app = app_of({**UPSTREAM, "FAST_LLM_FALLBACK": name})

    assert app.test_client().get("/healthz").status_code == 200


@pytest.mark.parametrize("file", ["models.toml", "profiles/generic.toml"])
def test_an_application_is_not_made_of_a_file_with_a_mistake(
    app_of: AppOf, config: Path, file: str
) -> None:
    (config / file).write_text("nonsense = 1\n")

    problems = refusal(app_of, {})

    assert {one.split(",")[0] for one in problems} == {f"config/{file}"}
