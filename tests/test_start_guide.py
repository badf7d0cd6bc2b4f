"""The programs of docs/start.md, in three languages, against the service as it is shipped."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llm_api.settings.settings import PROJECT_ROOT
from tests.sdks.running import NODE
from tests.support.service import Service
from tests.support.waiting import wait_until
from tests.test_readme import typed

PAGE = (PROJECT_ROOT / "docs" / "start.md").read_text("utf-8")
# The steps: each has a program in every language, in this order.
LANGUAGES = ("sh", "python", "js")
STEPS = re.findall(
    r"^## ([^\n]+)\n.*?^```sh\n(.*?)^```\n\n```python\n(.*?)^```\n\n```js\n(.*?)^```",
    PAGE,
    re.MULTILINE | re.DOTALL,
)
PROGRAMS = {name: dict(zip(LANGUAGES, programs, strict=True)) for name, *programs in STEPS}
Has = Callable[[str], bool]
# What a step must print, with curl and else.
EXPECTED: dict[str, tuple[Has, Has]] = {
    "Chat": (
        lambda said: "Rome" in json.loads(said)["choices"][0]["message"]["content"],
        lambda said: said == "The capital of Italy is Rome.\n",
    ),
    "Chat, word by word": (
        lambda said: said.strip().endswith("data: [DONE]"),
        lambda said: "Spring" in said and "Winter" in said,
    ),
    "Rewrite a prompt": (
        lambda said: bool(json.loads(said)["optimized_prompt"]),
        lambda said: said.startswith("A cat sitting on a chair, watercolor style, "),
    ),
    "Make a picture": (
        lambda said: json.loads(said)["kind"] == "layout_sketch",
        lambda said: re.fullmatch(r"completed \d{4,}\n", said) is not None,
    ),
    "Judge it, and try again": (
        lambda said: json.loads(said)["stopped_by"] in {"accepted", "max_tries"},
        lambda said: re.match(r"(accepted|max_tries) [12]\n\w+ .*OPEN", said) is not None,
    ),
    "When it fails": (
        lambda said: json.loads(said)["error"]["details"]["reason"] == "out_of_range",
        lambda said: said.startswith("out_of_range messages[0].role: must be one of "),
    ),
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service with the bundled model."""
    folder = tmp_path_factory.mktemp("start")
    with Service(folder, {"FILES_URL": (folder / "files").as_uri()}) as running:
        ready = "curl -si http://localhost:8000/readyz"
        wait_until(lambda: "200" in typed(ready, running), 60, "it is ready")
        yield running


def test_every_step_is_there_in_every_language() -> None:
    assert list(PROGRAMS) == list(EXPECTED)
    assert PAGE.count("```") == 2 * 3 * len(PROGRAMS)


@pytest.mark.parametrize("step", EXPECTED)
def test_a_step_works_with_curl(step: str, service: Service) -> None:
    printed = typed(PROGRAMS[step]["sh"], service)

    assert EXPECTED[step][0](printed), printed


@pytest.mark.parametrize("step", EXPECTED)
@pytest.mark.parametrize(
    ("language", "program"),
    [("python", Path(sys.executable)), pytest.param("js", NODE, marks=pytest.mark.more)],
)
def test_a_step_works_as_a_program(
    step: str, language: str, program: Path, service: Service, tmp_path: Path
) -> None:
    text = PROGRAMS[step][language].replace("http://localhost:8000", service.url)
    script = tmp_path / f"step.{'mjs' if language == 'js' else 'py'}"
    script.write_text(text, "utf-8")

    done = subprocess.run(
        [program, script], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
    )

    assert done.returncode == 0, done.stderr
    assert EXPECTED[step][1](done.stdout), done.stdout
