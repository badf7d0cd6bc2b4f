"""`flask optimize` rewrites the prompts of a file, and goes on where it was killed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import AppOf, SettingsOf
from tests.support import replies
from tests.support.commands import Ran
from tests.support.peer import RecordedRequest
from tests.support.replies import Reply
from tests.support.schema import give_schema
from tests.support.service import REPOSITORY_ROOT
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

LIGHT = "soft morning light from the left, warm muted tones, fine texture of the old painted wood"
THINGS = ["cat", "dog", "fox", "owl", "boat", "house"]
Optimize = Callable[..., Ran]


def asked(request: RecordedRequest) -> str:
    """Return the prompt that a model is to rewrite."""
    said: str = json.loads(request.json["messages"][1]["content"])["description"]
    return said


def rewritten(request: RecordedRequest) -> Reply:
    return replies.completion(json.dumps({"optimized_prompt": f"{asked(request)}, {LIGHT}"}))


def outcomes_in(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text().splitlines()]


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    """Write a file of prompts."""
    path = tmp_path / "prompts.txt"
    path.write_text("\n\n".join(f"A red {thing} on a hill" for thing in THINGS) + "\n")
    return path


@pytest.fixture
def optimize(app_of: AppOf, upstream_env: dict[str, str], tmp_path: Path) -> Optimize:
    """Run the command."""

    def command(prompts: Path, *more: str) -> Ran:
        given = ["optimize", "--file", str(prompts), "--out", str(tmp_path / "out.jsonl"), *more]
        result = app_of(upstream_env).test_cli_runner().invoke(args=given)
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return Ran(result.stdout, result.stderr, result.exit_code)

    return command


def test_each_line_has_an_outcome_and_a_second_run_asks_for_nothing(
    optimize: Optimize, upstream: ScriptedUpstream, prompts: Path, tmp_path: Path
) -> None:
    upstream.script(*[replies.answer_with(rewritten)] * 20)
    request = {"prompt": "A cat", "type": "video", "duration_seconds": 4}
    prompts.write_text(f"{prompts.read_text()}{json.dumps(request)}\n" + "x" * 4_001)

    first = optimize(prompts)
    calls = len(upstream.requests)
    second = optimize(prompts)

    outcomes = {one["line"]: one for one in outcomes_in(tmp_path / "out.jsonl")}
    assert (first.status, second.status) == (0, 0)
    assert sorted(outcomes) == [1, 3, 5, 7, 9, 11, 12, 13]
    assert outcomes[1]["result"]["original_prompt"] == "A red cat on a hill"
    assert outcomes[1]["rewrite_id"].startswith("rw_")
    assert outcomes[13]["error"]["details"]["reason"] == "out_of_range"
    assert first.err.splitlines()[0] == "0 of 8 are written already"
    assert first.err.splitlines()[-1] == "8 of 8"
    assert second.err == "8 of 8 are written already\n"
    assert len(upstream.requests) == calls


def test_a_line_may_name_several_targets(
    optimize: Optimize, upstream: ScriptedUpstream, prompts: Path, tmp_path: Path
) -> None:
    text = f"A red cat on a hill, {LIGHT}"
    upstream.script(replies.completion(json.dumps({"text_en": text})))
    request = {"prompt": "A red cat on a hill", "targets": ["flux", "wan"]}
    prompts.write_text(json.dumps(request))

    assert optimize(prompts).status == 0

    [outcome] = outcomes_in(tmp_path / "out.jsonl")
    made = {one["target_model"]: one["optimized_prompt"] for one in outcome["result"]["rewrites"]}
    assert made == {"flux": text, "wan": text}


def test_a_line_may_name_one_target_instead_of_several(
    optimize: Optimize, upstream: ScriptedUpstream, prompts: Path, tmp_path: Path
) -> None:
    upstream.script(*[replies.answer_with(rewritten)] * 2)
    prompts.write_text(json.dumps({"prompt": "A red cat on a hill", "target_model": "flux"}))

    assert optimize(prompts, "--target-model", "wan", "--target-model", "sdxl").status == 0

    [outcome] = outcomes_in(tmp_path / "out.jsonl")
    assert outcome["result"]["optimized_prompt"] == f"A red cat on a hill, {LIGHT}"


def test_lines_may_be_edits(
    optimize: Optimize, upstream: ScriptedUpstream, prompts: Path, tmp_path: Path
) -> None:
    blue = "Change the red car to blue. Keep everything else unchanged."
    upstream.script(replies.completion(json.dumps({"optimized_prompt": blue})))
    picture = {"prompt": "Remove the dog", "images": ["https://example.com/dog.png"]}
    prompts.write_text(f"Change the red car to blue\n{json.dumps(picture)}\n")

    assert optimize(prompts, "--type", "edit").status == 0

    made, refused = sorted(outcomes_in(tmp_path / "out.jsonl"), key=lambda one: one["line"])
    assert made["result"]["optimized_prompt"] == blue
    assert refused["error"]["message"].startswith("images: must be left out in a file of prompts")


def test_what_failed_for_now_is_tried_again(
    optimize: Optimize, upstream: ScriptedUpstream, prompts: Path, tmp_path: Path
) -> None:
    def most(request: RecordedRequest) -> Reply:
        return replies.api_error(401) if "fox" in asked(request) else rewritten(request)

    upstream.script(*[replies.answer_with(most)] * 20)
    failed = optimize(prompts)
    before = outcomes_in(tmp_path / "out.jsonl")
    upstream.clear()
    upstream.script(*[replies.answer_with(rewritten)] * 20)

    again = optimize(prompts)

    assert (failed.status, again.status) == (3, 0)
    assert "line 5: " in failed.err
    assert len(before) == 5
    assert len(outcomes_in(tmp_path / "out.jsonl")) == 6
    assert {asked(one) for one in upstream.requests} == {"A red fox on a hill"}


def test_outcomes_of_another_file_are_not_mixed_with_these(
    optimize: Optimize, upstream: ScriptedUpstream, prompts: Path, tmp_path: Path
) -> None:
    upstream.script(*[replies.answer_with(rewritten)] * 20)
    optimize(prompts)
    written = (tmp_path / "out.jsonl").read_bytes()

    refused = optimize(prompts, "--type", "video")
    (tmp_path / "out.jsonl").write_text("a text\n")
    foreign = optimize(prompts)

    assert (refused.status, foreign.status) == (1, 1)
    assert "the outcome of another line" in refused.err
    assert "no outcomes" in foreign.err
    assert len(written.splitlines()) == 6


def test_a_killed_run_goes_on_and_repeats_nothing_that_is_written(
    settings_of: SettingsOf,
    optimize: Optimize,
    upstream: ScriptedUpstream,
    upstream_env: dict[str, str],
    prompts: Path,
    tmp_path: Path,
) -> None:
    def some(request: RecordedRequest) -> Reply:
        reply = rewritten(request)
        is_slow = any(thing in asked(request) for thing in THINGS[3:])
        return replies.delayed(reply, 60) if is_slow else reply

    upstream.script(*[replies.answer_with(some)] * 20)
    settings = settings_of(upstream_env)
    give_schema(settings.database_url)
    out = tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "optimize"]
    env = {**upstream_env, "DATABASE_URL": settings.database_url, "PATH": os.environ["PATH"]}
    with subprocess.Popen(
        [*command, "--file", str(prompts), "--out", str(out)],
        env=env,
        cwd=REPOSITORY_ROOT,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as run:
        wait_until(lambda: out.exists() and len(outcomes_in(out)) == 3, 60, "not written")
        run.send_signal(signal.SIGKILL)
    with out.open("a") as file:
        file.write('{"line": 7, "requ')  # a line that was torn
    done = outcomes_in_whole_lines(out)
    upstream.clear()
    upstream.script(*[replies.answer_with(rewritten)] * 20)

    again = optimize(prompts)

    assert again.status == 0
    assert outcomes_in(out)[:3] == done
    assert [one["line"] for one in outcomes_in(out)[3:]] != []
    assert sorted(one["line"] for one in outcomes_in(out)) == [1, 3, 5, 7, 9, 11]
    assert not {asked(one) for one in upstream.requests} & {
        f"A red {thing} on a hill" for thing in THINGS[:3]
    }


def test_a_newcomer_needs_no_upstream(settings_of: SettingsOf, tmp_path: Path) -> None:
    settings = settings_of({})
    give_schema(settings.database_url)
    (tmp_path / "prompts.txt").write_text("A cat\n")
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "optimize"]
    files = ["--file", str(tmp_path / "prompts.txt"), "--out", str(tmp_path / "out.jsonl")]

    ran = subprocess.run(
        [*command, *files],
        env={"DATABASE_URL": settings.database_url, "PATH": os.environ["PATH"]},
        cwd=REPOSITORY_ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert ran.returncode == 0, ran.stderr
    assert "DEMO QUALITY" in ran.stderr
    [outcome] = outcomes_in(tmp_path / "out.jsonl")
    assert outcome["result"]["original_prompt"] == "A cat"
    assert outcome["result"]["optimized_prompt"].startswith("A cat")
    # Its parent's end has ended the model.
    wait_until(lambda: not models_of(settings.database_url), 10, "the model is gone")


def models_of(database_url: str) -> list[str]:
    """Return the processes of models that have an environment with this database."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            command = path.with_name("cmdline").read_bytes()
            if b"llama_child" in command and database_url.encode() in path.read_bytes():
                found.append(path.parent.name)
    return found


def outcomes_in_whole_lines(out: Path) -> list[dict[str, Any]]:
    """Read what was written before a line that was torn."""
    return [json.loads(line) for line in out.read_text().split("\n")[:-1]]
