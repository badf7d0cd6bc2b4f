"""Every example of docs/images.md, typed out against the service with a vendor of pictures."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_api.settings.settings import PROJECT_ROOT, Settings
from tests.sdks.running import NODE
from tests.support.image_upstream import ImageVendor
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream

PAGE = (PROJECT_ROOT / "docs" / "images.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
CURLS = [text for language, text in BLOCKS if language == "sh" and text.startswith("curl")]
MODULES = [text for language, text in BLOCKS if language == "js"]
SCRIPTS = [text for language, text in BLOCKS if language == "python"]
COMMANDS = [text for language, text in BLOCKS if language == "sh" and "flask" in text]
SETTINGS = [text for language, text in BLOCKS if text.startswith("IMAGE_LLM_")]
PICTURE = Path("/tmp/cat.png")  # noqa: S108  # as the page says


@pytest.fixture(scope="module")
def vendor() -> Iterator[ImageVendor]:
    """Run a vendor of pictures."""
    with ImageVendor("openai") as running:
        yield running


@pytest.fixture(scope="module")
def service(vendor: ImageVendor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service with that vendor."""
    folder = tmp_path_factory.mktemp("guide")
    with ScriptedUpstream() as chat:
        env = {
            "FAST_LLM_API_URL": chat.url,
            "FAST_LLM_MODEL": "scripted",
            "IMAGE_LLM_API_URL": vendor.url,
            "IMAGE_LLM_API_KEY": "sk-canary",
            "IMAGE_LLM_MODEL": "gpt-image-2",
            "IMAGE_LLM_PROFILE": "openai",
            "FILES_URL": (folder / "files").as_uri(),
        }
        with Service(folder, env) as running:
            yield running


def typed(command: str, service: Service) -> str:
    """Run a shell example against the service, and return what it printed."""
    text = command.replace("http://localhost:8000", service.url)
    text = text.replace(".venv/bin/flask ", f"{sys.executable} -m flask ")
    done = subprocess.run(
        ["/bin/bash", "-c", text],
        capture_output=True,
        timeout=100,
        check=True,
        cwd=PROJECT_ROOT,
        env=service.env,
    )
    return done.stdout.decode()


def test_the_page_has_its_examples() -> None:
    assert (len(CURLS), len(SCRIPTS), len(COMMANDS), len(SETTINGS)) == (5, 2, 1, 1)
    assert (len(BLOCKS), len(MODULES)) == (10, 1)


@pytest.mark.parametrize("curl", CURLS)
def test_a_curl_example_answers(curl: str, service: Service) -> None:
    answer = json.loads(typed(curl, service))

    assert answer["object"] in {"image.generation", "image.preview"}, answer
    assert answer.get("data") or answer["requests"]


def test_the_sketch_says_what_it_is(service: Service) -> None:
    answer = json.loads(typed(CURLS[0], service))

    assert (answer["kind"], answer["not_drawn"]) == ("layout_sketch", [])
    assert "cat left of dog" in answer["drawn"]


def test_the_fields_of_the_example_are_sent_or_named(vendor: ImageVendor, service: Service) -> None:
    before = len(vendor.creates)

    answer = json.loads(typed(CURLS[1], service))

    sent = vendor.creates[before].json
    assert (sent["n"], sent["size"]) == (2, "992x608")
    assert {one["field"]: one["code"] for one in answer["warnings"]} == {
        "negative_prompt": "emulated",
        "size": "adapted",
    }


def test_the_preview_makes_nothing(vendor: ImageVendor, service: Service) -> None:
    before = vendor.charged

    answer = json.loads(typed(CURLS[3], service))

    assert answer["requests"][0]["body"]["prompt"] == "A cat on a chair"
    assert vendor.charged == before


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_prints_what_was_made(script: str, service: Service, tmp_path: Path) -> None:
    example = tmp_path / "example.py"
    example.write_text(script.replace("http://localhost:8000", service.url), "utf-8")

    done = subprocess.run([sys.executable, example], capture_output=True, timeout=100, check=True)

    printed = done.stdout.decode()
    assert printed.startswith(("completed image/png", "image_edit.completed 64x64")), printed


@pytest.mark.more
@pytest.mark.parametrize("module", MODULES)
def test_a_module_prints_what_was_made(module: str, service: Service, tmp_path: Path) -> None:
    example = tmp_path / "example.mjs"
    example.write_text(module.replace("http://localhost:8000", service.url), "utf-8")

    done = subprocess.run([NODE, example], capture_output=True, timeout=100, check=True)

    assert done.stdout.decode().startswith("completed image/png")


def test_the_command_writes_a_picture(service: Service) -> None:
    PICTURE.unlink(missing_ok=True)

    printed = typed(COMMANDS[0], service)

    assert printed == f"{PICTURE}\n"
    assert PICTURE.read_bytes().startswith(b"\x89PNG")
    PICTURE.unlink()


def test_the_three_lines_of_settings_are_right() -> None:
    given = dict(line.split("=", 1) for line in SETTINGS[0].split())

    plan = Settings.from_env(given).image_upstream

    assert plan is not None
    assert plan.model == "qwen-image"
