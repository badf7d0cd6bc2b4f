"""What a worker and its picture process say to each other: frames over a pair of sockets.

A frame is the length of its head (32 bits) and of its body (64 bits), both big-endian, the head as
JSON, and the body: the bytes of a picture. The process may have been taken over by a picture, so
that nothing it sends is believed to be well formed.
"""

import json
import struct
from collections.abc import Mapping
from typing import Any

LENGTHS = struct.Struct(">IQ")
MAX_HEAD_BYTES = 4 * 1024 * 1024
MAX_BODY_BYTES = 512 * 1024 * 1024


class WireError(Exception):
    """What came is no frame."""


def opening(head: Mapping[str, Any], body_bytes: int) -> bytes:
    """Return a frame up to its body."""
    text = json.dumps(head).encode()
    return LENGTHS.pack(len(text), body_bytes) + text


def lengths(packed: bytes) -> tuple[int, int]:
    """Return the lengths of a head and a body; raises WireError where they are too large."""
    head_bytes, body_bytes = LENGTHS.unpack(packed)
    if head_bytes > MAX_HEAD_BYTES or body_bytes > MAX_BODY_BYTES:
        raise WireError("A frame is too large.")
    return head_bytes, body_bytes


def head_of(text: bytes) -> Mapping[str, Any]:
    """Return a head; raises WireError where it is no JSON object."""
    try:
        head = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WireError("A head is no JSON.") from error
    if not isinstance(head, dict):
        raise WireError("A head is no object.")
    return head
