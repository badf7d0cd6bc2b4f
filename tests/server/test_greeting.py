"""A start says in one line where to look, and what is there."""

from llm_api.server.greeting import greeting
from tests.conftest import SettingsOf
from tests.support.tables import each

FAST = {"FAST_LLM_API_URL": "https://a.example/v1", "FAST_LLM_MODEL": "qwen-plus"}


def test_it_names_address_models_and_whether_keys_are_required(settings_of: SettingsOf) -> None:
    keys = {"REQUIRE_API_KEY": "true", "ADMIN_API_KEY": "0f1e2d3c4b5a69788796a5b4c3d2e1f0"}

    sentence = greeting(["127.0.0.1:8000"], settings_of({**FAST, **keys}))

    assert sentence == (
        "llm_api is at http://127.0.0.1:8000, its API at /docs; models: fast=qwen-plus;"
        " an API key is required."
    )


def test_it_names_what_makes_pictures_and_films(settings_of: SettingsOf) -> None:
    made = {
        f"{name}_LLM_{part}": text
        for name in ("VIDEO", "IMAGE")
        for part, text in (("API_URL", "https://a.example/v1"), ("MODEL", f"{name.lower()}-1"))
    }

    sentence = greeting(["127.0.0.1:8000"], settings_of({**FAST, **made}))

    assert "models: fast=qwen-plus, image=image-1, video=video-1;" in sentence


def test_without_an_upstream_it_names_the_bundled_model(settings_of: SettingsOf) -> None:
    sentence = greeting(["127.0.0.1:8000"], settings_of({}))

    assert "models: the bundled SmolLM2-135M" in sentence
    assert sentence.endswith("; no API key is required.")


def test_a_model_that_is_not_installed_is_not_named(settings_of: SettingsOf) -> None:
    sentence = greeting(["127.0.0.1:8000"], settings_of({}), has_bundled_model=False)

    assert "; models: none; " in sentence


@each(
    ("address", "shown"),
    [
        ("0.0.0.0:80", "http://localhost:80,"),
        ("[::]:80", "http://localhost:80,"),
        ("[::1]:80", "http://[::1]:80,"),
        ("unix:/run/llm_api.sock", "unix:/run/llm_api.sock,"),
    ],
)
def test_an_address_can_be_opened(settings_of: SettingsOf, address: str, shown: str) -> None:
    assert f" is at {shown}" in greeting([address], settings_of(FAST))
