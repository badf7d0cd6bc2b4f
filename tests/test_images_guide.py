"""Every example of docs/images.md, typed out against the service with a vendor of pictures."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_api.settings.settings import PROJECT_ROOT, Settings
from tests.sdks.running import NODE, SDKS_FOLDER
from tests.support.guides import run_program
from tests.support.image_upstream import ImageVendor
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream

PAGE = (PROJECT_ROOT / "docs" / "images.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
ORDERS = [text for language, text in BLOCKS if language == "sh" and text.startswith("task=")]
CURLS = [text for language, text in BLOCKS if language == "sh" and text.startswith("curl")]
MODULES = [text for language, text in BLOCKS if language == "js"]
SCRIPTS = [text for language, text in BLOCKS if language == "python"]
COMMANDS = [text for language, text in BLOCKS if language == "sh" and "flask" in text]
SETTINGS = [text for language, text in BLOCKS if text.startswith("IMAGE_LLM_")]
PICTURE = Path("/tmp/cat.png")  # noqa: S108  # as the page says
PACKAGES = SDKS_FOLDER / "agents-node" / "node_modules"
# What the programs print, in Python and in JavaScript, in the order of the page.
PRINTED = (
    # The vendor of the tests makes another size than it is asked for, and that is said, too.
    r"(/api/v1/files/\S+ 64 64\n){2}negative_prompt emulated\n(size adapted\n){2}",
    r"1 A red cat and .+\n(2 .+\n)?(accepted|max_tries) (True|true|None|null)\n",
    r"completed image/png \d+\n",
    r"image_edit\.completed 64x64\n",
)


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
    assert (len(CURLS), len(ORDERS), len(COMMANDS), len(SETTINGS)) == (5, 1, 1, 1)
    assert len(SCRIPTS) == len(MODULES) == len(PRINTED)
    assert len(BLOCKS) == 8 + 2 * len(PRINTED)


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


def test_an_order_is_come_back_for(service: Service) -> None:
    task = json.loads(typed(ORDERS[0], service))

    assert task["status"] == "completed"
    assert task["result"]["data"][0]["url"]


@pytest.mark.parametrize(("script", "expected"), list(zip(SCRIPTS, PRINTED, strict=True)))
def test_a_script_prints_what_was_made(
    script: str, expected: str, service: Service, tmp_path: Path
) -> None:
    text = script.replace("http://localhost:8000", service.url)

    printed = run_program(text, Path(sys.executable), tmp_path)

    assert re.fullmatch(expected, printed), printed


@pytest.mark.more
@pytest.mark.parametrize(("module", "expected"), list(zip(MODULES, PRINTED, strict=True)))
def test_a_module_prints_what_was_made(
    module: str, expected: str, service: Service, tmp_path: Path
) -> None:
    text = module.replace("http://localhost:8000", service.url)

    printed = run_program(text, NODE, tmp_path, PACKAGES)

    assert re.fullmatch(expected, printed), printed


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
