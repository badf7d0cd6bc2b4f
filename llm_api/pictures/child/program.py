"""The program of a picture process: reads, writes and draws until its input ends."""

from collections.abc import Callable, Mapping
from typing import Any

from llm_api.pictures.child import drawing, reading, rehearsal, serving, writing

_MEMORY_BYTES = 1024 * 1024 * 1024
_ACTIONS: Mapping[str, Callable[[Mapping[str, Any], bytes], bytes]] = {
    "prepare": lambda head, body: writing.prepared(reading.opened(head, body), head, body),
    "mask": lambda head, body: writing.mask(reading.opened(head, body), head),
    "convert": lambda head, body: writing.converted(reading.opened(head, body), head),
    "draw": lambda head, _: drawing.drawn(head),
}


def main() -> None:
    """Answer requests until the input ends."""
    serving.enter()
    rehearsal.rehearse()
    serving.serve(_answer, memory_bytes=_MEMORY_BYTES)


def _answer(head: Mapping[str, Any], body: bytes) -> serving.Answer:
    return {}, _ACTIONS[head["do"]](head, body)
