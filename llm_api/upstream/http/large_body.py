"""Reads the body of an upstream's answer in turns with everything else: it may be a picture."""

from collections.abc import Iterator

from llm_api.runtime.turns import LARGE_WORK, gathered
from llm_api.upstream import faults
from llm_api.upstream.http.framing import READ_BYTES
from llm_api.upstream.http.response_body import UpstreamResponse, inflating, received


def body_pieces(response: UpstreamResponse, max_bytes: int) -> Iterator[bytes]:
    """Yield the body as it comes, at most `max_bytes` after inflating; raises faults.Fault."""
    read = inflating(response).read if response.is_compressed else None
    total = since = 0
    while piece := received(response.raw, read):
        total, since = total + len(piece), since + len(piece)
        if total > max_bytes:
            raise faults.too_large()
        yield piece
        if since >= READ_BYTES:  # where all is there already, no read waits
            since = 0
            LARGE_WORK.wait()


def read_large_body(response: UpstreamResponse, max_bytes: int) -> bytes:
    """Read the whole body, at most `max_bytes` after inflating; raises faults.Fault."""
    length = response.headers.get("content-length", "")
    expected = min(int(length), max_bytes) if length.isdecimal() else 0
    return gathered(body_pieces(response, max_bytes), expected)
