"""`make bench` runs to its end; what it measures is told by docs and not asserted here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service import REPOSITORY_ROOT

OPTIONS = (
    "--rounds=1 --seconds=0.2 --streams=4 --stream-rounds=1 --stream-seconds=0.5"
    " --outages=without --peers=without --compare=HEAD"
)
TIMEOUT = 270


def run_benchmark(options: str, figures: Path) -> tuple[int, str]:
    """Run the benchmark; return its exit status and what it printed.

    It is ended politely if it takes too long, so that it ends the servers that it has started.
    """
    command = [sys.executable, "-m", "benchmarks", *options.split(), "--json", str(figures)]
    with subprocess.Popen(
        command, cwd=REPOSITORY_ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            printed, _ = process.communicate(timeout=TIMEOUT)
        finally:
            process.terminate()
    return process.returncode, printed


@pytest.mark.more
@pytest.mark.timeout(300)
def test_a_short_benchmark_measures_two_builds_in_turn_with_and_without_a_key(
    tmp_path: Path,
) -> None:
    figures = tmp_path / "figures.json"

    status, printed = run_benchmark(OPTIONS, figures)

    assert status == 0, printed
    run = json.loads(figures.read_text())
    builds = {"service", "before", "service-with-key", "before-with-key"}
    assert {f"{build} chat" for build in builds} <= run["targets"].keys()
    assert {f"{build} stream" for build in builds} <= run["streams"]["targets"].keys()
    assert len(run["refusals"]) == 9
    assert "CPU a chat call, to the build before" in printed
