"""Settings of upstreams: several keys and addresses, more upstreams, profiles and fallbacks."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from llm_api.domain.upstream_plans import Endpoint, UpstreamPlan
from llm_api.settings.settings import Settings, SettingsError

FAST = {
    "FAST_LLM_API_URL": "https://fast.example/v1",
    "FAST_LLM_API_KEY": "sk-fast",
    "FAST_LLM_MODEL": "fast-1",
}
SPARE = {
    "EXTRA_UPSTREAMS": "spare",
    "SPARE_LLM_API_URL": "https://spare.example/v1",
    "SPARE_LLM_MODEL": "spare-1",
}
CANARY = "hunter2"
ONE, TWO, THREE = (f"https://{name}.example/v1" for name in ("one", "two", "three"))


def upstreams(env: Mapping[str, str], root: Path) -> Mapping[str, UpstreamPlan]:
    """Read the upstreams of settings that are right."""
    return Settings.from_env(env, root=root).upstreams


def problems_of(env: Mapping[str, str], root: Path) -> list[str]:
    """Read settings that are wrong and return what is."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(env, root=root)
    assert CANARY not in str(caught.value)
    assert all(problem.isprintable() for problem in caught.value.problems)
    return caught.value.problems


@pytest.mark.parametrize(
    ("urls", "keys", "pairs"),
    [
        (ONE, "k1", [(ONE, "k1")]),
        (ONE, "", [(ONE, "")]),
        (ONE, "k1,k2,k3", [(ONE, "k1"), (ONE, "k2"), (ONE, "k3")]),
        (f"{ONE},{TWO}", "k1", [(ONE, "k1"), (TWO, "k1")]),
        (f"{ONE},{TWO}", "", [(ONE, ""), (TWO, "")]),
        (f"{ONE},{TWO}", "k1,k2", [(ONE, "k1"), (TWO, "k2")]),
        (f"{ONE} , {TWO}/ ,", " k1 ,, k2 ", [(ONE, "k1"), (TWO, "k2")]),
        (f"{ONE},{TWO},{THREE}", "k1,k2,k3", [(ONE, "k1"), (TWO, "k2"), (THREE, "k3")]),
    ],
)
@pytest.mark.parametrize("prefix", ["FAST_LLM", "JUDGE_LLM"])
def test_addresses_and_keys_are_paired(
    tmp_path: Path, prefix: str, urls: str, keys: str, pairs: list[tuple[str, str]]
) -> None:
    env = {f"{prefix}_API_URL": urls, f"{prefix}_API_KEY": keys, f"{prefix}_MODEL": "m"}

    plan = upstreams(env, tmp_path)[prefix.removesuffix("_LLM").lower()]

    assert plan.endpoints == tuple(Endpoint(url, "m", key) for url, key in pairs)
    assert plan.model == "m"


@pytest.mark.parametrize(
    ("urls", "keys"),
    [
        (f"{ONE},{TWO},{THREE}", "k1,k2"),
        (f"{ONE},{TWO}", "k1,k2,k3"),
        (f"{ONE},{TWO}", "k1,,k2,k3"),
    ],
)
def test_keys_that_do_not_fit_the_addresses_are_a_problem(
    tmp_path: Path, urls: str, keys: str
) -> None:
    env = {**FAST, "FAST_LLM_API_URL": urls, "FAST_LLM_API_KEY": keys.replace("k", CANARY)}

    assert problems_of(env, tmp_path) == [
        "FAST_LLM_API_KEY must be one key for all addresses, or one for each."
    ]


@pytest.mark.parametrize(
    "urls",
    [
        f"{ONE},ftp://two.example/v1",
        f"{ONE},two.example",
        f"{ONE} {TWO}",
        f"{ONE},https://user:{CANARY}@two.example/v1",
        f"{ONE},https://two.example/v1?key={CANARY}",
        f"{ONE},https://two.example:99999/v1",
        ",",
        " , ,",
    ],
)
@pytest.mark.parametrize("prefix", ["FAST_LLM", "SPARE_LLM"])
def test_each_of_several_addresses_must_be_one(tmp_path: Path, prefix: str, urls: str) -> None:
    env = {**FAST, **SPARE, f"{prefix}_API_URL": urls}

    (problem,) = problems_of(env, tmp_path)

    assert problem.startswith(f"{prefix}_API_URL must be ")
    assert "separated by commas" in problem


@pytest.mark.parametrize("keys", [f"k1,{CANARY} x", f"{CANARY}-ключ,k2", f"k1,{CANARY}\x7f"])
def test_each_of_several_keys_must_be_one(tmp_path: Path, keys: str) -> None:
    (problem,) = problems_of({**FAST, "FAST_LLM_API_KEY": keys}, tmp_path)

    assert problem.startswith("FAST_LLM_API_KEY must be ")


