"""GET /v1/models: the configured model first, the catalogue, and what upstreams list."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from llm_api.settings.settings import PROJECT_ROOT
from tests.conftest import AppOf, UsageRowsOf
from tests.support.ports import closed_port
from tests.support.replies import api_error, json_reply, models
from tests.support.upstream import ScriptedUpstream
from tests.web.refusals import COMPLETIONS, good_body

MODELS = "/v1/models"
SECRET = "b1946ac92492d2347c6235b4d2611184"  # noqa: S105  # of the test
PRICES = """
[[models."{}".prices]]
valid_from = 2025-01-31
currency = "USD"
input = "1"
output = "2"
"""
ADDED = (
    '[models."cheap"]\nupstream = "fast"\nmodel = "real-one"\n'
    + PRICES.format("cheap")
    + '[models."gpt-*"]\nupstream = "spare"\n'
    + PRICES.format("gpt-*")
)


@pytest.fixture
def spare() -> Iterator[ScriptedUpstream]:
    """Run a second upstream."""
    with ScriptedUpstream() as server:
        yield server


@pytest.fixture
def two(upstream_env: dict[str, str], spare: ScriptedUpstream) -> dict[str, str]:
    """Name the second upstream beside the first."""
    return upstream_env | {
        "EXTRA_UPSTREAMS": "spare",
        "SPARE_LLM_API_URL": spare.url,
        "SPARE_LLM_MODEL": "spare-model",
    }


@pytest.fixture
def with_added(tmp_path: Path) -> Callable[[], None]:
    """Add an alias and a pattern to the catalogue of the test's installation."""

    def add() -> None:
        config = tmp_path / "root" / "config"
        config.unlink()
        config.mkdir()
        for part in ("profiles", "images", "rubrics", "targets.toml"):
            (config / part).symlink_to(PROJECT_ROOT / "config" / part)
        text = (PROJECT_ROOT / "config" / "models.toml").read_text()
        (config / "models.toml").write_text(f"{text}\n{ADDED}")

    return add


def listed(client: FlaskClient, **headers: str) -> list[str]:
    """Return the names of real models in the list: test_prompt_models.py has the optimizer's."""
    answer = client.get(MODELS, headers=headers)
    assert answer.status_code == 200
    names = [model["id"] for model in answer.json["data"]]
    return [name for name in names if not name.startswith("optimize/")]


def chat(client: FlaskClient, model: str) -> Any:
    """Make a chat call."""
    return client.post(COMPLETIONS, json=good_body(COMPLETIONS) | {"model": model})


def test_at_any_vendor_only_the_configured_model_and_the_list_are_there(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream
) -> None:
    upstream.script(models("m-large", "scripted", "m-small"))

    assert listed(app_of(upstream_env).test_client()) == ["scripted", "m-large", "m-small"]


@pytest.mark.parametrize(
    ("profile", "names"),
    [
        ("dashscope", ["scripted", "qwen3-next-80b-a3b-instruct"]),
        ("openai", ["scripted"]),
        ("generic", ["scripted"]),
        ("vllm", ["scripted"]),
    ],
)
def test_a_model_of_one_vendor_is_listed_for_that_vendor(
    app_of: AppOf,
    upstream_env: dict[str, str],
    upstream: ScriptedUpstream,
    profile: str,
    names: list[str],
) -> None:
    upstream.script(models())

    assert listed(app_of(upstream_env | {"FAST_LLM_PROFILE": profile}).test_client()) == names


def test_a_model_of_one_vendor_that_is_configured_elsewhere_is_there(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream
) -> None:
    upstream.script(models())
    name = "qwen3-next-80b-a3b-instruct"

    assert listed(app_of(upstream_env | {"FAST_LLM_MODEL": name}).test_client()) == [name]


def test_the_bundled_model_is_alone(app_of: AppOf) -> None:
    assert listed(app_of({}).test_client()) == ["smollm2-135m-instruct"]


@pytest.mark.parametrize(
    "reply",
    [api_error(404, "not_found"), api_error(401, "no"), json_reply(200, {"data": "none"})],
    ids=["no such path", "refused", "no list"],
)
def test_an_upstream_without_a_list_leaves_the_catalogue(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream, reply: Any
) -> None:
    upstream.script(reply)

    assert listed(app_of(upstream_env).test_client()) == ["scripted"]


