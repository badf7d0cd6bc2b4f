"""An application whose video model is a scripted Ark, looked at ten times a second."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from llm_api.app import close_app, create_app
from llm_api.settings.settings import Settings
from tests.support.documented import DocumentedClient
from tests.support.film_upstream import FilmVendor, write_quick_config
from tests.support.schema import give_schema
from tests.web.keyed import ADMIN
from tests.web.videos.cinema import MODEL, PRICES, Cinema


@pytest.fixture(scope="module")
def vendor() -> Iterator[FilmVendor]:
    """Run Ark."""
    with FilmVendor("ark") as running:
        yield running


@pytest.fixture(scope="module")
def module_env() -> dict[str, str]:
    """Set nothing more; a module may have a fixture of its own."""
    return {}


@pytest.fixture(scope="module")
def film_app(
    tmp_path_factory: pytest.TempPathFactory, vendor: FilmVendor, module_env: dict[str, str]
) -> Iterator[Flask]:
    """Build the application."""
    root = tmp_path_factory.mktemp("films")
    write_quick_config(root / "config")
    with (root / "config" / "models.toml").open("a", encoding="utf-8") as models:
        models.write(PRICES)
    url = f"sqlite:///{root / 'test.db'}"
    give_schema(url)
    env = {
        "DATABASE_URL": url,
        "FAST_LLM_API_URL": "http://127.0.0.1:9/v1",
        "FAST_LLM_MODEL": "scripted",
        "VIDEO_LLM_API_URL": vendor.url,
        "VIDEO_LLM_API_KEY": "sk-canary-of-films",
        "VIDEO_LLM_MODEL": MODEL,
        "VIDEO_LLM_PROFILE": "volcengine-ark",
        "IMAGE_LLM_API_URL": "http://127.0.0.1:9/v1",
        "IMAGE_LLM_MODEL": "painter",
        "IMAGE_LLM_PROFILE": "openai",
        "ADMIN_API_KEY": ADMIN,
        "WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "RATE_LIMIT": "1000000/minute",
        "CIRCUIT_BREAKER": "false",
        **module_env,
    }
    app = create_app(Settings.from_env(env, root=root))
    app.test_client_class = DocumentedClient
    yield app
    close_app(app)


@pytest.fixture
def client(film_app: Flask) -> FlaskClient:
    """Call it without a socket in between."""
    return film_app.test_client()


@pytest.fixture
def cinema(client: FlaskClient, vendor: FilmVendor) -> Iterator[Cinema]:
    """Ask for films; those that a test has left unfinished end behind it, and so do its scripts."""
    seen = len(vendor.creates)
    yield Cinema(client, vendor, seen)
    vendor.forget()
    vendor.studio.polls_needed, vendor.studio.reads_allowed = 1, None


@pytest.fixture
def made(cinema: Cinema) -> dict[str, Any]:
    """Have a film made, with its last picture."""
    answer = cinema.generate(wait_ms=20_000, return_last_frame=True)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.get_json()
    return document
