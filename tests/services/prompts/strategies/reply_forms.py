"""Reads the table of replies as models write them, and sends each through the optimizer."""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from llm_api.domain.prompts import PromptRequest
from llm_api.services.prompts.optimizer import PromptOptimizer
from tests.services.calls import CALLER
from tests.support import replies
from tests.support.upstream import ScriptedUpstream

TABLE = Path(__file__).with_name("reply_forms.toml")
TABLES = (TABLE, TABLE.with_name("unseen_forms.toml"))
PROMPTS = {"en": "A cat sitting on a chair", "zh": "一只猫坐在椅子上"}
SIGN_PROMPT = 'A cat sitting on a chair under a sign that says "OPEN"'
_CAT = (
    "A tabby cat sitting on a worn wooden chair beside a tall window, soft morning light falling"
    " from the left across its striped fur. Muted ochre and gray tones fill the quiet room, and"
    " the plain plaster wall behind stays out of focus. Eye-level view with the whole chair in"
    " frame."
)
TEXTS = {
    "{}": _CAT,
    "{q}": _CAT.replace("The", "the").replace(
        "Muted", 'A wooden sign above it says "OPEN" in white letters. Muted'
    ),
    "{zh}": (
        "一只虎斑猫坐在磨旧的木椅上，旁边是高高的窗户，柔和的晨光从左侧照在它的条纹皮毛上。"
        "安静的房间里是柔和的赭色与灰色，后方朴素的灰泥墙面虚化。平视角度，整把椅子都在画面中。"
    ),
    "{1}": _CAT,
    "{2}": (
        "A black cat sitting on a red velvet chair in the evening, warm lamp light from the right"
        " and deep shadows behind it. Rich burgundy and brown tones, smooth fabric and polished"
        " wood, a dark paneled wall in the background. Low-angle view, the cat centered in the"
        " frame with some space above."
    ),
    "{3}": (
        "A white cat sitting on a simple chair of pale birch in an empty bright studio, even"
        " diffused daylight from above. Pale gray and cream tones, fine fur texture and smooth"
        " wood grain, a seamless backdrop behind. Wide shot at eye level with generous space on"
        " both sides of the chair."
    ),
}
OPTIONS = [TEXTS["{1}"], TEXTS["{2}"], TEXTS["{3}"]]


@dataclass(frozen=True)
class Form:
    """One reply, what is usable of it, and the reason that the upstream gives for its end."""

    kind: str
    want: str
    template: str
    finish_reason: Any

    @property
    def reply(self) -> str:
        """The reply with the rewrites in it."""
        text = self.template
        quoted = json.dumps(TEXTS["{q}"])[1:-1]
        for mark, rewrite in ({"{qj}": quoted} | TEXTS).items():
            text = text.replace(mark, rewrite)
        return text

    @property
    def prompt(self) -> str:
        """The prompt that it answers."""
        if "{q" in self.template:
            return SIGN_PROMPT
        has_chinese = "{zh}" in self.template or "虎斑" in self.template
        return PROMPTS["zh" if has_chinese else "en"]

    @property
    def expected(self) -> list[str]:
        """The rewrites that are usable, in their order."""
        if self.want == "options":
            return OPTIONS
        marks = {"{qj}": "{q}"}
        found = (mark for mark in ("{zh}", "{q}", "{qj}", "{}") if mark in self.template)
        return [] if self.want == "none" else [TEXTS[marks.get(mark, mark)] for mark in found][:1]


def read_forms() -> Iterator[Form]:
    """Yield all forms of the tables."""
    for table in TABLES:
        for group in tomllib.loads(table.read_text("utf-8"))["group"]:
            for template in group["replies"]:
                for reason in group.get("finish_reasons", ["stop"]):
                    yield Form(group["kind"], group["want"], template, reason)


def rewritten(
    form: Form, server: ScriptedUpstream, optimizer: PromptOptimizer, *, n: int = 1
) -> list[str]:
    """Return the rewrites that the optimizer gives for a reply; none where it falls back.

    Asked to correct a reply, the upstream repeats it.
    """
    server.clear()
    server.script(*[_completion(form)] * 2)
    answer = optimizer.optimize(PromptRequest(form.prompt, "image", n=n), CALLER).answer
    given = list(answer.candidates or [answer.optimized_prompt])
    return [text for text in given if text != form.prompt]


def _completion(form: Form) -> replies.Reply:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": form.reply},
        "finish_reason": form.finish_reason,
    }
    return replies.json_reply(HTTPStatus.OK, {"model": "scripted", "choices": [choice]})
