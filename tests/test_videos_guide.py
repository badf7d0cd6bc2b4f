"""Every example of docs/videos.md, typed out against the service with a vendor of films."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_api.settings.settings import PROJECT_ROOT, Settings
from tests.sdks.running import NODE
from tests.support.film_upstream import FilmVendor
from tests.support.service import Service

PAGE = (PROJECT_ROOT / "docs" / "videos.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
CURLS = [text for language, text in BLOCKS if language == "sh" and text.startswith("curl")]
SCRIPTS = [text for language, text in BLOCKS if language == "python"]
PROGRAMS = [text for language, text in BLOCKS if language == "js"]
SETTINGS = [text for language, text in BLOCKS if text.startswith("VIDEO_LLM_")]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service with a server that is done at the first look, which comes after a second."""
    folder = tmp_path_factory.mktemp("guide")
    with FilmVendor("vllm-omni") as vendor:
        vendor.studio.polls_needed = 0
        env = {
            "FAST_LLM_API_URL": vendor.url,
            "FAST_LLM_MODEL": "scripted",
            "VIDEO_LLM_API_URL": vendor.url,
            "VIDEO_LLM_MODEL": "wan",
            "VIDEO_LLM_PROFILE": "vllm-omni",
            "FILES_URL": (folder / "files").as_uri(),
        }
        with Service(folder, env) as running:
            yield running


def printed_by(command: list[str | Path]) -> str:
    """Run a program, and return what it printed."""
    return subprocess.run(command, capture_output=True, timeout=100, check=True).stdout.decode()


def test_the_page_has_its_examples() -> None:
    assert (len(CURLS), len(SCRIPTS), len(PROGRAMS), len(SETTINGS)) == (2, 2, 1, 1)
    assert len(BLOCKS) == 6


@pytest.mark.parametrize(
    ("curl", "kind"), list(zip(CURLS, ["video.task", "list"], strict=True)), ids=["order", "list"]
)
def test_a_curl_example_answers(curl: str, kind: str, service: Service) -> None:
    command = curl.replace("http://localhost:8000", service.url)

    assert json.loads(printed_by(["/bin/bash", "-c", command]))["object"] == kind


@pytest.mark.parametrize("script", SCRIPTS, ids=["requests", "openai"])
def test_a_script_prints_what_was_made(script: str, service: Service, tmp_path: Path) -> None:
    example = tmp_path / "example.py"
    example.write_text(script.replace("http://localhost:8000", service.url), "utf-8")

    printed = printed_by([sys.executable, "-W", "ignore::DeprecationWarning", example])

    assert re.fullmatch("(succeeded video/mp4|completed 8 1280x720) [0-9]+\n", printed), printed


@pytest.mark.more
def test_the_program_prints_what_was_made(service: Service, tmp_path: Path) -> None:
    example = tmp_path / "example.mjs"
    example.write_text(PROGRAMS[0].replace("http://localhost:8000", service.url), "utf-8")

    assert printed_by([NODE, example]).startswith("succeeded video/mp4 ")


def test_the_three_lines_of_settings_are_right() -> None:
    given = dict(line.split("=", 1) for line in SETTINGS[0].split())

    plan = Settings.from_env(given).video_upstream

    assert plan is not None
    assert plan.model == "doubao-seedance-1-0-pro-250528"
