"""Every example of the README and of docs/, typed out against the service as it is shipped."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from llm_api.settings.settings import PROJECT_ROOT, Settings
from tests.support.guides import STEP
from tests.support.service import Service
from tests.support.waiting import wait_until

# tests/test_images_guide.py types the examples of docs/images.md, with an image model, and
# tests/test_judge_guide.py and tests/test_lineage_guide.py those of docs/judge.md and
# docs/lineage.md; tests/life/test_backup.py, test_upgrade.py and test_scaling.py those of
# backup.md, upgrade.md and scaling.md. What stands in three languages is run by
# tests/test_guides.py.
# What docs/deployment.md types needs Docker, Kubernetes or systemd: tests/deployment/test_files.py
# holds its commands against the files.
TYPED_ELSEWHERE = {
    *("backup.md", "deployment.md", "images.md", "judge.md", "lineage.md", "scaling.md"),
    "upgrade.md",
}
PAGES = [
    PROJECT_ROOT / "README.md",
    *(p for p in sorted((PROJECT_ROOT / "docs").glob("*.md")) if p.name not in TYPED_ELSEWHERE),
]
OLD_SDK = PROJECT_ROOT / ".sdks" / "openai-0.28" / "bin" / "python"
FLASK, PYTHON = ".venv/bin/flask ", ".venv/bin/python "
GUNICORN = ".venv/bin/gunicorn -c gunicorn.conf.py wsgi:app"
# What Service does instead of them: it serves with its own settings, in a folder of its own.
NOT_TYPED = (GUNICORN, "make run", "echo 'REQUIRE_API_KEY=true' >> .env")


@dataclass(frozen=True, slots=True)
class Block:
    """A code block: the page it stands on, its language and its text."""

    page: str
    language: str
    text: str


def blocks() -> Iterator[Block]:
    """Yield the code blocks of all pages."""
    for path in PAGES:
        rest = STEP.sub("", path.read_text("utf-8"))
        found = re.findall(r"^```(\w+)\n(.*?)^```", rest, re.MULTILINE | re.DOTALL)
        yield from (Block(path.name, language, text) for language, text in found)


BLOCKS = list(blocks())
SHELL = [block for block in BLOCKS if block.language == "sh"]
CURLS = [block.text for block in SHELL if block.text.startswith("curl")]
STREAMED = [curl for curl in CURLS if '"stream": true' in curl]
REFUSED = [curl for curl in CURLS if '"optimize_prompt": true' in curl]
WHOLE = [curl for curl in CURLS if curl not in {*STREAMED, *REFUSED}]
SCRIPTS = [block.text for block in BLOCKS if block.language == "python"]
SETTINGS = list(dict.fromkeys(b.text for b in SHELL if re.match(r"[A-Z_]+=", b.text)))
OTHER = [b for b in SHELL if b.text not in {*CURLS, *SETTINGS}]
COMMANDS = [
    line for b in OTHER for line in b.text.splitlines() if not line.startswith(("make ", "#"))
]
TYPED = list(dict.fromkeys(line for line in COMMANDS if line not in NOT_TYPED))
MADE = [line.split()[1] for b in OTHER for line in b.text.splitlines() if line.startswith("make ")]


def is_for_old_sdk(script: str) -> bool:
    """Whether a Python example is written for openai 0.28."""
    return "openai.api_base" in script


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service with the bundled model, as `make run` does."""
    with Service(tmp_path_factory.mktemp("readme")) as running:
        wait_until(lambda: "200" in typed("curl -si http://localhost:8000/readyz", running), 60, "")
        yield running


def typed(example: str, service: Service) -> str:
    """Run a shell example against the service and return what it printed."""
    command = example.replace("http://localhost:8000", service.url)
    command = command.replace(PYTHON, f"{sys.executable} ")  # its own path ends so, too
    command = command.replace(FLASK, f"{sys.executable} -m flask ")
    shell = ["/bin/bash", "-c", command]
    done = subprocess.run(
        shell, capture_output=True, timeout=100, check=True, cwd=PROJECT_ROOT, env=service.env
    )
    return done.stdout.decode()


def run_script(example: str, service: Service, tmp_path: Path) -> str:
    """Run a Python example with the SDK that it is written for and return what it printed."""
    script = tmp_path / "example.py"
    script.write_text(example.replace("http://localhost:8000", service.url), "utf-8")
    python = OLD_SDK if is_for_old_sdk(example) else sys.executable
    assert Path(python).exists(), "openai 0.28 is not installed: `make test-more` installs it"
    done = subprocess.run([python, script], capture_output=True, timeout=100, check=True)
    return done.stdout.decode()


def test_the_pages_have_their_examples() -> None:
    assert (len(WHOLE), len(STREAMED), len(SCRIPTS), len(SETTINGS)) == (8, 1, 2, 24)
    assert len(REFUSED) == 1
    assert len(TYPED) == 18
    assert {block.language for block in BLOCKS} <= {"sh", "python", "json", "text", "toml"}


