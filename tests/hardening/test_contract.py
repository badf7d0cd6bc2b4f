"""schemathesis reads our own API document, and sends the running service what it says and forbids.

All its checks are on (see `schemathesis.toml` for the one exception and its reason), so that the
document must be right about statuses, types, headers and every value that is taken or refused. An
operation that is added to the service is tested by itself.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.gateway import Gateway
from tests.support.peer import RecordedRequest
from tests.support.replies import Reply, answer_with, completion_stream, json_reply
from tests.support.service import REPOSITORY_ROOT
from tests.web.openai_calls import EMBEDDINGS_ANSWER, TEXT_ANSWER

SEED = "1"
EXAMPLES = "25"  # of each operation, beside those at the limits of every value
CALLS = 100_000
CHAT_ANSWER = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}}]}
GOOD = {"/v1/completions": TEXT_ANSWER, "/v1/embeddings": EMBEDDINGS_ANSWER}


def well(request: RecordedRequest) -> Reply:
    """Answer any call well."""
    if b'"stream"' in request.body and request.json.get("stream") is True:
        return completion_stream("Hel", "lo")
    return json_reply(200, GOOD.get(request.path, CHAT_ANSWER))


@pytest.mark.timeout(600)
def test_the_service_does_what_its_document_says(gateway: Gateway, tmp_path: Path) -> None:
    gateway.upstream.script(*[answer_with(well)] * CALLS)
    config = Path(__file__).with_name("schemathesis.toml")
    options = ["--seed", SEED, "--max-examples", EXAMPLES, "--generation-database", "none"]

    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"),
            *(f"{gateway.service.url}/openapi.json", "--no-color", "--continue-on-failure"),
            *options,
        ],
        cwd=tmp_path,
        env={"PATH": os.defpath, "HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    selected, tested = (
        re.search(f"{word}: +(\\d+)", done.stdout) for word in ("Selected", "Tested")
    )
    assert selected is not None
    assert tested is not None
    assert selected[1] == tested[1] != "0"
