"""What every picture process does: it gives up its rights, and answers requests one by one.

Each picture may have been made to take over whoever reads it. So the process has nothing to take:
no environment, no descriptor but its socket, no way to open another, and bounded memory and time.
"""

import os
import resource
import select
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

from llm_api.pictures import wire
from llm_api.pictures.child.refusal import Refusal

_SOCKET = 0
_MAX_DESCRIPTORS = 65_536
# Behind the worker, where there are fewer processors than work: chat must not wait for pictures.
_NICENESS = 10
# The worker ends the process at its time limit; this ends it where there is no worker any more.
_SECONDS_BEHIND = 5
_PIECE_BYTES = 1024 * 1024

Answer = tuple[Mapping[str, Any], bytes]


def enter() -> None:
    """Leave what the worker has behind; comes before anything else."""
    os.closerange(3, _MAX_DESCRIPTORS)
    os.nice(_NICENESS)


def serve(
    answer: Callable[[Mapping[str, Any], bytes], Answer],
    *,
    memory_bytes: int,
    idle_seconds: float | None = None,
) -> None:
    """Answer requests until the input ends. Whatever is read from files must have been before.

    Args:
        answer: returns the head and the body of an answer; may raise Refusal and MemoryError.
        memory_bytes: of address space.
        idle_seconds: how long it waits for a request before it ends; None for ever.
    """
    _give_up_rights(memory_bytes)
    while (request := _receive(idle_seconds)) is not None:
        head, body = request
        signal.alarm(int(head["seconds"]) + _SECONDS_BEHIND)
        said, written = _answered(answer, head, body)
        _send(wire.opening(said, len(written)))
        _send(written)
        del request, head, body, written  # not kept until the next one is here
        signal.alarm(0)


def _give_up_rights(memory_bytes: int) -> None:
    if sys.platform != "darwin":  # which refuses this limit
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    for limit, value in (
        (resource.RLIMIT_NOFILE, 3),  # those it has: no file, no connection
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))


def _answered(
    answer: Callable[[Mapping[str, Any], bytes], Answer], head: Mapping[str, Any], body: bytes
) -> Answer:
    try:
        return answer(head, body)
    except Refusal as refusal:
        return {"defect": refusal.defect, "problem": refusal.problem}, b""
    except MemoryError:
        problem = "takes more memory than there is for one picture. Send a smaller one."
        return {"defect": "too_costly", "problem": problem}, b""


def _receive(idle_seconds: float | None) -> tuple[Mapping[str, Any], bytes] | None:
    if not select.select([_SOCKET], [], [], idle_seconds)[0]:
        return None
    packed = _read(wire.LENGTHS.size)
    if packed is None:
        return None
    head_bytes, body_bytes = wire.lengths(packed)
    head = _read(head_bytes)
    body = _read(body_bytes)
    if head is None or body is None:
        return None
    return wire.head_of(head), body


def _read(length: int) -> bytes | None:
    """Return so many bytes; None where the input ends before."""
    pieces = []
    while length:
        piece = os.read(_SOCKET, min(length, _PIECE_BYTES))
        if not piece:
            return None
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


def _send(data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(_SOCKET, rest) :]
