"""The steps of the guides, each with curl, in Python and in JavaScript, run as they stand.

The service is as it is shipped, with an upstream for embeddings, which the bundled model lacks, and
a vendor of films that looks like a local server.
tests/test_images_guide.py, test_judge_guide.py and test_lineage_guide.py run those of their pages.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sdks.generated import answer
from tests.sdks.running import NODE, SDKS_FOLDER
from tests.support.film_upstream import FilmVendor
from tests.support.guides import DOCS, LANGUAGES, Step, run_program, steps_of
from tests.support.judge import always
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.test_readme import typed

PAGES = (
    "start.md",
    "openai-compatibility.md",
    "messages.md",
    "prompts.md",
    "prompt-models.md",
    "storyboards.md",
    "videos.md",
)
STEPS = {step.name: step for page in PAGES for step in steps_of(page)}
ANTHROPIC = SDKS_FOLDER / "agents" / "bin" / "python"
PACKAGES = SDKS_FOLDER / "agents-node" / "node_modules"
ROME = "The capital of Italy is Rome.\n"
FILM = r"video/mp4 \d{3,}"
FOXES = 'Two red foxes under a sign that says "OPEN"'
Has = Callable[[str], bool]
HasInJson = Callable[[Any], bool]


def streams_events(said: str) -> bool:
    """Whether curl has shown a whole stream."""
    return said.startswith("data: {") and said.strip().endswith("data: [DONE]")


def has_seasons(said: str) -> bool:
    """Whether a stream has said what was asked for."""
    return "Spring" in said and "Winter" in said


def answers_rome(said: Any) -> bool:
    """Whether a chat completion has the answer."""
    return "Rome" in said["choices"][0]["message"]["content"]


def in_json(has: HasInJson) -> Has:
    """Return what reads an answer before it looks into it."""
    return lambda said: has(json.loads(said))


def lines(*patterns: str) -> Has:
    """Return what holds the lines that a program prints to patterns, one each."""
    return lambda said: re.fullmatch("".join(f"{one}\n" for one in patterns), said) is not None


# What a step must print, with curl and as a program.
EXPECTED: dict[str, tuple[Has, Has]] = {
    "start.md: Chat": (in_json(answers_rome), lambda said: said == ROME),
    "start.md: Chat, word by word": (streams_events, has_seasons),
    "start.md: Rewrite a prompt": (
        in_json(lambda said: bool(said["optimized_prompt"])),
        lambda said: said.startswith("A cat sitting on a chair, watercolor style, "),
    ),
    "start.md: Make a picture": (
        in_json(lambda said: said["kind"] == "layout_sketch"),
        lines(r"completed \d{4,}"),
    ),
    "start.md: Judge it, and try again": (
        in_json(lambda said: said["stopped_by"] in {"accepted", "max_tries"}),
        lambda said: re.match(r"(accepted|max_tries) [12]\n\w+ .*OPEN", said) is not None,
    ),
    "start.md: When it fails": (
        in_json(lambda said: said["error"]["details"]["reason"] == "out_of_range"),
        lambda said: said.startswith("out_of_range messages[0].role: must be one of "),
    ),
    "openai-compatibility.md: Chat": (in_json(answers_rome), lambda said: said == ROME),
    "openai-compatibility.md: Streaming": (streams_events, has_seasons),
    "openai-compatibility.md: Responses": (
        in_json(lambda said: "Rome" in said["output"][0]["content"][0]["text"]),
        lambda said: said == ROME,
    ),
    "openai-compatibility.md: Embeddings": (
        in_json(lambda said: [one["embedding"] for one in said["data"]] == [[1, 0.5], [0.25, -2]]),
        lines("0 2", "1 2"),
    ),
    "openai-compatibility.md: Pictures": (
        in_json(lambda said: bool(said["data"][0]["b64_json"])),
        lines(r"512x512 \d{4,}"),
    ),
    "openai-compatibility.md: Films": (
        lines(f"200 {FILM}"),
        lines(r"completed 8 1280x720 \d{3,}"),
    ),
    "messages.md: Anthropic's Messages": (
        in_json(lambda said: "Rome" in said["content"][0]["text"]),
        lambda said: said == ROME,
    ),
    "prompts.md: Optimizing prompts": (
        in_json(lambda said: said["optimized_prompt"].startswith(FOXES)),
        lambda said: said.startswith(FOXES) and "OPEN" in said.partition("\n")[2],
    ),
    "prompts.md: Many at once": (
        in_json(lambda said: all(one["result"] for one in said["results"])),
        lines("0 A cat, .+", "1 A launching rocket, .+"),
    ),
    "prompts.md: Targets": (
        in_json(lambda said: len(said["rewrites"]) == 4),
        lines(*(f"{one}: .+" for one in ("wan", "flux-2", "sdxl")), "midjourney: .+ --no people"),
    ),
    "prompt-models.md: The optimizer as a model": (
        in_json(lambda said: said["choices"][0]["message"]["content"].startswith(FOXES)),
        lambda said: said.startswith(FOXES),
    ),
    "storyboards.md: Storyboards": (
        in_json(lambda said: said["storyboard"]["shots"][-1]["end"] == 12),
        lambda said: said.startswith("0 ") and '"Wait for me!"' in said.splitlines()[-1],
    ),
    "videos.md: Have a film made": (lines(f"200 {FILM}"), lines(f"succeeded {FILM}")),
    "videos.md: Films of a storyboard": (
        lines(r"\S+/pier-1.mp4", r"\S+/pier-2.mp4"),
        lines(r"1 \d succeeded", r"2 \d succeeded"),
    ),
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service with the bundled model, one for embeddings, and a vendor of films."""
    folder = tmp_path_factory.mktemp("guides")
    with ScriptedUpstream() as upstream, FilmVendor("vllm-omni") as vendor:
        upstream.script(*always(answer, 10))
        vendor.studio.polls_needed = 0
        env = {
            "EXTRA_UPSTREAMS": "vectors",
            "VECTORS_LLM_API_URL": upstream.url,
            "VECTORS_LLM_MODEL": "text-embedding-3-small",
            "VIDEO_LLM_API_URL": vendor.url,
            "VIDEO_LLM_MODEL": "wan-local",
            "VIDEO_LLM_PROFILE": "vllm-omni",
            "FILES_URL": (folder / "files").as_uri(),
        }
        with Service(folder, env) as running:
            ready = "curl -si http://localhost:8000/readyz"
            wait_until(lambda: "200" in typed(ready, running), 60, "it is ready")
            yield running


