"""`--json` of every command that asks a service: one document on standard output, at a real one."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.conftest import Ask
from tests.cli.test_tree import LEAVES, WITHOUT_JSON
from tests.support import replies
from tests.support.judge import alignment, checkpoints_in, kind_of, preference, quality, says
from tests.support.peer import RecordedRequest
from tests.support.pictures import noise
from tests.support.replies import Reply
from tests.support.upstream import ScriptedUpstream

# Of this machine; their own tests read them.
OF_THIS_MACHINE = {"check", "copy-config", "db", "doctor"}


def answered(request: RecordedRequest) -> Reply:
    """Answer what chats, rewrites, descriptions and judges ask, and which models there are."""
    if request.method == "GET":  # whenever the service's own list has grown old
        return replies.models("scripted", "seer")
    instructions = str(request.json["messages"][0]["content"])
    if request.json["model"] != "seer" or '"optimized_prompt"' in instructions:
        return replies.completion(json.dumps({"optimized_prompt": "A cat, in soft light"}))
    kind = kind_of(request)
    if kind == "alignment":
        return says(alignment(answers=["yes"] * len(checkpoints_in(request))))
    return says(quality() if kind == "quality" else preference("first"))


@pytest.fixture
def lines(tmp_path: Path) -> Mapping[str, str]:
    """Return a command line for each command, in an order that works."""
    (tmp_path / "a.png").write_bytes(noise((64, 64), "PNG"))
    (tmp_path / "b.png").write_bytes(noise((64, 64), "PNG"))
    shot = {"number": 1, "seconds": 4, "prompt": "A kite rises."}
    (tmp_path / "board.json").write_text(json.dumps({"storyboard": {"shots": [shot]}}))
    a, b, out = (tmp_path / name for name in ("a.png", "b.png", "out.png"))
    return {
        "chat": "chat --model scripted a",
        "optimize": "optimize A-cat-on-a-chair",
        "images generate": f"images generate cat --model layout-sketch --out {out}",
        "images edit": f"images edit blue --image {a} --model layout-sketch --out {tmp_path}/e.png",
        "images show": "images show {job}",
        "images cancel": "images cancel {job}",
        "videos generate": f"videos generate kite --out {tmp_path}/kite.mp4",
        "videos storyboard": f"videos storyboard {tmp_path}/board.json --out {tmp_path}/shot.mp4",
        "videos show": "videos show {film}",
        "videos list": "videos list",
        "videos cancel": "videos cancel {film}",
        "videos delete": "videos delete {film} --yes",
        "judge score": f"judge score {a} --prompt cat",
        "judge compare": f"judge compare {a} {b} --prompt cat",
        "judge describe": f"judge describe {a}",
        "usage report": "usage report --group-by day,model,key",
        "usage plot": "usage plot --metric cost",
        "usage show": "usage show {call}",
        "keys create": "keys create json",
        "keys list": "keys list",
        "keys show": "keys show json",
        "keys edit": "keys edit json --tokens-per-minute 9",
        "keys rotate": "keys rotate json",
        "keys disable": "keys disable json",
        "keys enable": "keys enable json",
        "keys delete": "keys delete json --yes",
        "groups create": "groups create json",
        "groups list": "groups list",
        "groups show": "groups show json",
        "groups edit": "groups edit json --requests 9/minute",
        "groups delete": "groups delete json",
        "audit": "audit --limit 2",
        "lineage report": "lineage report",
    }


def test_every_command_writes_a_document(
    ask: Ask, far_model: ScriptedUpstream, lines: Mapping[str, str]
) -> None:
    far_model.script(replies.api_error(401))
    failed = json.loads(ask("chat", "--model", "scripted", "--json", "a").out)
    names = {"job": "", "film": "", "call": failed["error"]["details"]["request_id"]}
    far_model.script(*[replies.answer_with(answered)] * 100)
    errors = set()
    for name, line in lines.items():
        ran = ask(*line.format(**names).split(), "--json")
        assert ran.out, (name, ran)
        document = json.loads(ran.out)
        errors |= {name} if isinstance(document, dict) and set(document) == {"error"} else set()
        made = {"images generate": "job", "videos generate": "film"}.get(name)
        names |= {made: document["id"]} if made else {}

    known = {" ".join(path) for path in LEAVES if path[0] not in OF_THIS_MACHINE | WITHOUT_JSON}
    assert known - set(lines) == {"judge anchors"}
    # The sketch edits nothing, and a film that is made is cancelled no more.
    assert errors == {"images edit", "videos cancel"}
