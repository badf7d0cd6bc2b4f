"""The kinds of calls of a soak, and the request of each.

The text of every call names its kind and its number, so that the upstream knows how to answer, and
how many different calls have reached it, however often each was tried.
"""

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.harness.keys import bearer

CHAT = "/v1/chat/completions"
REST = "/api/v1/llm/chat"
RESPONSES = "/v1/responses"
MESSAGES = "/v1/messages"
OPTIMIZE = "/api/v1/llm/optimize-prompt"
# A third of the names of models are unknown to the upstream, too.
OTHER_PART = 3
STRIDE = 1_009  # a prime: callers come in no order
MARK = re.compile(rb"soak-([a-z_]+)-(\d+)")
OK, LEFT, FAILED = "ok", "client_closed", "upstream_error"


@dataclass(frozen=True)
class Kind:
    """A kind of calls.

    Attributes:
        path, is_stream: where it is sent, and whether a stream is asked for.
        row: the status that its row in the ledger must have.
        share: its calls in a hundred.
        is_left: whether the client leaves after the first bytes of the stream.
        knows_model: whether the upstream knows the model.
    """

    path: str
    row: str
    share: int
    is_stream: bool = False
    is_left: bool = False
    knows_model: bool = True


KINDS = {
    "chat": Kind(CHAT, OK, 15),
    "rest": Kind(REST, OK, 8),
    "responses": Kind(RESPONSES, OK, 8),
    "messages": Kind(MESSAGES, OK, 8),
    "chat_stream": Kind(CHAT, OK, 12, is_stream=True),
    "responses_stream": Kind(RESPONSES, OK, 6, is_stream=True),
    "messages_stream": Kind(MESSAGES, OK, 6, is_stream=True),
    "optimize": Kind(OPTIMIZE, OK, 10),
    "chat_left": Kind(CHAT, LEFT, 4, is_stream=True, is_left=True),
    "responses_left": Kind(RESPONSES, LEFT, 3, is_stream=True, is_left=True),
    "messages_left": Kind(MESSAGES, LEFT, 3, is_stream=True, is_left=True),
    "limited": Kind(CHAT, FAILED, 2),
    "failing": Kind(CHAT, FAILED, 2),
    "cut": Kind(CHAT, FAILED, 2, is_stream=True),
    "unknown": Kind(CHAT, FAILED, 11, knows_model=False),
    # Before the traffic: answers so long that what a worker keeps of them is full at once.
    "filling": Kind(RESPONSES, OK, 0),
}


@dataclass(frozen=True)
class SoakCall:
    """One call: what is sent, and what its client does."""

    kind: str
    path: str
    body: bytes
    headers: dict[str, str]

    @property
    def is_left(self) -> bool:
        """Whether the client leaves in the middle of the answer."""
        return KINDS[self.kind].is_left


def kinds_in_turn() -> Iterator[str]:
    """Yield the kinds for ever, each as often as its share, and spread over the hundred."""
    turns = [
        ((place + 0.5) / kind.share, name)
        for name, kind in KINDS.items()
        for place in range(kind.share)
    ]
    return itertools.cycle(name for _, name in sorted(turns))


def calls(secrets: list[str], models: int) -> Iterator[SoakCall]:
    """Yield calls for ever: callers and models in turn, so that all are soon known.

    Args:
        secrets: the keys of the callers.
        models: the number of names of models.
    """
    others = models // OTHER_PART
    names = {
        True: itertools.cycle(f"known-model-{n}" for n in range(models - others)),
        False: itertools.cycle(f"other-model-{n}" for n in range(others)),
    }
    for number, kind in enumerate(kinds_in_turn()):
        # Shifted with every pass through the callers, who else would make the same call again.
        place = number * STRIDE + number // len(secrets)
        caller = bearer(secrets[place % len(secrets)])
        headers = {"Content-Type": "application/json", **caller}
        body = json.dumps(_body(kind, number, next(names[KINDS[kind].knows_model]))).encode()
        yield SoakCall(kind, KINDS[kind].path, body, headers)


def filling(secrets: list[str]) -> Iterator[SoakCall]:
    """Yield calls for ever whose answers fill a worker's memory of Responses."""
    for number in itertools.count():
        headers = {"Content-Type": "application/json", **bearer(secrets[number % len(secrets)])}
        body = json.dumps(_body("filling", number, "known-model-0")).encode()
        yield SoakCall("filling", RESPONSES, body, headers)


def _body(kind: str, number: int, model: str) -> dict[str, Any]:
    text = f"soak-{kind}-{number}"
    path, is_stream = KINDS[kind].path, KINDS[kind].is_stream
    if path == OPTIMIZE:
        return {"prompt": f"a red cat on a sill beside the vase {text}", "type": "image"}
    if path == RESPONSES:
        return {"model": model, "input": text, "stream": is_stream}
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": text}]}
    if path == REST:
        return body
    if path == MESSAGES:
        body["max_tokens"] = 200
    return {**body, "stream": is_stream}