def test_every_step_is_there_in_every_language() -> None:
    assert list(STEPS) == list(EXPECTED)


@pytest.mark.parametrize("page", PAGES)
def test_no_program_stands_outside_of_a_step(page: str) -> None:
    """But for openai 0.28, which tests/test_readme.py runs."""
    programs = re.findall(
        r"^```(?:python|js)\n(.*?)^```", (DOCS / page).read_text("utf-8"), re.MULTILINE | re.DOTALL
    )

    in_steps = [step.programs[one] for step in steps_of(page) for one in LANGUAGES[1:]]
    assert [one for one in programs if "openai.api_base" not in one] == in_steps


@pytest.mark.parametrize("step", EXPECTED)
def test_a_step_works_with_curl(step: str, service: Service) -> None:
    printed = typed(STEPS[step].programs["sh"], service)

    assert EXPECTED[step][0](printed), printed


def runs() -> Iterator[Any]:
    """Yield the programs: what the exhaustive tier installs is for that alone."""
    for step in STEPS.values():
        is_common = "from anthropic" not in step.programs["python"]
        python = Path(sys.executable) if is_common else ANTHROPIC
        marks = [] if is_common else [pytest.mark.more]
        yield pytest.param(step, "python", python, id=f"{step.name}-python", marks=marks)
        yield pytest.param(step, "js", NODE, id=f"{step.name}-js", marks=pytest.mark.more)


@pytest.mark.parametrize(("step", "language", "runtime"), list(runs()))
def test_a_step_works_as_a_program(
    step: Step, language: str, runtime: Path, service: Service, tmp_path: Path
) -> None:
    program = step.programs[language].replace("http://localhost:8000", service.url)

    printed = run_program(program, runtime, tmp_path, PACKAGES)

    assert EXPECTED[step.name][1](printed), printed