def test_an_upstream_that_is_away_leaves_the_catalogue(
    app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    with closed_port() as port:
        env = upstream_env | {"FAST_LLM_API_URL": f"http://127.0.0.1:{port}/v1"}
        assert listed(app_of(env).test_client()) == ["scripted"]


def test_the_list_outlives_a_restart_without_the_upstream(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream
) -> None:
    upstream.script(models("m-large"), api_error(500, "away"))

    first = listed(app_of(upstream_env).test_client())

    assert listed(app_of(upstream_env).test_client()) == first == ["scripted", "m-large"]


def test_calls_ask_for_no_list(
    app_of: AppOf, two: dict[str, str], upstream: ScriptedUpstream, spare: ScriptedUpstream
) -> None:
    client = app_of(two).test_client()

    for name in ("scripted", "nobodys", "gpt-4o"):
        assert chat(client, name).status_code == 200

    assert [request.method for request in upstream.requests] == ["POST"] * 3
    assert spare.requests == []


def test_whatever_a_picker_shows_reaches_its_upstream(
    app_of: AppOf, two: dict[str, str], upstream: ScriptedUpstream, spare: ScriptedUpstream
) -> None:
    upstream.script(models("shared", "f-large"))
    spare.script(models("shared", "s-large"))
    client, other_worker = app_of(two).test_client(), app_of(two).test_client()

    names = listed(client)
    assert names == ["scripted", "spare-model", "shared", "f-large", "s-large"]
    for name in names:
        assert chat(other_worker, name).status_code == 200

    asked = [[r.json["model"] for r in at.requests if r.body] for at in (upstream, spare)]
    assert asked == [["scripted", "shared", "f-large"], ["spare-model", "s-large"]]


def test_a_key_sees_and_retrieves_its_own_models(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream
) -> None:
    env = {"REQUIRE_API_KEY": "true", "ADMIN_API_KEY": SECRET}
    client = app_of(upstream_env | env).test_client()
    upstream.script(models("m-large", "m-small"))
    admin = {"Authorization": f"Bearer {SECRET}"}
    wanted = {"name": "shop", "models": ["m-small"]}
    issued = client.post("/api/v1/keys", json=wanted, headers=admin).json
    own = {"Authorization": f"Bearer {issued['secret']}"}

    assert listed(client, **admin) == ["scripted", "m-large", "m-small"]
    assert listed(client, **own) == ["m-small"]
    assert client.get(f"{MODELS}/m-small", headers=own).json["owned_by"] == "fast"
    assert client.get(f"{MODELS}/m-large", headers=own).status_code == 403
    assert client.get(f"{MODELS}/m-large", headers=admin).status_code == 200


def test_a_closed_catalogue_hides_what_upstreams_list(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream
) -> None:
    upstream.script(models("m-large"))
    client = app_of(upstream_env | {"CATALOGUE_ONLY": "true"}).test_client()

    assert listed(client) == ["scripted"]
    assert chat(client, "m-large").status_code == 404


def test_a_list_shows_no_key_and_nothing_that_cannot_be_named(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream
) -> None:
    upstream.script(models("good", SECRET, f"with-{SECRET}", "bad\nname", "x" * 300, " "))
    env = upstream_env | {"API_KEYS": f"app={SECRET}"}

    assert listed(app_of(env).test_client()) == ["scripted", "good"]


def test_an_alias_and_a_pattern_are_called_recorded_and_paid_by_their_real_names(
    app_of: AppOf,
    two: dict[str, str],
    with_added: Callable[[], None],
    usage_rows_of: UsageRowsOf,
    upstream: ScriptedUpstream,
    spare: ScriptedUpstream,
) -> None:
    with_added()
    app = app_of(two)
    client = app.test_client()

    for name in ("cheap", "gpt-4o"):
        assert chat(client, name).status_code == 200

    assert [r.json["model"] for r in upstream.requests] == ["real-one"]
    assert [r.json["model"] for r in spare.requests] == ["gpt-4o"]
    rows = usage_rows_of(app)
    assert [(r["requested_model"], r["model"], r["upstream"]) for r in rows] == [
        ("cheap", "real-one", "fast"),
        ("gpt-4o", "gpt-4o", "spare"),
    ]
    assert all(row["cost_micro"] and row["currency"] == "USD" for row in rows)
    upstream.script(models("real-one", "gpt-5"))
    spare.script(models("gpt-4o"))
    assert listed(client) == ["scripted", "cheap", "spare-model", "real-one", "gpt-4o"]
