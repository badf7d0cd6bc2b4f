"""Clients that others generate from our API document can be compiled, and make every call.

One generator is TypeScript's, whose client is compiled in strict mode; the other one's, Python's,
refuses answers that are not what the document says.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.sdks.generated import (
    MODULES,
    NODE_PROGRAMS,
    PROGRAMS,
    PROMPT,
    PYTHON,
    TEXT,
    VECTORS,
    answer,
    run,
)
from tests.sdks.running import NODE
from tests.storage.checkout import fast_upstream, own_service
from tests.support import replies
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream

ADMIN_KEY = "adm-9f8e7d6c5b4a3f2e1d0c9b8a7f6e5d4c"
SEEN = {
    "chat": ["Hello", 7],
    "prompt": [PROMPT, "generic"],
    "is_rewritten": True,
    "openai_chat": ["Hello", 7],
    "engine": "Hello",
    "text": TEXT,
    "vectors": [*VECTORS],
    "model": "fast",
    "error": ["out_of_range", "temperature", "temperature"],
    "key": ["shop", "active", "60/minute", None],
    "tags": ["a"],
    "secrets": 2,
    "keys": ["shop"],
    "disabled": ["disabled", True],
    "calls": 1,
    "hour": True,
}
pytestmark = [pytest.mark.more, pytest.mark.timeout(300)]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Run a service on a good upstream."""
    with ScriptedUpstream() as upstream:
        upstream.script(*[replies.answer_with(answer)] * 100)
        env = {**fast_upstream(upstream.url), "ADMIN_API_KEY": ADMIN_KEY, "RATE_LIMIT": "9999/day"}
        with own_service(tmp_path / "service", env) as running:
            yield running


@pytest.fixture
def document(service: Service, tmp_path: Path) -> Path:
    """Fetch the API document into a folder of its own."""
    path = tmp_path / "generated" / "openapi.json"
    path.parent.mkdir()
    path.write_bytes(requests.get(f"{service.url}/openapi.json", timeout=30).content)
    return path


def seen_in(printed: str) -> dict[str, Any]:
    """Read the line that a program printed; the models are those of the catalogue, too."""
    facts: dict[str, Any] = json.loads(printed)
    assert "scripted" in facts.pop("models")
    assert facts.pop("measured") >= 1
    return facts


def test_a_typescript_client_compiles_in_strict_mode_and_makes_every_call(
    service: Service, document: Path
) -> None:
    folder = document.parent
    (folder / "node_modules").symlink_to(MODULES)
    program = folder / "generated.mts"
    program.write_text((NODE_PROGRAMS / "generated.ts").read_text("utf-8"))
    run(NODE, MODULES / "openapi-typescript/bin/cli.js", document, "-o", "api.d.ts", folder=folder)
    options = ["--strict", "--noUncheckedIndexedAccess", "--target", "es2022"]
    options += ["--module", "es2022", "--moduleResolution", "bundler", "--lib", "es2022,dom"]

    run(NODE, MODULES / "typescript/bin/tsc", *options, "generated.mts", folder=folder)
    printed = run(NODE, "generated.mjs", service.url, ADMIN_KEY, folder=folder)

    assert seen_in(printed) == SEEN | {"stream": "Hello"}


def test_a_python_client_is_generated_without_a_warning_and_makes_every_call(
    service: Service, document: Path
) -> None:
    folder = document.parent
    options = ["--path", document, "--output-path", folder / "client", "--meta", "none"]

    said = run(PYTHON / "openapi-python-client", "generate", *options, folder=folder)
    program = PROGRAMS / "generated_client.py"
    printed = run(
        PYTHON / "python", program, service.url, ADMIN_KEY, folder=folder, PYTHONPATH=str(folder)
    )

    assert "arning" not in said
    assert seen_in(printed) == SEEN
