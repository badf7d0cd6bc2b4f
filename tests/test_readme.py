"""Every example of the README, typed out against the service as it is shipped."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_api.settings.settings import PROJECT_ROOT, Settings
from tests.support.service import Service
from tests.support.waiting import wait_until

README = (PROJECT_ROOT / "README.md").read_text("utf-8")
OLD_SDK = PROJECT_ROOT / ".sdks" / "openai-0.28" / "bin" / "python"


def examples(language: str) -> list[str]:
    """Return the README's code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


CURLS = [block for block in examples("sh") if block.startswith("curl")]
STREAMED = [curl for curl in CURLS if '"stream": true' in curl]
WHOLE = [curl for curl in CURLS if curl not in STREAMED]
SCRIPTS = examples("python")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service with the bundled model, as `make run` does."""
    with Service(tmp_path_factory.mktemp("readme")) as running:
        wait_until(lambda: "200" in typed("curl -si http://localhost:8000/readyz", running), 60, "")
        yield running


def typed(example: str, service: Service) -> str:
    """Run a shell example against the service and return what it printed."""
    command = example.replace("http://localhost:8000", service.url)
    shell = ["/bin/bash", "-c", command]
    done = subprocess.run(shell, capture_output=True, timeout=100, check=True)
    return done.stdout.decode()


def run_script(example: str, service: Service, tmp_path: Path) -> str:
    """Run a Python example with the SDK that it is written for and return what it printed."""
    script = tmp_path / "example.py"
    script.write_text(example.replace("http://localhost:8000", service.url), "utf-8")
    python = OLD_SDK if "openai.api_base" in example else sys.executable
    done = subprocess.run([python, script], capture_output=True, timeout=100, check=True)
    return done.stdout.decode()


def test_the_readme_has_its_examples() -> None:
    assert (len(WHOLE), len(STREAMED), len(SCRIPTS)) == (5, 1, 2)


@pytest.mark.parametrize("example", STREAMED)
def test_a_streaming_example_shows_the_answer_in_pieces(example: str, service: Service) -> None:
    *events, done = typed(example, service).strip().split("\n\n")

    texts = [json.loads(event.removeprefix("data: "))["choices"] for event in events]
    assert done == "data: [DONE]"
    assert len(texts) > 3


@pytest.mark.parametrize("example", WHOLE)
def test_a_curl_example_answers(example: str, service: Service) -> None:
    answer = json.loads(typed(example, service))

    assert "error" not in answer
    said = (answer.get(name) for name in ("optimized_prompt", "choices", "total"))
    assert any(said) or answer["status"] == "ready"


def test_the_prompt_example_is_really_rewritten(service: Service) -> None:
    answer = json.loads(typed(CURLS[0], service))

    assert answer["optimized_prompt"].startswith("A cat sitting on a chair, watercolor style, ")
    assert answer["improvements"]
    assert "warnings" not in answer


@pytest.mark.parametrize("example", SCRIPTS, ids=["modern", "0.28"])
def test_an_sdk_example_prints_an_answer(example: str, service: Service, tmp_path: Path) -> None:
    printed = run_script(example, service, tmp_path)

    assert printed.strip()


def test_the_three_lines_for_a_real_model_are_right() -> None:
    block = next(block for block in examples("sh") if block.startswith("FAST_LLM_API_URL"))

    settings = Settings.from_env(dict(line.split("=", 1) for line in block.split()))

    assert settings.upstreams["fast"].model == "qwen3-next-80b-a3b-instruct"


def test_every_setting_stands_in_the_readme() -> None:
    example = (PROJECT_ROOT / "config" / "example.env").read_text("utf-8")

    missing = [
        name for name in re.findall(r"^([A-Z_]+)=", example, re.MULTILINE) if name not in README
    ]

    assert not missing


def test_the_tree_of_the_readme_exists() -> None:
    places = re.findall(r"^\| `([a-z_/]+/)` \|", README, re.MULTILINE)

    assert places
    assert all((PROJECT_ROOT / place).is_dir() for place in places)
