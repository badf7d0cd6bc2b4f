"""`examples/loop.py` is run as a newcomer runs it: without a key, and unchanged with models."""

import subprocess
import sys
from pathlib import Path

from tests.support.image_upstream import ImageVendor
from tests.support.judge import always, judge_env, judge_that
from tests.support.service import REPOSITORY_ROOT, Service
from tests.support.upstream import ScriptedUpstream

EXAMPLE = REPOSITORY_ROOT / "examples" / "loop.py"


def run(service: Service, out: Path, *arguments: str) -> str:
    """Run the script against a service, and return what it prints."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), *arguments, "--out", str(out)],
        env={"SERVICE_URL": service.url},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr + service.log()
    return done.stdout


def test_without_a_key_the_sketch_draws_and_is_measured(
    tmp_path: Path, upstream_env: dict[str, str]
) -> None:
    with Service(tmp_path, upstream_env) as service:
        said = run(service, tmp_path / "out.png", "--max-tries", "2")

    assert said.startswith("No image model is configured: the layout sketch draws.")
    assert "Try 1: A red cat and a sign that reads" in said
    assert "judged (measured): passed: yes, 1 of 4 known" in said
    assert 'Can the text "OPEN" be read in the picture? yes' in said
    assert "Stopped by accepted; cost: 0.0." in said
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_without_a_service_it_says_how_to_start_one() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)],
        env={"SERVICE_URL": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("Nothing answers at http://127.0.0.1:9: `make run` starts")


def test_with_models_it_is_the_same(tmp_path: Path, upstream_env: dict[str, str]) -> None:
    with ImageVendor("openai") as vendor, ScriptedUpstream() as seer:
        seer.script(*always(judge_that(), 50))
        env = {
            **upstream_env,
            **judge_env(seer.url),
            "IMAGE_LLM_API_URL": vendor.url,
            "IMAGE_LLM_API_KEY": "sk-image",
            "IMAGE_LLM_MODEL": "gpt-image-2",
            "IMAGE_LLM_PROFILE": "openai",
        }
        with Service(tmp_path, env) as service:
            said = run(service, tmp_path / "out.png", "A cat on a chair", "--max-tries", "1")
        charged = vendor.charged

    assert "No image model" not in said
    assert "judged (vision): passed: yes" in said
    assert charged == 1
