"""`flask judge anchors` notices that the model behind a name has changed."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from llm_api.pictures.pictures import Pictures
from llm_api.services.anchors import Anchor, read_anchors
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.task_table import SqlTasks
from tests.conftest import AppOf
from tests.storage.checkout import fast_upstream
from tests.support import replies
from tests.support.commands import Ran
from tests.support.judge import alignment, checkpoints_in, judge_env, kind_of, quality, says
from tests.support.peer import RecordedRequest
from tests.support.replies import Reply
from tests.support.schema import give_schema
from tests.support.upstream import ScriptedUpstream

ANCHORS = read_anchors().anchors
QUESTIONS = sum(len(anchor.questions) for anchor in ANCHORS)
KNOWN = QUESTIONS + sum(anchor.is_aligned is not None for anchor in ANCHORS)
OPINIONS = {True: "good", False: "bad", None: "fair"}
Answers = Callable[[Anchor, str, bool], bool]
RunAnchors = Callable[..., Ran]


def rightly(_anchor: Anchor, _question: str, is_true: bool) -> bool:  # noqa: FBT001  # as called
    """Answer as it is."""
    return is_true


def judges(
    answers: Answers = rightly,
    levels: Mapping[bool | None, str] = OPINIONS,
    *,
    of_quality: str = "good",
    model: str = "seer-2",
    of: Sequence[Anchor] = ANCHORS,
) -> list[Reply]:
    """Return the replies of a judge to anchors."""
    asked: Iterator[Anchor] = iter(of)

    def reply(request: RecordedRequest) -> Reply:
        if kind_of(request) == "quality":
            return replies.completion(json.dumps(quality(of_quality)), model=model)
        anchor = next(asked)
        truth = dict(anchor.questions)
        said: dict[str, Any] = alignment(levels[anchor.is_aligned])
        said["checkpoints"] = [
            {
                "id": one["id"],
                "evidence": "Seen.",
                "answer": "yes"
                if answers(anchor, one["question"], truth[one["question"]])
                else "no",
            }
            for one in checkpoints_in(request)
        ]
        return replies.completion(json.dumps(said), model=model)

    return [replies.answer_with(reply)] * (len(of) + sum(anchor.has_quality for anchor in of))


@pytest.fixture
def run(app_of: AppOf, upstream: ScriptedUpstream, tmp_path: Path) -> RunAnchors:
    """Run the command with a scripted judge; results are kept in one file."""

    def command(*arguments: str, script: list[Reply], **env: str) -> Ran:
        upstream.clear()
        upstream.script(*script)
        app = app_of({**judge_env(upstream.url), **env})
        given = ["judge", "anchors", "--history", str(tmp_path / "new" / "anchors.jsonl")]
        result = app.test_cli_runner().invoke(args=[*given, *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return Ran(result.stdout, result.stderr, result.exit_code)

    return command


def test_the_anchors_are_drawn_the_same_every_time() -> None:
    pictures = Pictures()
    try:
        drawn = [[pictures.draw(anchor.drawing) for anchor in ANCHORS] for _ in range(2)]
    finally:
        pictures.close()

    assert drawn[0] == drawn[1]
    assert len({anchor.id for anchor in ANCHORS}) == len(ANCHORS) == 9


def test_a_first_run_tells_what_is_right(run: RunAnchors, upstream: ScriptedUpstream) -> None:
    ran = run(script=judges())

    assert (ran.status, len(upstream.requests)) == (0, len(ANCHORS) + 1)
    assert f"{KNOWN} of {KNOWN} known verdicts of seer are right." in ran.out
    assert "There is no earlier result to compare with." in ran.out
    assert "CHANGED" not in ran.out + ran.err


def test_the_model_sees_the_picture_and_the_questions(
    run: RunAnchors, upstream: ScriptedUpstream
) -> None:
    run(script=judges())

    first = upstream.requests[0]
    asked = [one["question"] for one in checkpoints_in(first)]
    assert asked == [words for words, _ in ANCHORS[0].questions]
    assert first.json["temperature"] == 0


def test_the_same_verdicts_are_no_alarm(run: RunAnchors) -> None:
    run(script=judges())

    ran = run(script=judges(levels={True: "excellent", False: "poor", None: "good"}))

    assert ran.status == 0  # one word up is chance
    assert "0 verdicts have changed." in ran.out


def test_another_answer_is_an_alarm(run: RunAnchors) -> None:
    run(script=judges())

    def blind_to_texts(anchor: Anchor, question: str, is_true: bool) -> bool:  # noqa: FBT001  # as called
        return True if anchor.id == "misspelt-sign" else rightly(anchor, question, is_true)

    ran = run(script=judges(blind_to_texts))

    assert ran.status == 4
    assert "THE JUDGE HAS CHANGED" in ran.err
    changed = [line for line in ran.out.splitlines() if line.endswith("WRONG CHANGED")]
    assert len(changed) == 1
    assert changed[0].split()[0] == "misspelt-sign"
    assert changed[0].split()[-5:] == ["no", "no", "yes", "WRONG", "CHANGED"]


def test_an_alarm_is_sent_to_operators(run: RunAnchors, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'alerts.db'}"
    give_schema(url)
    env = {
        "DATABASE_URL": url,
        "WEBHOOK_SECRET": f"whsec_{base64.b64encode(bytes(32)).decode()}",
        "ALERT_WEBHOOK_URLS": "https://alerts.example/hook",
    }
    run(script=judges(), **env)

    ran = run(script=judges(model="seer-3"), **env)

    late = datetime.now(UTC) + timedelta(hours=1)
    tasks = SqlTasks(make_engine(url))
    [task] = tasks.claim("test", late, late, kinds=["webhook"], at_most=9)
    message = json.loads(str(task.document["body"]))
    assert (ran.status, message["type"]) == (4, "judge.drift")
    assert message["data"]["answered_by"] == "seer-3"
    assert (message["data"]["changed"], message["data"]["since"] is None) == (1, False)


@pytest.mark.parametrize(
    "script",
    [
        judges(levels={True: "good", False: "fair", None: "fair"}),
        judges(of_quality="poor"),
        judges(model="seer-3"),
    ],
    ids=["alignment", "quality", "name"],
)
def test_another_opinion_and_another_name_are_alarms(run: RunAnchors, script: list[Reply]) -> None:
    run(script=judges())

    ran = run(script=script)

    assert ran.status == 4
    assert "THE JUDGE HAS CHANGED" in ran.err


def test_a_judge_that_agrees_with_everything_is_called_wrong(run: RunAnchors) -> None:
    ran = run(script=judges(lambda *_: True, dict.fromkeys(OPINIONS, "excellent")))

    assert ran.status == 3
    assert "THE JUDGE IS OFTEN WRONG" in ran.err


def test_a_model_that_says_nothing_of_a_picture_has_said_that(run: RunAnchors) -> None:
    run(script=judges())
    refused = says("", finish_reason="content_filter")
    unreadable = [says("A nice picture."), says("A nice picture.")]

    first, others = judges(of=ANCHORS[:1]), judges(of=ANCHORS[3:])
    ran = run(script=[*first, refused, *unreadable, *others])

    assert ran.status == 4
    table = {line.split()[0]: line for line in ran.out.splitlines() if line[:1].isalpha()}
    assert "content_filtered" in table["another-prompt"]
    assert "judge_unparsable" in table["five-squares"]


def test_a_model_that_says_nothing_any_more_has_changed(run: RunAnchors) -> None:
    run(script=judges())

    silent = run(script=[says("A nice picture.")] * 2 * len(ANCHORS))
    again = run(script=judges())

    assert (silent.status, again.status) == (4, 4)
    assert "There is no earlier result" not in silent.out + again.out


def test_results_of_another_model_are_not_compared(
    run: RunAnchors, upstream: ScriptedUpstream
) -> None:
    run(script=judges())

    ran = run("--model", "other", script=judges(lambda *_: True), **fast_upstream(upstream.url))

    assert "There is no earlier result to compare with." in ran.out


def test_a_run_that_breaks_off_is_not_kept(run: RunAnchors, tmp_path: Path) -> None:
    ran = run(script=[*judges()[:3], replies.api_error(401, "invalid_api_key")])

    assert ran.status == 1
    assert "Error: " in ran.err
    assert not (tmp_path / "new" / "anchors.jsonl").exists()


def test_a_line_that_was_cut_off_is_passed_over(run: RunAnchors, tmp_path: Path) -> None:
    run(script=judges())
    file = tmp_path / "new" / "anchors.jsonl"
    file.write_text(file.read_text() + '{"at": "2026-\n[]\n{}\n')

    ran = run(script=judges())

    assert "0 verdicts have changed." in ran.out
    assert len(file.read_text().splitlines()) == 5


def test_without_a_judge_there_is_nothing_to_watch(app_of: AppOf, tmp_path: Path) -> None:
    arguments = ["judge", "anchors", "--history", str(tmp_path / "anchors.jsonl")]

    result = app_of({}).test_cli_runner().invoke(args=arguments)

    assert result.exit_code == 1
    assert "No vision model is configured" in result.stderr
