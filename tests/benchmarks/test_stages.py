"""The CPU time of a call is added up by stage."""

from pathlib import Path

import pytest

from benchmarks.harness.programs import PACKAGE_PARENT
from benchmarks.scenarios.stages import LOOP, OTHER_THREADS, by_stage, measure, stage_of, table

SITE = "/venv/lib/python3.12/site-packages"
OURS = "/srv/app/llm_api"


@pytest.mark.parametrize(
    ("stack", "stage"),
    [
        ([f"{SITE}/gunicorn/http/message.py"], "request read: gunicorn"),
        (
            [f"{SITE}/gevent/_socketcommon.py", f"{OURS}/upstream/http/transport.py"],
            "upstream: HTTP",
        ),
        (["/lib/contextlib.py", f"{OURS}/services/usage/ledger.py"], "usage recorded"),
        (["/lib/json/decoder.py", f"{OURS}/web/request/strict_json.py"], "body validated"),
        ([f"{SITE}/gevent/hub.py"], LOOP),
    ],
)
def test_what_a_library_does_belongs_to_who_called_it(stack: list[str], stage: str) -> None:
    assert stage_of(stack) == stage


def test_samples_are_summed_by_stage_and_shared_out_among_the_calls() -> None:
    stacks = {f"{OURS}/web/lifecycle.py": 0.002, f"a.py\n{OURS}/web/lifecycle.py": 0.004}

    sums = by_stage({"stacks": stacks, "other_threads": 0.001}, requests=100)

    assert sums == pytest.approx({"headers and events of the answer": 60, OTHER_THREADS: 10})
    assert "60" in table({"now": sums | {"total": 70}})


def test_the_stages_of_the_service_are_measured(tmp_path: Path) -> None:
    # A machine that is busy otherwise leaves it a fifth of a core: enough samples for every stage.
    figures = measure(PACKAGE_PARENT, tmp_path, "chat", 3.0)

    stages = sum(spent for stage, spent in figures.items() if stage != "total")
    assert figures["upstream: HTTP"] > 0
    assert 0.3 * figures["total"] < stages < 1.5 * figures["total"]
