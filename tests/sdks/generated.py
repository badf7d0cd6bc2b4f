"""What tests of clients share that others make of our API: an upstream for every kind of call.

And where the generators and bundlers are installed.
"""

import json
import os
import subprocess
from pathlib import Path

from tests.sdks.running import SDKS_FOLDER, NotRun
from tests.support import replies
from tests.support.peer import RecordedRequest
from tests.support.replies import Reply
from tests.support.service import REPOSITORY_ROOT

PROGRAMS = REPOSITORY_ROOT / "tests" / "sdks" / "programs"
NODE_PROGRAMS = REPOSITORY_ROOT / "tests" / "sdks" / "node"
PYTHON = SDKS_FOLDER / "openapi" / "bin"
MODULES = SDKS_FOLDER / "node" / "node_modules"
PROMPT = "A cat sitting on a chair"
VECTORS = ([1.0, 0.5], [0.25, -2.0])
TEXT = " upon a time"
_TIMEOUT = 120
_REWRITE = (
    "A cat sits on a wooden chair in a quiet room, soft window light from the left, warm muted"
    " colors, eye-level framing with a blurred plain wall behind the chair."
)


def answer(request: RecordedRequest) -> Reply:
    """Answer as a good upstream does, whatever the route."""
    if request.method == "GET":
        return replies.models("scripted")
    if request.path == "/v1/embeddings":
        vectors = [
            {"object": "embedding", "index": index, "embedding": vector}
            for index, vector in enumerate(VECTORS)
        ]
        return replies.json_reply(200, {"object": "list", "data": vectors, "model": "scripted"})
    if request.path == "/v1/completions":
        return replies.json_reply(200, {"choices": [{"index": 0, "text": TEXT}]})
    if request.json.get("stream"):
        return replies.completion_stream("Hel", "lo")
    is_rewrite = PROMPT in str(request.json["messages"])
    return replies.completion(json.dumps({"optimized_prompt": _REWRITE}) if is_rewrite else "Hello")


def run(*command: str | Path, folder: Path, **env: str) -> str:
    """Run a program in a folder to its good end, and return what it printed."""
    if not Path(command[0]).exists():
        raise NotRun(f"{command[0]} is not installed: run make test-sdks")
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": f"{PYTHON}:{os.defpath}", "HOME": str(folder), **env},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