@pytest.mark.parametrize("example", STREAMED)
def test_a_streaming_example_shows_the_answer_in_pieces(example: str, service: Service) -> None:
    *events, done = typed(example, service).strip().split("\n\n")

    texts = [json.loads(event.removeprefix("data: "))["choices"] for event in events]
    assert done == "data: [DONE]"
    assert len(texts) > 3


@pytest.mark.parametrize("example", WHOLE)
def test_a_curl_example_answers(example: str, service: Service) -> None:
    answer = json.loads(typed(example, service))

    assert answer.get("error") is None  # a response has one, which is null
    fields = ("optimized_prompt", "choices", "total", "data", "results", "content", "output")
    said = (answer.get(name) for name in fields)
    assert any(said) or answer["status"] == "ready"


def test_pictures_need_a_model_that_the_answer_says_how_to_configure(service: Service) -> None:
    error = json.loads(typed(REFUSED[0], service))["error"]

    assert error["details"]["reason"] == "image_model_not_configured"
    lines = ("IMAGE_LLM_API_URL=", "IMAGE_LLM_API_KEY=", "IMAGE_LLM_MODEL=", "layout-sketch")
    assert all(line in error["message"] for line in lines)


def test_the_sketch_is_a_labelled_layout(service: Service) -> None:
    answer = json.loads(typed(next(c for c in WHOLE if "layout-sketch" in c), service))

    assert answer["kind"] == "layout_sketch"
    assert answer["drawn"] == ["1 red cat", "1 blue dog", "cat left of dog"]
    picture = typed(
        f"curl -s http://localhost:8000{answer['data'][0]['url']} | tail -c +2 | head -c 3", service
    )
    assert picture == "PNG"


def test_the_prompt_example_is_really_rewritten(service: Service) -> None:
    answer = json.loads(typed(CURLS[0], service))

    assert answer["optimized_prompt"].startswith("A cat sitting on a chair, watercolor style, ")
    assert answer["improvements"]
    assert "warnings" not in answer


def test_the_chat_example_is_one_that_the_bundled_model_can_answer(service: Service) -> None:
    (choice,) = json.loads(typed(CURLS[1], service))["choices"]
    page = (PROJECT_ROOT / "README.md").read_text()

    assert choice["message"]["content"] == "The capital of Italy is Rome."
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["content"] in page


def test_the_streaming_example_is_one_too(service: Service) -> None:
    *events, _ = typed(STREAMED[0], service).strip().split("\n\n")

    choices = [json.loads(event.removeprefix("data: "))["choices"] for event in events]
    text = "".join(c["delta"].get("content") or "" for one in choices for c in one)
    assert all(season in text for season in ("Spring", "Summer", "Autumn", "Winter"))


@pytest.mark.parametrize(
    "example",
    [
        # Only the exhaustive tier installs that SDK.
        pytest.param(script, id="0.28", marks=pytest.mark.more)
        if is_for_old_sdk(script)
        else pytest.param(script, id="modern")
        for script in SCRIPTS
    ],
)
def test_an_sdk_example_prints_an_answer(example: str, service: Service, tmp_path: Path) -> None:
    printed = run_script(example, service, tmp_path)

    assert printed.strip()


@pytest.mark.parametrize("command", TYPED)
def test_a_command_ends_well(command: str, service: Service) -> None:
    assert typed(command, service).strip()


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (PROJECT_ROOT / "Makefile").read_text("utf-8")

    assert {"run", "test"} <= set(MADE)
    assert set(MADE) <= set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


def alternatives(block: str) -> Iterator[dict[str, str]]:
    """Read an example of settings; a name that comes twice begins another example."""
    given: dict[str, str] = {}
    for name, _, value in (line.partition("=") for line in block.split()):
        if name in given:
            yield given
            given = {}
        given[name] = value
    yield given


def complete(given: dict[str, str]) -> dict[str, str]:
    """Add what an example leaves out that shows only a part of an upstream."""
    upstreams = {name.partition("_LLM_")[0] for name in given if "_LLM_" in name}
    needed: dict[str, str] = {}
    for name in {*upstreams, "FAST"} if upstreams else ():
        needed |= {f"{name}_LLM_API_URL": "https://host/v1", f"{name}_LLM_MODEL": "m"}
    if given.get("FILES_URL", "").startswith("s3:") or "FILES_ENDPOINT" in given:
        needed |= {"FILES_ACCESS_KEY_ID": "id", "FILES_SECRET_ACCESS_KEY": "secret"}
        needed |= {"FILES_URL": "s3://bucket"}
    is_signed = "WEBHOOK_SECRET" in given or "ALERT_WEBHOOK_URLS" in given
    secret = {"WEBHOOK_SECRET": f"whsec_{'A' * 32}"} if is_signed else {}
    return needed | given | secret


@pytest.mark.parametrize("block", SETTINGS)
def test_an_example_of_settings_is_valid(block: str) -> None:
    for given in alternatives(block):
        assert Settings.from_env(complete(given))


def test_the_three_lines_for_a_real_model_are_right() -> None:
    block = next(block for block in SETTINGS if block.startswith("FAST_LLM_API_URL"))

    settings = Settings.from_env(next(alternatives(block)))

    assert settings.upstreams["fast"].model == "qwen3-next-80b-a3b-instruct"
