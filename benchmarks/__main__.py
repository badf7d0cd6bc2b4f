"""Run the benchmark: `python -m benchmarks` from the repository root."""

import json
import resource
import signal
import sys

from benchmarks.harness.console import SIGNAL_STATUS, announce, exit_on_signal
from benchmarks.harness.servers import BenchmarkError
from benchmarks.options import parse_arguments
from benchmarks.results import print_results
from benchmarks.run import run


def allow_open_files() -> None:
    """Allow this process and those that it starts as many open files as the system lets it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> int:
    """Run, print, and return the exit status: 1 if a part failed, not if a budget is exceeded."""
    choices = parse_arguments()
    allow_open_files()
    signal.signal(signal.SIGTERM, exit_on_signal)
    signal.signal(signal.SIGHUP, exit_on_signal)
    try:
        results = run(choices)
    except BenchmarkError as error:
        announce(f"the benchmark failed: {error}")
        return 1
    except KeyboardInterrupt:
        announce("interrupted")
        return SIGNAL_STATUS + signal.SIGINT
    print_results(results)
    if choices.json is not None:
        choices.json.write_text(json.dumps(results.as_json(), indent=2) + "\n")
    return int(bool(results.failures))


if __name__ == "__main__":
    sys.exit(main())
