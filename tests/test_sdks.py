"""The OpenAI SDKs of 2023 and of today work against a real service."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
import requests

from tests.storage.checkout import fast_upstream, own_service
from tests.support import replies
from tests.support.service import REPOSITORY_ROOT, Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

OLD_PYTHON = REPOSITORY_ROOT / ".sdks" / "openai-0.28" / "bin" / "python"
DOCUMENTED = """\
import openai
openai.api_base = "http://localhost:8000/v1"; openai.api_key = "not-needed"
response = openai.ChatCompletion.create(model="qwen3-next-80b-a3b-instruct",
    messages=[{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": "Tell me a joke"}], temperature=0.7)
print(response.choices[0].message.content)
"""  # noqa: E501  # to the letter
OLD_ERROR = """\
import openai
openai.api_base = "http://localhost:8000/v1"; openai.api_key = "not-needed"
try:
    openai.ChatCompletion.create(model="m", messages=[{"role": "user", "content": "x"}], %s)
except openai.error.OpenAIError as error:
    print(type(error).__name__, error.http_status, getattr(error, 'param', None), error.request_id)
"""
HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service on the bundled model, until it is ready."""
    with own_service(tmp_path_factory.mktemp("demo")) as service, requests.Session() as session:
        ready = f"{service.url}/readyz"
        wait_until(lambda: session.get(ready, timeout=10).ok, 60, service.log)
        yield service


@pytest.fixture(scope="module")
def module_upstream() -> Iterator[ScriptedUpstream]:
    """Run the upstream of the module's service."""
    with ScriptedUpstream() as server:
        yield server


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, module_upstream: ScriptedUpstream
) -> Iterator[Service]:
    """Run the service on a scripted upstream."""
    directory = tmp_path_factory.mktemp("service")
    with own_service(directory, fast_upstream(module_upstream.url)) as running:
        yield running


@pytest.fixture
def scripted(module_upstream: ScriptedUpstream) -> ScriptedUpstream:
    """Lend the upstream with nothing scripted."""
    module_upstream.clear()
    return module_upstream


@pytest.fixture
def sdk(service: Service) -> Iterator[openai.OpenAI]:
    """Open today's SDK, with its own retries."""
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="not-needed") as client:
        yield client


def run_old(program: str, service: Service) -> str:
    """Run a program with openai 0.28.1, its port replaced, and return what it printed."""
    assert OLD_PYTHON.exists(), "`make test` installs it"
    text = program.replace(":8000/", f":{service.address[1]}/")
    done = subprocess.run(
        [OLD_PYTHON, "-c", text], env={}, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_documented_example_gets_an_answer(demo: Service) -> None:
    answer = run_old(DOCUMENTED, demo)

    assert len(answer.split()) >= 3


def test_the_old_sdk_gets_an_error_for_a_wrong_number(service: Service) -> None:
    printed = run_old(OLD_ERROR % "temperature=9", service)

    assert printed.startswith("InvalidRequestError 400 temperature req_")


def test_the_old_sdk_gets_an_error_of_the_upstream(
    service: Service, scripted: ScriptedUpstream
) -> None:
    scripted.script(*[replies.api_error(503)] * 10)

    printed = run_old(OLD_ERROR % "temperature=1", service)

    assert printed.startswith("ServiceUnavailableError 503 None req_")


def test_the_new_sdk_gets_an_answer(sdk: openai.OpenAI, scripted: ScriptedUpstream) -> None:
    answer = sdk.chat.completions.create(model="gpt-9", messages=HELLO, temperature=0.7)

    assert answer.choices[0].message.content == "Hello"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 7
    assert scripted.requests[0].json["model"] == "gpt-9"


def test_the_new_sdk_gets_an_answer_of_the_bundled_model(demo: Service) -> None:
    with openai.OpenAI(base_url=f"{demo.url}/v1", api_key="not-needed") as sdk:
        answer = sdk.chat.completions.create(model="any", messages=HELLO, max_tokens=8)

    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert 1 <= answer.usage.completion_tokens <= 8


def test_the_new_sdk_lists_the_models(sdk: openai.OpenAI) -> None:
    assert "scripted" in [model.id for model in sdk.models.list()]


def test_the_new_sdk_retrieves_a_model(sdk: openai.OpenAI) -> None:
    model = sdk.models.retrieve("scripted")

    assert (model.id, model.object) == ("scripted", "model")


def test_an_unknown_model_is_a_not_found_error(sdk: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        sdk.models.retrieve("org/unknown")

    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_a_wrong_role_is_a_bad_request_that_names_the_field(sdk: openai.OpenAI) -> None:
    messages = [*HELLO, {"role": "wizard", "content": "x"}]

    with pytest.raises(openai.BadRequestError, match="must be one of system") as caught:
        sdk.chat.completions.create(model="scripted", messages=messages)

    assert caught.value.param == "messages[1].role"
    assert caught.value.type == "invalid_request_error"


def test_a_fault_of_the_upstream_is_an_internal_server_error(
    sdk: openai.OpenAI, scripted: ScriptedUpstream
) -> None:
    scripted.script(*[replies.api_error(503)] * 10)

    with pytest.raises(openai.InternalServerError) as caught:
        sdk.with_options(max_retries=0).chat.completions.create(model="m", messages=HELLO)

    assert caught.value.status_code == 503
    assert (caught.value.request_id or "").startswith("req_")


def test_the_repeats_of_the_sdk_do_not_multiply_ours(
    sdk: openai.OpenAI, scripted: ScriptedUpstream
) -> None:
    scripted.script(*[replies.api_error(503)] * 10)

    with pytest.raises(openai.InternalServerError):
        sdk.chat.completions.create(model="m", messages=HELLO)

    assert len(scripted.requests) == 2


def test_a_refusal_for_the_rate_is_a_rate_limit_error(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    env = {**fast_upstream(upstream.url), "RATE_LIMIT": "1/hour"}

    with own_service(tmp_path, env) as service:
        sdk = openai.OpenAI(base_url=f"{service.url}/v1", api_key="not-needed", max_retries=0)
        with sdk, pytest.raises(openai.RateLimitError) as caught:
            [sdk.models.list() for _ in range(2)]

    assert caught.value.code == "rate_limited"
    assert int(caught.value.response.headers["retry-after"]) >= 1
