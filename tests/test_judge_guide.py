"""Every example of docs/judge.md, typed out against the service: as it is, and with a judge."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_api.settings.settings import PROJECT_ROOT, Settings
from llm_api.web.rest.descriptions.schemas import DescriptionRequestSchema
from tests.sdks.running import NODE
from tests.support.guides import run_program, steps_of
from tests.support.judge import always, judge_env, judge_that
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream

PAGE = (PROJECT_ROOT / "docs" / "judge.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
CURLS = [text for language, text in BLOCKS if language == "sh" and text.startswith("curl")]
# A judge that prefers what it sees first: its two votes differ.
PARTIAL = judge_that(prefers=lambda _: "first")
SCORE, COMPARE = (step.programs for step in steps_of("judge.md"))
BODIES = [text for language, text in BLOCKS if language == "json"]
SETTINGS = [text for language, text in BLOCKS if text.startswith("JUDGE_LLM_")]


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    """Run what answers chats, and judges where it is configured."""
    with ScriptedUpstream() as running:
        yield running


def service_of(folder: Path, env: dict[str, str], upstream: ScriptedUpstream) -> Service:
    """Make a service that keeps its files in a folder."""
    usual = {"FAST_LLM_API_URL": upstream.url, "FAST_LLM_MODEL": "scripted"}
    return Service(folder, usual | {"FILES_URL": (folder / "files").as_uri()} | env)


@pytest.fixture(scope="module")
def blind(
    upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Run the service without a vision model."""
    with service_of(tmp_path_factory.mktemp("blind"), {}, upstream) as running:
        yield running


@pytest.fixture(scope="module")
def seeing(
    upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Run the service with one."""
    env = judge_env(upstream.url)
    with service_of(tmp_path_factory.mktemp("seeing"), env, upstream) as running:
        yield running


def run(command: list[str]) -> str:
    """Run a command, and return what it printed."""
    done = subprocess.run(command, capture_output=True, timeout=100, check=True)
    return done.stdout.decode()


def run_script(script: str, service: Service, folder: Path) -> list[str]:
    """Run a Python example, and return the lines that it printed."""
    text = script.replace("http://localhost:8000", service.url)
    return run_program(text, Path(sys.executable), folder).splitlines()


def test_the_page_has_its_examples() -> None:
    assert (len(CURLS), len(BODIES), len(SETTINGS)) == (1, 1, 1)
    assert len(re.findall(r"^```(?:python|js)$", PAGE, re.MULTILINE)) == 2 * len([SCORE, COMPARE])


@pytest.mark.parametrize("example", CURLS)
def test_a_picture_is_measured_without_a_vision_model(example: str, blind: Service) -> None:
    command = example.replace("http://localhost:8000", blind.url)

    answer = json.loads(run(["/bin/bash", "-c", command]))

    assert (answer["method"], answer["scores"]) == ("measured", {})
    assert "the cat is asleep" in [one["text"] for one in answer["checkpoints"]]


def test_a_picture_of_the_service_is_scored_with_curl(blind: Service) -> None:
    command = SCORE["sh"].replace("http://localhost:8000", blind.url)

    answer = json.loads(run(["/bin/bash", "-c", command]))

    found = {one["text"]: one["passed"] for one in answer["checkpoints"]}
    assert "there is nothing but the two animals" in found
    assert len(found) > 1


def test_the_script_prints_checkpoints_without_a_vision_model(
    blind: Service, tmp_path: Path
) -> None:
    first, *checkpoints = run_script(SCORE["python"], blind, tmp_path)

    assert first.split()[:2] == ["measured", "None"]
    assert any("there is nothing but the two animals" in line for line in checkpoints)


def test_the_script_prints_scores_with_one(
    seeing: Service, upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    upstream.script(*always(judge_that(), 2))

    first, *checkpoints = run_script(SCORE["python"], seeing, tmp_path)

    assert first.split()[:2] == ["vision", "75.0"]
    assert len(checkpoints) > 1


@pytest.mark.more
def test_the_module_prints_checkpoints_as_the_script_does(blind: Service, tmp_path: Path) -> None:
    module = SCORE["js"].replace("http://localhost:8000", blind.url)

    first, *checkpoints = run_program(module, NODE, tmp_path).splitlines()

    assert first.split()[:2] == ["measured", "null"]
    assert any("there is nothing but the two animals" in line for line in checkpoints)


def test_a_pair_is_compared_with_curl(seeing: Service, upstream: ScriptedUpstream) -> None:
    upstream.script(*always(PARTIAL, 2))
    command = COMPARE["sh"].replace("http://localhost:8000", seeing.url)

    answer = json.loads(run(["/bin/bash", "-c", command]))

    assert len(answer["votes"]) == 2
    assert (answer["winner"], answer["consistent"]) == ("tie", False)


@pytest.mark.parametrize(
    ("language", "runtime"),
    [("python", Path(sys.executable)), pytest.param("js", NODE, marks=pytest.mark.more)],
)
def test_a_pair_is_compared_by_a_program(
    language: str, runtime: Path, seeing: Service, upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    upstream.script(*always(PARTIAL, 2))
    program = COMPARE[language].replace("http://localhost:8000", seeing.url)

    assert run_program(program, runtime, tmp_path).lower() == "tie false 2\n"


@pytest.mark.parametrize("block", SETTINGS)
def test_the_lines_for_a_judge_are_right(block: str, tmp_path: Path) -> None:
    env = dict(line.split("=", 1) for line in block.split())

    settings = Settings.from_env(env, root=tmp_path)

    assert settings.upstreams["judge"].model == "doubao-seed-1-6-251015"


@pytest.mark.parametrize("body", BODIES)
def test_the_body_is_valid(body: str) -> None:
    assert DescriptionRequestSchema().validate(json.loads(body)) == {}
