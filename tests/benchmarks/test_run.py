"""`make bench` runs to its end; what it measures is told by docs and not asserted here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service import REPOSITORY_ROOT

SHORT = (
    "--rounds=1 --seconds=0.2 --streams=4 --stream-rounds=1 --stream-seconds=0.5"
    " --outages=without --peers=without"
)
COMPARED = f"{SHORT} --compare=HEAD"


@pytest.mark.more
@pytest.mark.timeout(300)
def test_a_short_benchmark_measures_two_builds_in_turn_with_and_without_a_key(
    tmp_path: Path,
) -> None:
    figures = tmp_path / "figures.json"

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "benchmarks",
            *COMPARED.split(),
            "--json",
            figures,
        ],
        cwd=REPOSITORY_ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    run = json.loads(figures.read_text())
    builds = {"service", "before", "service-with-key", "before-with-key"}
    assert {f"{build} chat" for build in builds} <= run["targets"].keys()
    assert {f"{build} stream" for build in builds} <= run["streams"]["targets"].keys()
    assert len(run["refusals"]) == 9
    assert "CPU a chat call, to the build before" in done.stdout
