"""The programs that pages show send exactly what the page has sent, whatever signs are in it."""

import base64
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.multipart import Part, parts_of
from tests.support.pictures import picture
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.web.conftest import environment_of
from tests.web.console.recording import RecordingDoor
from tests.web.console.scripts import called

KEY = "2f5d0f0d8f3b4a5e9a7c"
TIMEOUT = 60
TRAPS = [
    "It's a \"sign\" in 'quotes', \"\"\"three\"\"\" and '''three''', '\\''",
    "$HOME ${HOME} $(id) `id` !! !$ %s %% {x} {{x}} ~ * ? # & ; | < > ^ ",
    "back\\slash \\n \\x41 \\u0041 \\",
    "lines\nof\r\ntext\tand a \u2028 separator \x85, at the end\n",
    "EOF\n'EOF'\n@file=1\n--data @file.png",
    "\x01\x1b[31m\x7f\xa0\xad\u200b\u200e\u202e\u2066\ufeff\ufffd",
    "狐狸 🦊 \U0002000b 여우 ثعلب cafe\u0301 \U0001f469\u200d\U0001f467",
    "",
    "file0",
]
NAMES = ["a 'b' \"c\".png", "back\\slash $HOME `id`.png", "-狐狸;type=x,y.png"]
# What JSON has beside texts.
VALUES = {"none": None, "yes": True, "no": False, "half": 0.5, "big": 2147483647, "nothing": []}


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    """Run the model's server."""
    with ScriptedUpstream() as server:
        yield server


@pytest.fixture(scope="module")
def door(
    upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RecordingDoor]:
    """Run a service that wants keys, and the door in front of it."""
    keys = {"REQUIRE_API_KEY": "true", "API_KEYS": f"app={KEY}"}
    env = environment_of(upstream) | keys
    with (
        Service(tmp_path_factory.mktemp("service"), env) as service,
        RecordingDoor(service.url) as recording,
    ):
        yield recording


def programs(request: dict[str, Any], origin: str) -> dict[str, str | None]:
    """Return the programs for a request, by name."""
    (shown,) = called("code_samples.js", "codeFor", [request, {"origin": origin, "needsKey": True}])
    return {one["name"]: one["code"] for one in shown}


def run(name: str, code: str, folder: Path) -> None:
    """Run a program where its files are, as a user does."""
    command: Sequence[str] = ["sh", "-c", code] if name == "curl" else [sys.executable, "-c", code]
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LLM_API_KEY": KEY, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(  # the program under test
        command, cwd=folder, env=env, capture_output=True, timeout=TIMEOUT, check=False
    )
    assert done.returncode == 0, (code, done.stderr.decode())


def sent_by_all(
    request: dict[str, Any], door: RecordingDoor, folder: Path, names: Sequence[str]
) -> list[Any]:
    """Run the programs, and return the requests that came in."""
    shown = programs(request, door.origin)
    assert [name for name, code in shown.items() if code is not None] == list(names)
    door.clear()
    for name, code in shown.items():
        if code is not None:
            assert KEY not in code
            run(name, code, folder)
    received = door.requests
    assert [(one.method, one.path) for one in received] == [
        (request["method"], request["path"])
    ] * len(names)
    assert {one.header("Authorization") for one in received} == {f"Bearer {KEY}"}
    return list(received)


def files_in(folder: Path) -> list[dict[str, Any]]:
    """Write a picture under each name, and return the files as a user has chosen them."""
    data = picture()
    for name in NAMES:
        (folder / name).write_bytes(data)
    text = base64.b64encode(data).decode()
    return [{"$file": [name, "image/png", text]} for name in NAMES]


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
def test_programs_for_chats_send_the_same_body(
    door: RecordingDoor, upstream: ScriptedUpstream, tmp_path: Path, *, is_streamed: bool
) -> None:
    messages = [{"role": "user", "content": trap} for trap in TRAPS]
    rest = {"temperature": 0.5, "top_k": 5, "stream": is_streamed}
    body = {"model": "scripted", "messages": messages, **rest}
    request = {"method": "POST", "path": "/v1/chat/completions", "body": body}
    upstream.clear()

    received = sent_by_all(request, door, tmp_path, ["curl", "requests", "openai"])

    assert [one.json for one in received] == [body] * 3
    assert [one.json["messages"] for one in upstream.requests] == [messages] * 3


def test_programs_with_pictures_in_json_read_them_from_files(
    door: RecordingDoor, tmp_path: Path
) -> None:
    files = files_in(tmp_path)
    uris = [f"data:image/png;base64,{one['$file'][2]}" for one in files]
    traps = {"prompt": "\n".join(TRAPS), "checkpoints": [*TRAPS, "file0", "file1"], **VALUES}
    request = {
        "method": "POST",
        "path": "/api/v1/llm/score-image?a=%27b%27&c=%20",
        "body": {"images": files, **traps},
        "headers": {"X-Lineage-Id": "order-4711", "Content-Type": "application/json"},
    }

    received = sent_by_all(request, door, tmp_path, ["curl", "requests"])

    assert [one.json for one in received] == [{"images": uris, **traps}] * 2
    assert {one.header("X-Lineage-Id") for one in received} == {"order-4711"}


def test_programs_with_forms_send_the_same_parts(door: RecordingDoor, tmp_path: Path) -> None:
    files = files_in(tmp_path)[2:]
    texts = [["prompt", trap] for trap in TRAPS]
    form = [*texts, *(["image", file] for file in files)]
    request = {"method": "POST", "path": "/v1/images/edits", "body": {"$form": form}}

    received = sent_by_all(request, door, tmp_path, ["curl", "requests"])

    for one in received:
        parts = parts_of(one)
        assert [[part.name, part.text] for part in parts[: len(texts)]] == texts
        assert [part.data for part in parts[len(texts) :]] == [
            base64.b64decode(file["$file"][2]) for file in files
        ]
        assert {part.content_type for part in parts[len(texts) :]} == {"image/png"}
        assert isinstance(parts[0], Part)


def test_a_request_without_a_body_needs_none(door: RecordingDoor, tmp_path: Path) -> None:
    request = {"method": "DELETE", "path": "/api/v1/images/tasks/img_none?purge=1"}

    received = sent_by_all(request, door, tmp_path, ["curl", "requests"])

    assert {one.body for one in received} == {b""}


def test_where_no_key_is_required_programs_name_none() -> None:
    place = {"origin": "http://localhost:8000", "needsKey": False}
    request = {"method": "POST", "path": "/v1/chat/completions", "body": {"messages": []}}

    (shown,) = called("code_samples.js", "codeFor", [request, place])

    assert not any("LLM_API_KEY" in one["code"] for one in shown)
