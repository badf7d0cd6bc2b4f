"""A vendor of pictures is told whose request it answers; no key's failures stop another's."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.conftest import AppOf
from tests.support import replies
from tests.support.image_upstream import ImageVendor
from tests.web.images.conftest import GENERATE

SHOP, OTHER = "sk-shop-0123456789abcdef0123", "sk-other-0123456789abcdef01"


@pytest.fixture
def vendor() -> Iterator[ImageVendor]:
    """Run a vendor of pictures."""
    with ImageVendor("openai") as running:
        yield running


@pytest.fixture
def client(app_of: AppOf, upstream_env: dict[str, str], vendor: ImageVendor) -> FlaskClient:
    """Call an application with two keys, whose pictures come from the vendor."""
    image = {"API_URL": vendor.url, "API_KEY": "sk-a", "MODEL": "gpt-image-2", "PROFILE": "openai"}
    keys = {"REQUIRE_API_KEY": "true", "API_KEYS": f"shop={SHOP},other={OTHER}"}
    settings = {f"IMAGE_LLM_{name}": value for name, value in image.items()}
    return app_of(upstream_env | keys | settings | {"CIRCUIT_BREAKER": "true"}).test_client()


def ask(client: FlaskClient, key: str, **headers: str) -> Any:
    """Ask for a picture."""
    headers = {"Authorization": f"Bearer {key}"} | headers
    return client.post(GENERATE, json={"prompt": "A cat"}, headers=headers)


def test_the_vendor_is_told_the_id_of_the_request(client: FlaskClient, vendor: ImageVendor) -> None:
    own = ask(client, SHOP)
    taken = ask(client, SHOP, **{"X-Request-Id": "page-7"})

    assert (own.status_code, taken.status_code) == (200, 200)
    sent = [
        (one.header("X-Client-Request-Id"), one.header("X-Request-Id")) for one in vendor.creates
    ]
    shown, call = own.headers["x-request-id"], taken.headers["x-call-id"]
    assert sent == [(shown, f"{shown}.0"), ("page-7", f"page-7.{call}.0")]


def test_failures_of_one_caller_stop_nobody_else(client: FlaskClient, vendor: ImageVendor) -> None:
    vendor.on("create", *[replies.api_error(500)] * 5)

    failed = [ask(client, SHOP).get_json()["error"]["details"]["reason"] for _ in range(6)]

    assert failed == ["upstream_error"] * 5 + ["circuit_open"]
    assert ask(client, OTHER).status_code == 200
