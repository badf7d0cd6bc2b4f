"""A process takes in as many connections as its file descriptors are good for."""

import json
import subprocess
import sys

import pytest

_LOOK = """
import json, resource, sys
soft, hard = (int(word) for word in sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
from llm_api.runtime.file_limits import connections_within_limit
print(json.dumps([connections_within_limit(2000), resource.getrlimit(resource.RLIMIT_NOFILE)[0]]))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "raised_to"),
    [
        (64, 64, 12, 64),
        (41, 41, 1, 41),
        (256, 1024, 492, 1024),  # as far as the system lets us
        (1024, 8000, 2000, 4040),  # and no further than is needed
        (8000, 8000, 2000, 8000),
    ],
)
def test_the_limit_is_raised_and_then_kept_to(
    soft: int, hard: int, connections: int, raised_to: int
) -> None:
    command = [sys.executable, "-c", _LOOK, str(soft), str(hard)]
    seen = subprocess.run(command, check=True, capture_output=True, timeout=30).stdout

    assert json.loads(seen) == [connections, raised_to]
