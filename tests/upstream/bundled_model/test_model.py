"""The bundled model is a real upstream, and is gone when its parent is."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from llm_api.domain.upstream_plans import Endpoint, UpstreamPlan
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.settings.settings import PROJECT_ROOT
from llm_api.upstream.behavior import BUNDLED_MODEL
from llm_api.upstream.bundled_model.model import MODEL, BundledModel, weights_of
from llm_api.upstream.client import UpstreamClient
from tests.support.processes import process_table
from tests.support.waiting import wait_until
from tests.upstream.asker import PATIENT, PROFILES, Asker, described
from tests.upstream.bundled_model.running import get, is_healthy, running_model, without_engine

AskerOf = Callable[..., Asker]

SLOW = replace(PATIENT, first_byte=60.0, idle=60.0, total=110.0)
TOKYO = [{"role": "user", "content": "What is the capital of Japan? Answer in one sentence."}]
IN_PROC = pytest.mark.skipif(not Path("/proc/self").exists(), reason="it is read in /proc")
PARENT = """
import sys, time
from llm_api.settings.settings import PROJECT_ROOT
from llm_api.upstream.bundled_model.model import BundledModel
model = BundledModel(PROJECT_ROOT)
model.start()
print(model.pid, flush=True)
time.sleep(300)
"""


@pytest.fixture(scope="module")
def model() -> Iterator[BundledModel]:
    """Run the bundled model for all tests of this file."""
    with running_model() as running:
        yield running


@pytest.fixture
def asker(model: BundledModel, watch: DeadlineWatcher) -> Iterator[Asker]:
    """Ask the bundled model as the service does."""
    asker = Asker(model.url, watch, behavior=BUNDLED_MODEL, timeouts=SLOW)
    plan = UpstreamPlan((Endpoint(model.url, MODEL, model.key),))
    profile = PROFILES["llama-cpp"]
    asker.client = UpstreamClient(plan, BUNDLED_MODEL, SLOW, watch, profile)
    yield asker
    asker.client.close()


def is_running(pid: int) -> bool:
    return any(process.pid == pid for process in process_table())


def test_the_model_answers(asker: Asker) -> None:
    completion = asker.ask(messages=TOKYO, temperature=0, max_tokens=32)

    assert "Tokyo" in completion.text
    assert completion.document["object"] == "chat.completion"
    assert completion.document["model"] == MODEL
    assert completion.usage.source == "upstream"
    assert completion.usage.prompt_tokens
    assert completion.usage.completion_tokens


def test_an_answer_that_reaches_its_cap_is_cut(asker: Asker) -> None:
    completion = asker.ask(messages=TOKYO, max_tokens=2)

    assert completion.document["choices"][0]["finish_reason"] == "length"
    assert completion.usage.completion_tokens == 2


def test_several_calls_after_each_other_find_no_stale_connection(asker: Asker) -> None:
    for _ in range(3):
        asker.ask(messages=TOKYO, max_tokens=2)

        assert asker.attempts == 1


def test_more_calls_than_places_are_all_answered(asker: Asker) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: asker.ask(messages=TOKYO, max_tokens=8), range(6)))

    assert all(answer.usage.completion_tokens for answer in answers)


def test_a_conversation_beyond_the_context_is_refused(asker: Asker) -> None:
    long = [{"role": "user", "content": "one two three " * 2_000}]

    error = asker.fail(messages=long, max_tokens=8)

    assert described(error) == (400, "context_length_exceeded", False)


TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def test_tools_are_left_out_and_named(asker: Asker) -> None:
    completion = asker.ask(messages=TOKYO, max_tokens=2, tools=[TOOL], tool_choice="auto")

    assert completion.dropped == ("tools", "tool_choice")


def test_a_tool_that_must_be_called_is_refused_with_what_to_do(asker: Asker) -> None:
    error = asker.fail(messages=TOKYO, tools=[TOOL], tool_choice="required")

    assert described(error) == (400, "not_supported", False)
    assert "tool_choice: must be auto or none: this model cannot call tools" in error.message
    assert asker.attempts == 0


def test_the_probe_says_that_the_model_is_there(asker: Asker) -> None:
    assert asker.client.probe() == "ok"


@pytest.mark.parametrize("key", ["", "wrong"])
def test_nobody_without_the_key_can_use_the_model(model: BundledModel, key: str) -> None:
    status, document = get(model, "/props", key=key)

    assert (status, document["error"]["type"]) == (401, "authentication_error")


def test_a_wrong_key_is_told_as_a_fault_of_the_service(
    model: BundledModel, watch: DeadlineWatcher
) -> None:
    asker = Asker(model.url, watch, behavior=BUNDLED_MODEL, timeouts=SLOW, key="wrong")

    error = asker.fail(max_tokens=1)

    assert described(error) == (502, "upstream_auth", False)


@IN_PROC
def test_the_key_is_not_in_the_arguments_of_the_child(model: BundledModel) -> None:
    command = Path(f"/proc/{model.pid}/cmdline").read_text("utf-8")

    assert "llama_child" in command
    assert model.key not in command


@IN_PROC
def test_the_model_listens_on_loopback_only(model: BundledModel) -> None:
    listening = Path(f"/proc/{model.pid}/net/tcp").read_text("ascii").splitlines()

    addresses = {line.split()[1] for line in listening if f":{model.port:04X} " in line}
    assert f"0100007F:{model.port:04X}" in addresses
    assert f"00000000:{model.port:04X}" not in addresses


def test_a_leaving_client_stops_the_model(model: BundledModel, asker: Asker) -> None:
    gone = threading.Event()
    story = [{"role": "user", "content": "Write a very long story about the sea."}]
    with ThreadPoolExecutor() as pool:
        failing = pool.submit(
            asker.fail, messages=story, max_tokens=1_500, is_disconnected=gone.is_set
        )
        wait_until(lambda: is_generating(model), 60, "the model has begun to write")

        gone.set()

        assert described(failing.result(60)) == (499, "client_closed", False)
        wait_until(lambda: not is_generating(model), 5, "the model has stopped writing")


def is_generating(model: BundledModel) -> bool:
    _, slots = get(model, "/slots")
    return any(slot["is_processing"] and slot["next_token"][0]["n_decoded"] > 1 for slot in slots)


def test_a_killed_model_comes_back(model: BundledModel, asker: Asker) -> None:
    killed = model.pid
    assert killed

    os.kill(killed, signal.SIGKILL)

    wait_until(lambda: model.pid != killed and is_healthy(model), 60, "the model is back")
    assert "Tokyo" in asker.ask(messages=TOKYO, temperature=0, max_tokens=32).text


def test_the_model_is_gone_after_stop() -> None:
    with running_model() as model:
        child = model.pid
        assert child
        assert is_running(child)

        model.stop()

        assert not is_running(child)
        assert not is_healthy(model)


def test_a_stopped_model_stays_stopped() -> None:
    model = BundledModel(PROJECT_ROOT)
    model.start()
    child = model.pid

    model.stop()
    model.stop()

    assert child == model.pid
    assert not is_running(child or 0)


def test_the_model_is_gone_when_its_parent_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, cwd=PROJECT_ROOT, text=True
    ) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert is_running(child)

        parent.kill()

    wait_until(lambda: not is_running(child), 30, "the child is gone")


def test_the_model_takes_the_port_and_the_key_it_was_given() -> None:
    former = BundledModel(PROJECT_ROOT)
    former.stop()

    model = BundledModel(PROJECT_ROOT, port=former.port, key="given")

    assert (model.url, model.key) == (former.url, "given")
    model.stop()


def test_every_model_has_a_key_of_its_own() -> None:
    models = [BundledModel(PROJECT_ROOT) for _ in range(2)]

    assert models[0].key != models[1].key
    assert all(len(model.key) >= 32 for model in models)
    for model in models:
        model.stop()


def test_an_engine_that_lacks_a_library_is_told_in_a_line(tmp_path: Path) -> None:
    child = "llm_api.upstream.bundled_model.llama_child"

    ended = subprocess.run(
        [sys.executable, "-m", child],
        cwd=PROJECT_ROOT,
        env={**os.environ, "PYTHONPATH": str(without_engine(tmp_path))},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith("The model's engine cannot be loaded: libgomp.so.1: cannot open")
    assert ended.stderr.count("\n") == 1


def test_missing_weights_are_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="make run"):
        weights_of(tmp_path)
