"""What it costs the service to refuse hostile input, measured in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.harness.figures import BudgetLine
from benchmarks.harness.servers import BenchmarkError

PROGRAM = Path(__file__).with_name("hostile.py")
PROCESS_TIMEOUT = 120.0


def measure_refusals(root: Path, directory: Path) -> list[BudgetLine]:
    """Return every refusal's cost with its limit.

    Raises BenchmarkError if something was not refused, or not in time.
    """
    folder = directory / "refusals"
    folder.mkdir()
    (folder / "config").symlink_to(root / "config")
    log = directory / "refusals.log"
    try:
        with log.open("wb") as errors:
            done = subprocess.run(
                # -P keeps this package's own folder off the module path.
                [sys.executable, "-P", str(PROGRAM)],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(root)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                timeout=PROCESS_TIMEOUT,
                check=True,
                start_new_session=True,
            )
    except subprocess.SubprocessError as error:
        reason = f"the refusals could not be measured: {error}"
        raise BenchmarkError(reason, log) from error
    return [BudgetLine(**line) for line in json.loads(done.stdout)]
