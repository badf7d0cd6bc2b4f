"""The landing page: examples that work where they are copied from, and nothing for strangers."""

import html
import re
import shlex

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import AppOf
from tests.support import replies
from tests.support.upstream import ScriptedUpstream

SECRET = "b1946ac92492d2347c6235b4d2611184"  # noqa: S105  # of the test
KEYS = {"REQUIRE_API_KEY": "true", "API_KEYS": f"app={SECRET}"}


def examples(page: str) -> list[str]:
    """Return what the page offers to copy."""
    return [html.unescape(text) for text in re.findall(r"<pre>(.*?)</pre>", page, re.DOTALL)]


def send(client: FlaskClient, command: str) -> TestResponse:
    """Send the request that a command line of curl describes."""
    words = iter(shlex.split(command.replace("\\\n", " "))[1:])
    url, headers, body = next(words), {}, ""
    for option in words:
        if option == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        else:
            assert option == "-d"
            body = next(words)
    return client.post(url.removeprefix("http://localhost"), data=body, headers=headers)


@pytest.mark.parametrize("env", [{}, KEYS], ids=["open", "keys"])
def test_the_first_example_works(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream, env: dict[str, str]
) -> None:
    client = app_of(upstream_env | env).test_client()
    upstream.script(replies.completion('{"optimized_prompt": "A cat sitting on a chair, at dawn"}'))

    curl, sdk = examples(client.get("/").text)

    assert ("YOUR_KEY" in curl, "YOUR_KEY" in sdk) == (bool(env), bool(env))
    assert send(client, curl.replace("YOUR_KEY", SECRET)).status_code == 200
    if env:
        assert send(client, curl).status_code == 401
    compile(sdk, "example", "exec")


@pytest.mark.parametrize("path", ["/", "/docs/", "/readyz"])
def test_strangers_are_told_no_model(
    app_of: AppOf, upstream_env: dict[str, str], path: str
) -> None:
    env = upstream_env | KEYS | {"FAST_LLM_MODEL": "our-secret-model"}
    page = app_of(env).test_client().get(path, buffered=True).text

    assert "secret-model" not in page
    assert "qwen" not in page


def test_strangers_are_not_told_that_the_bundled_model_answers(app_of: AppOf) -> None:
    page = app_of(KEYS).test_client().get("/").text

    assert "SmolLM2" not in page
    assert "smollm2" not in page


def test_where_no_key_is_required_the_models_are_named(
    app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    page = app_of(upstream_env).test_client().get("/").text

    assert "<code>scripted</code>" in page
    assert 'api_key="not-needed"' in page
