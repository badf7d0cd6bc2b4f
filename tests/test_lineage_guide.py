"""The examples of docs/lineage.md, typed out one after the other against the service."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_api.settings.settings import PROJECT_ROOT
from tests.sdks.running import NODE
from tests.support.guides import run_program
from tests.support.service import Service
from tests.support.waiting import wait_until

PAGE = (PROJECT_ROOT / "docs" / "lineage.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SCRIPTS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
MODULES = re.findall(r"^```js\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Run the service with the bundled model, as `make run` does."""
    with Service(tmp_path) as running:
        ready = "curl -si http://localhost:8000/readyz"
        wait_until(lambda: "200" in typed(ready, running), 60, "it is ready")
        yield running


def typed(example: str, service: Service) -> str:
    """Run a shell example against the service and return what it printed."""
    command = example.replace("http://localhost:8000", service.url)
    command = command.replace(".venv/bin/flask ", f"{sys.executable} -m flask ")
    done = subprocess.run(
        ["/bin/bash", "-c", command],
        capture_output=True,
        timeout=100,
        check=True,
        cwd=PROJECT_ROOT,
        env=service.env,
    )
    return done.stdout.decode()


def test_the_guide_follows_a_prompt_to_the_report(service: Service) -> None:
    rewritten, drawn, said, lineage, report, table = (typed(one, service) for one in BLOCKS)

    assert json.loads(rewritten)["optimized_prompt"]
    found = json.loads(lineage)
    assert found["pictures"][0]["job_id"] == json.loads(drawn)["id"]
    assert found["feedback"] == [json.loads(said)]
    assert 0 < found["feedback"][0]["changed"] < 0.5
    assert len(found["rewrites"]) == 1
    learned = json.loads(report)
    assert [(one["judged"], one["accepted"]) for one in learned["rewrites"]] == [(1, 0)]
    assert learned["models"][0]["model"] == "layout-sketch"
    assert "layout-sketch" in table


@pytest.mark.parametrize(
    ("programs", "runtime"),
    [(SCRIPTS, Path(sys.executable)), pytest.param(MODULES, NODE, marks=pytest.mark.more)],
    ids=["python", "js"],
)
def test_programs_follow_a_prompt_to_the_report(
    programs: list[str], runtime: Path, service: Service, tmp_path: Path
) -> None:
    follow, report = (one.replace("http://localhost:8000", service.url) for one in programs)

    assert run_program(follow, runtime, tmp_path) == "1 1 edited\n"
    assert run_program(report, runtime, tmp_path) == "generic 0 of 1\n"