def test_every_key_is_a_secret(tmp_path: Path) -> None:
    env = {**FAST, **SPARE, "FAST_LLM_API_KEY": "sk-1,sk-2", "SPARE_LLM_API_KEY": "sk-3,sk-4"}

    settings = Settings.from_env(env, root=tmp_path)

    assert set(settings.secrets) == {"sk-1", "sk-2", "sk-3", "sk-4"}
    assert "sk-" not in repr(settings)


def test_more_upstreams_are_read_like_the_first(tmp_path: Path) -> None:
    env = {
        **FAST,
        "EXTRA_UPSTREAMS": "spare, gpu_2",
        "SPARE_LLM_API_URL": ONE,
        "SPARE_LLM_MODEL": "spare-1",
        "GPU_2_LLM_API_URL": f"{TWO},{THREE}",
        "GPU_2_LLM_API_KEY": "k",
        "GPU_2_LLM_MODEL": "gpu-1",
        "GPU_2_LLM_PROFILE": "vllm",
        "GPU_2_LLM_FALLBACK": "spare",
    }

    plans = upstreams(env, tmp_path)

    assert list(plans) == ["fast", "spare", "gpu_2"]
    assert plans["spare"] == UpstreamPlan((Endpoint(ONE, "spare-1"),))
    endpoints = (Endpoint(TWO, "gpu-1", "k"), Endpoint(THREE, "gpu-1", "k"))
    assert plans["gpu_2"] == UpstreamPlan(endpoints, ("spare",), "vllm")


def test_settings_of_an_upstream_that_is_not_named_are_not_read(tmp_path: Path) -> None:
    assert list(upstreams({**FAST, "OTHER_LLM_API_URL": "nonsense"}, tmp_path)) == ["fast"]


def test_more_upstreams_do_without_the_first(tmp_path: Path) -> None:
    settings = Settings.from_env(SPARE, root=tmp_path)

    assert list(settings.upstreams) == ["spare"]
    assert settings.uses_bundled_model


@pytest.mark.parametrize(
    "names",
    [
        *("Spare", "2nd", "_spare", "spare-1", "sp are", "ersätz", "s" * 33),
        *("fast", "judge", "local", "spare,spare", "spare,fast", "spare;other"),
    ],
)
def test_a_name_that_cannot_be_one_is_a_problem(tmp_path: Path, names: str) -> None:
    problems = problems_of({**FAST, **SPARE, "EXTRA_UPSTREAMS": names}, tmp_path)

    assert len(problems) == 1
    assert problems[0].startswith("EXTRA_UPSTREAMS must be names of upstreams")


@pytest.mark.parametrize("names", ["spare", "spare,", " spare ", "a", "s" * 32, "gpu_2"])
def test_a_name_can_be_any_word(tmp_path: Path, names: str) -> None:
    name = names.strip(" ,")
    env = {
        "EXTRA_UPSTREAMS": names,
        f"{name.upper()}_LLM_API_URL": ONE,
        f"{name.upper()}_LLM_MODEL": "m",
    }

    assert list(upstreams(env, tmp_path)) == [name]


@pytest.mark.parametrize("left_out", ["SPARE_LLM_API_URL", "SPARE_LLM_MODEL"])
def test_a_named_upstream_without_address_or_model_is_a_problem(
    tmp_path: Path, left_out: str
) -> None:
    env = {**FAST, **SPARE, "SPARE_LLM_API_KEY": CANARY, left_out: ""}

    (problem,) = problems_of(env, tmp_path)

    assert problem.startswith(f"{left_out} is missing")


def test_all_upstreams_problems_are_told_at_once(tmp_path: Path) -> None:
    env = {
        "FAST_LLM_API_KEY": CANARY,
        "JUDGE_LLM_API_URL": "nonsense",
        "JUDGE_LLM_API_KEY": f"{CANARY} x",
        "EXTRA_UPSTREAMS": "spare",
        "SPARE_LLM_API_URL": f"{ONE},{TWO},{THREE}",
        "SPARE_LLM_API_KEY": f"{CANARY},{CANARY}",
        "UPSTREAM_CONCURRENCY": CANARY,
    }

    problems = problems_of(env, tmp_path)

    assert sorted(problem.split()[0] for problem in problems) == [
        "FAST_LLM_API_URL",
        "JUDGE_LLM_API_KEY",
        "JUDGE_LLM_API_URL",
        "JUDGE_LLM_MODEL",
        "SPARE_LLM_API_KEY",
        "SPARE_LLM_MODEL",
        "UPSTREAM_CONCURRENCY",
    ]


