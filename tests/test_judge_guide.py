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
from llm_api.web.rest.judge.schemas import ScoreImageRequestSchema
from llm_api.web.smorest import StrictSchema
from tests.sdks.running import NODE
from tests.support.judge import always, judge_env, judge_that
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream

PAGE = (PROJECT_ROOT / "docs" / "judge.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
CURLS = [text for language, text in BLOCKS if language == "sh" and text.startswith("curl")]
SCORES = [text for language, text in BLOCKS if language == "sh" and text.startswith("picture=")]
MODULES = [text for language, text in BLOCKS if language == "js"]
SCRIPTS = [text for language, text in BLOCKS if language == "python"]
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
    path = folder / "example.py"
    path.write_text(script.replace("http://localhost:8000", service.url), "utf-8")
    return run([sys.executable, str(path)]).splitlines()


def test_the_page_has_its_examples() -> None:
    assert (len(CURLS), len(SCRIPTS), len(BODIES), len(SETTINGS)) == (1, 1, 2, 1)
    assert len(SCORES) == len(MODULES) == len(SCRIPTS)


@pytest.mark.parametrize("example", CURLS)
def test_a_picture_is_measured_without_a_vision_model(example: str, blind: Service) -> None:
    command = example.replace("http://localhost:8000", blind.url)

    answer = json.loads(run(["/bin/bash", "-c", command]))

    assert (answer["method"], answer["scores"]) == ("measured", {})
    assert "the cat is asleep" in [one["text"] for one in answer["checkpoints"]]


@pytest.mark.parametrize("example", SCORES)
def test_a_picture_of_the_service_is_scored_with_curl(example: str, blind: Service) -> None:
    command = example.replace("http://localhost:8000", blind.url)

    answer = json.loads(run(["/bin/bash", "-c", command]))

    found = {one["text"]: one["passed"] for one in answer["checkpoints"]}
    assert "there is nothing but the two animals" in found
    assert len(found) > 1


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_script_prints_checkpoints_without_a_vision_model(
    script: str, blind: Service, tmp_path: Path
) -> None:
    first, *checkpoints = run_script(script, blind, tmp_path)

    assert first.split()[:2] == ["measured", "None"]
    assert any("there is nothing but the two animals" in line for line in checkpoints)


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_script_prints_scores_with_one(
    script: str, seeing: Service, upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    upstream.script(*always(judge_that(), 2))

    first, *checkpoints = run_script(script, seeing, tmp_path)

    assert first.split()[:2] == ["vision", "75.0"]
    assert len(checkpoints) > 1


@pytest.mark.more
@pytest.mark.parametrize("module", MODULES)
def test_the_module_prints_checkpoints_as_the_script_does(
    module: str, blind: Service, tmp_path: Path
) -> None:
    path = tmp_path / "example.mjs"
    path.write_text(module.replace("http://localhost:8000", blind.url), "utf-8")

    first, *checkpoints = run([str(NODE), str(path)]).splitlines()

    assert first.split()[:2] == ["measured", "null"]
    assert any("there is nothing but the two animals" in line for line in checkpoints)


@pytest.mark.parametrize("block", SETTINGS)
def test_the_lines_for_a_judge_are_right(block: str, tmp_path: Path) -> None:
    env = dict(line.split("=", 1) for line in block.split())

    settings = Settings.from_env(env, root=tmp_path)

    assert settings.upstreams["judge"].model == "doubao-seed-1-6-251015"


@pytest.mark.parametrize(
    ("body", "schema"),
    list(zip(BODIES, [ScoreImageRequestSchema(), DescriptionRequestSchema()], strict=True)),
    ids=["compare", "describe"],
)
def test_the_bodies_are_valid(body: str, schema: StrictSchema) -> None:
    assert schema.validate(json.loads(body)) == {}
