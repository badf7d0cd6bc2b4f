"""A vision model of the user's own is a second child of the service, and lives and dies with it.

The projector has random weights: what the model says of pictures is nonsense, the wire is real.
"""

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import requests

from llm_api.settings.settings import PROJECT_ROOT
from llm_api.upstream.bundled_model.model import weights_of
from tests.storage.checkout import fast_upstream, own_service
from tests.support.pictures import picture
from tests.support.ports import free_port
from tests.support.projector import BUNDLED_WIDTH, IDEFICS, LLAVA, write_projector
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.test_process import are_gone, model_pids

CHAT = "/v1/chat/completions"
NAME = "SmolLM2-135M-Instruct.Q4_1"
DO_NOT_FIT = "must be GGUF files of the same vision model"


def judge_env(folder: Path, width: int = BUNDLED_WIDTH, kind: str = LLAVA) -> dict[str, str]:
    """Name the bundled model as the judge, with a projector of a kind."""
    return {
        "LOCAL_JUDGE_MODEL": str(weights_of(PROJECT_ROOT)),
        "LOCAL_JUDGE_PROJECTOR": str(write_projector(folder / "projector.gguf", width, kind)),
        "RATE_LIMIT": "1000000/minute",
    }


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service with a local judge beside a scripted upstream."""
    folder = tmp_path_factory.mktemp("judge")
    env = judge_env(folder)
    with ScriptedUpstream() as fast, own_service(folder, env | fast_upstream(fast.url)) as running:
        wait_until(lambda: ask(running, address_of(picture())).ok, 60, running.log)
        yield running


def address_of(data: bytes, kind: str = "png") -> str:
    """Write a picture as a data URI."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def ask(service: Service, address: str) -> requests.Response:
    """Ask the judge about a picture, by a chat call."""
    parts: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": address}},
        {"type": "text", "text": "What is it?"},
    ]
    body = {"model": NAME, "messages": [{"role": "user", "content": parts}], "max_tokens": 4}
    with requests.Session() as session:
        session.headers["Connection"] = "close"
        return session.post(service.url + CHAT, json=body, timeout=60)


def test_the_judge_looks_at_pictures(service: Service) -> None:
    text = {"model": NAME, "messages": [{"role": "user", "content": "What is it?"}]}
    without = requests.post(service.url + CHAT, json=text | {"max_tokens": 4}, timeout=60).json()

    answer = ask(service, address_of(picture()))

    assert answer.status_code == HTTPStatus.OK
    document = answer.json()
    assert document["model"] == NAME
    # A picture of 64 x 64 has 16 patches of 16 x 16.
    assert document["usage"]["prompt_tokens"] == without["usage"]["prompt_tokens"] + 16


def test_only_the_judge_runs_where_there_is_another_upstream(service: Service) -> None:
    assert len(model_pids(service)) == 1
    models = requests.get(service.url + "/v1/models", timeout=10).json()["data"]
    assert NAME in [model["id"] for model in models]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_judge_is_given_no_addresses(service: Service, scheme: str) -> None:
    answer = ask(service, f"{scheme}://127.0.0.1:9/a.png")

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (HTTPStatus.BAD_REQUEST, "url_not_allowed")
    assert error["param"] == "messages[0].content[0].image_url.url"
    assert "must be a data URI for this model" in error["message"]


def test_a_webp_in_a_chat_is_refused_with_what_to_do(service: Service) -> None:
    answer = ask(service, address_of(picture("WEBP"), "webp"))

    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert "Send pictures as PNG or JPEG" in answer.text


def test_a_verdict_that_is_nonsense_is_none(service: Service) -> None:
    body = {"image": address_of(picture("WEBP"), "webp"), "prompt": "A black square"}

    answer = requests.post(service.url + "/api/v1/llm/score-image", json=body, timeout=120)

    # It has looked: a picture that it could not read would be a 400.
    error = answer.json()["error"]["details"]
    assert (answer.status_code, error["reason"]) == (HTTPStatus.BAD_GATEWAY, "judge_unparsable")
    wait_until(lambda: rows_of_judge(service), 10, service.log)
    assert rows_of_judge(service)[-1]["upstream"] == "judge"
    assert "overall" not in answer.text


def rows_of_judge(service: Service) -> list[dict[str, Any]]:
    """Read the rows of verdicts."""
    return [row for row in service.usage_rows() if row["route"] == "/api/v1/llm/score-image"]


def test_the_files_are_named_nowhere_in_the_log(service: Service) -> None:
    assert "projector.gguf" not in service.log()


def test_the_judge_ends_with_the_service(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    env = judge_env(tmp_path) | fast_upstream(upstream.url)
    with own_service(tmp_path, env) as running:
        pids = model_pids(running)
        assert len(pids) == 1

        assert running.terminate(10) == 0

        assert are_gone(pids)


def test_both_models_run_where_both_are_wanted(tmp_path: Path) -> None:
    with own_service(tmp_path, judge_env(tmp_path)) as running:
        assert len(model_pids(running)) == 2


@pytest.mark.parametrize(
    ("width", "kind"),
    # The first does not load; the second does, and fails at every picture.
    [(BUNDLED_WIDTH // 2, LLAVA), (BUNDLED_WIDTH, IDEFICS)],
)
def test_a_projector_of_another_model_is_told_and_not_tried_again(
    tmp_path: Path, upstream: ScriptedUpstream, width: int, kind: str
) -> None:
    env = judge_env(tmp_path, width, kind) | fast_upstream(upstream.url)
    with own_service(tmp_path, env) as running:
        wait_until(lambda: "not started again" in running.log(), 60, running.log)

        assert running.log().count(DO_NOT_FIT) == 1
        assert model_pids(running) == []
        assert ask(running, address_of(picture())).status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert requests.get(running.url + "/readyz", timeout=10).ok


def test_a_judge_that_is_started_by_hand_is_found_by_the_settings_that_it_prints(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    env = judge_env(tmp_path)
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "local-model", "--judge"]
    command += ["--port", str(free_port())]
    with subprocess.Popen(
        command, cwd=PROJECT_ROOT, env=os.environ | env, stdout=subprocess.PIPE, text=True
    ) as by_hand:
        assert by_hand.stdout is not None
        by_hand.stdout.readline()
        printed = dict(by_hand.stdout.readline().strip().split("=", 1) for _ in range(2))
        try:
            with own_service(tmp_path, env | printed | fast_upstream(upstream.url)) as running:
                wait_until(lambda: ask(running, address_of(picture())).ok, 60, running.log)

                assert model_pids(running) == []
        finally:
            by_hand.terminate()  # not Ctrl-C, which is ignored where tests run in the background
    assert printed.keys() == {"LOCAL_JUDGE_URL", "LOCAL_JUDGE_KEY"}
