"""Fields that no image model takes: dropped and named, or refused where the settings say so."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.conftest import AppOf
from tests.support.image_upstream import ImageVendor
from tests.web.images.conftest import GENERATIONS


@pytest.fixture
def vendor() -> Iterator[ImageVendor]:
    """Run a vendor of pictures."""
    with ImageVendor("openai") as running:
        yield running


@pytest.fixture
def env(vendor: ImageVendor, tmp_path: Path) -> dict[str, str]:
    """Name that vendor as the image upstream."""
    return {
        "IMAGE_LLM_API_URL": vendor.url,
        "IMAGE_LLM_API_KEY": "sk-canary",
        "IMAGE_LLM_MODEL": "gpt-image-2",
        "IMAGE_LLM_PROFILE": "openai",
        "FILES_URL": (tmp_path / "files").as_uri(),
        "RATE_LIMIT": "1000000/minute",
    }


def ask(client: FlaskClient, **fields: Any) -> Any:
    """Ask for a picture."""
    return client.post(GENERATIONS, json={"prompt": "A cat", "model": "gpt-image-2", **fields})


def test_what_no_model_takes_is_dropped_and_named(
    app_of: AppOf, env: dict[str, str], vendor: ImageVendor
) -> None:
    answer = ask(app_of(env).test_client(), moderation="low", colour="red", steps=20)

    sent = vendor.creates[0].json
    assert answer.status_code == 200
    assert (sent["moderation"], "colour" in sent, "steps" in sent) == ("low", False, False)
    assert set(answer.headers["x-dropped-params"].split(",")) == {"colour", "steps"}


@pytest.mark.parametrize(("field", "status"), [("colour", 400), ("moderation", 200)])
def test_it_is_refused_where_the_settings_say_so(
    app_of: AppOf, env: dict[str, str], vendor: ImageVendor, field: str, status: int
) -> None:
    client = app_of({**env, "REFUSE_UNKNOWN_PARAMETERS": "true"}).test_client()

    answer = ask(client, **{field: "low"})

    assert answer.status_code == status
    assert len(vendor.creates) == (status == 200)
    if status == 400:
        error = answer.get_json()["error"]
        assert (error["code"], error["param"]) == ("unknown_field", field)


def test_what_only_the_rest_route_has_is_treated_as_any_other_field(
    app_of: AppOf, env: dict[str, str], vendor: ImageVendor
) -> None:
    """Nobody is to believe that a picture was judged."""
    only_there = {"judge": True, "until": {"accept": "passed", "max_tries": 2}}
    dropped = ask(app_of(env).test_client(), **only_there)
    strict = app_of({**env, "REFUSE_UNKNOWN_PARAMETERS": "true"}).test_client()
    refused = [ask(strict, **{name: value}) for name, value in only_there.items()]

    assert set(dropped.headers["x-dropped-params"].split(",")) == set(only_there)
    assert {one["field"] for one in dropped.get_json()["warnings"]} >= set(only_there)
    assert only_there.keys() & vendor.creates[0].json.keys() == set()
    codes = [(one.status_code, one.get_json()["error"]["param"]) for one in refused]
    assert codes == [(400, "judge"), (400, "until")]
    assert len(vendor.creates) == 1