@pytest.mark.parametrize("prefix", ["FAST_LLM", "JUDGE_LLM", "SPARE_LLM"])
def test_a_profile_and_fallbacks_are_read(tmp_path: Path, prefix: str) -> None:
    env = {
        **FAST,
        **SPARE,
        f"{prefix}_API_URL": ONE,
        f"{prefix}_MODEL": "m",
        f"{prefix}_PROFILE": " vllm ",
        f"{prefix}_FALLBACK": "judge, qwen/qwen-plus:free ,local",
    }

    plans = dict(upstreams(env, tmp_path))
    plan = plans.pop(prefix.removesuffix("_LLM").lower())

    assert (plan.profile, plan.fallback) == ("vllm", ("judge", "qwen/qwen-plus:free", "local"))
    assert all((one.profile, one.fallback) == (None, ()) for one in plans.values())


@pytest.mark.parametrize(
    ("env", "count"), [({}, 1), (FAST, 1), (FAST | SPARE | {"FAST_LLM_API_KEY": "a,b"}, 3)]
)
def test_addresses_and_keys_are_counted(tmp_path: Path, env: dict[str, str], count: int) -> None:
    assert Settings.from_env(env, root=tmp_path).endpoint_count == count


@pytest.mark.parametrize(("text", "count"), [("", 1024), ("1", 1), ("32", 32), ("65536", 65_536)])
def test_the_bound_on_calls_at_an_upstream_is_read(tmp_path: Path, text: str, count: int) -> None:
    settings = Settings.from_env({"UPSTREAM_CONCURRENCY": text}, root=tmp_path)

    assert settings.upstream_concurrency == count


@pytest.mark.parametrize("text", ["0", "-1", "65537", "1.5", "many", "1e3", "0x10"])
def test_the_bound_on_calls_at_an_upstream_is_a_whole_number(tmp_path: Path, text: str) -> None:
    (problem,) = problems_of({"UPSTREAM_CONCURRENCY": text}, tmp_path)

    assert problem == "UPSTREAM_CONCURRENCY must be a whole number from 1 to 65536."


@pytest.fixture
def gguf(tmp_path: Path) -> dict[str, str]:
    """Name two files that begin as a model's do."""
    for name in ("model a.gguf", "projector.gguf"):
        (tmp_path / name).write_bytes(b"GGUF\x03")
    return {
        "LOCAL_JUDGE_MODEL": "model a.gguf",
        "LOCAL_JUDGE_PROJECTOR": str(tmp_path / "projector.gguf"),
    }


def test_a_model_of_this_machine_is_the_judge(tmp_path: Path, gguf: dict[str, str]) -> None:
    at = {"LOCAL_JUDGE_URL": "http://127.0.0.1:1/v1", "LOCAL_JUDGE_KEY": "k"}

    judge = upstreams({**FAST, **gguf, **at, "JUDGE_LLM_FALLBACK": "fast"}, tmp_path)["judge"]

    endpoint = Endpoint("http://127.0.0.1:1/v1", "model-a", "k")
    assert judge == UpstreamPlan((endpoint,), ("fast",), "llama-cpp")


def test_a_judge_that_is_started_by_hand_listens_at_its_port(
    tmp_path: Path, gguf: dict[str, str]
) -> None:
    assert upstreams(gguf, tmp_path)["judge"].endpoints[0].url == "http://127.0.0.1:8082/v1"


@pytest.mark.parametrize("name", ["LOCAL_JUDGE_MODEL", "LOCAL_JUDGE_PROJECTOR"])
@pytest.mark.parametrize("path", ["missing.gguf", ".", "no_model.gguf"])
def test_what_is_no_model_file_is_a_problem(
    tmp_path: Path, gguf: dict[str, str], name: str, path: str
) -> None:
    (tmp_path / "no_model.gguf").write_bytes(b"PK\x03\x04")

    problems = problems_of({**gguf, name: path}, tmp_path)

    assert problems == [f"{name} must be a GGUF file that can be read."]


@pytest.mark.parametrize("name", ["LOCAL_JUDGE_MODEL", "LOCAL_JUDGE_PROJECTOR"])
def test_model_and_projector_belong_together(
    tmp_path: Path, gguf: dict[str, str], name: str
) -> None:
    problems = problems_of({name: gguf[name]}, tmp_path)

    assert problems == [
        f"{name} is set; LOCAL_JUDGE_MODEL and LOCAL_JUDGE_PROJECTOR belong together."
    ]


def test_there_is_one_judge(tmp_path: Path, gguf: dict[str, str]) -> None:
    remote = {"JUDGE_LLM_API_URL": ONE, "JUDGE_LLM_MODEL": "m"}

    problems = problems_of({**gguf, **remote}, tmp_path)

    assert problems == ["JUDGE_LLM_API_URL and LOCAL_JUDGE_MODEL are both set; there is one judge."]
