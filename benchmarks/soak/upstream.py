"""The upstream of a soak: it answers as the text of a call asks it to, and counts the calls.

A GET is answered with the number of different calls that have reached it, by their kind.
"""

import argparse
import asyncio
import json
import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.harness.event_stream import HEAD, EventStreams, content_event, framed
from benchmarks.harness.ill_upstream import json_answer
from benchmarks.harness.programs import PACKAGE_PARENT
from benchmarks.harness.servers import Program
from benchmarks.harness.upstream import (
    HEAD_END,
    SENTENCE,
    Connection,
    completion_body,
    fixed_answer,
)
from benchmarks.soak.mix import MARK

STREAM_SECONDS = 2.0
LONG_BYTES = 65_536
# Of the streams that are left: they must not be over before their reader has gone.
LEFT_STREAM_SECONDS = 60.0
DETAILS = (
    " Soft morning light falls from the left and draws long shadows over the ground, while the far"
    " side stays in a cool half shade. The surface shows fine scratches, a dull gloss and a little"
    " dust in the corners. Muted earthy tones surround the main color, which stays the strongest."
)
REFUSALS = {
    b"limited": json_answer("429 Too Many Requests", {"error": {"message": "slow down"}}),
    b"failing": json_answer("500 Internal Server Error", {"error": {"message": "out of order"}}),
    b"unknown": json_answer(
        "404 Not Found",
        {"error": {"message": "The model does not exist", "code": "model_not_found"}},
    ),
}


@dataclass
class Reached:
    """The numbers of the calls that were seen, by their kind, and of all attempts."""

    calls: dict[bytes, set[int]] = field(default_factory=dict)
    attempts: Counter[bytes] = field(default_factory=Counter)

    def note(self, kind: bytes, number: int) -> None:
        """Count an attempt."""
        self.calls.setdefault(kind, set()).add(number)
        self.attempts[kind] += 1

    def report(self) -> dict[str, dict[str, int]]:
        """Return the numbers of different calls and of attempts, by kind."""
        return {
            "calls": {kind.decode(): len(numbers) for kind, numbers in self.calls.items()},
            "attempts": {kind.decode(): count for kind, count in self.attempts.items()},
        }


class SoakConnection(Connection):
    """A connection that answers every kind of call in its way."""

    def __init__(self, reached: Reached, streams: EventStreams, long: EventStreams) -> None:
        """Share what was reached, and the two lengths of streams."""
        super().__init__(fixed_answer(), streams)
        self._reached = reached
        self._long = long

    def _reply(self, transport: asyncio.Transport, request: bytes) -> None:
        mark = MARK.search(request)
        if mark is None:
            transport.write(json_answer("200 OK", self._reached.report()))
            return
        kind = mark[1]
        self._reached.note(kind, int(mark[2]))
        if kind in REFUSALS:
            transport.write(REFUSALS[kind])
        elif kind == b"optimize":
            transport.write(rewrite(request))
        elif kind == b"filling":
            transport.write(LONG_ANSWER)
        elif kind == b"cut":
            transport.write(HEAD + framed(content_event("It breaks")))
            asyncio.get_running_loop().call_later(STREAM_SECONDS / 10, transport.abort)
        elif kind.endswith(b"_left"):
            self._long.start(transport, has_usage=True)
        else:
            super()._reply(transport, request)


def rewrite(request: bytes) -> bytes:
    """Answer as a good model does: with the description, and details behind it."""
    body = json.loads(request.partition(HEAD_END)[2])
    description = json.loads(body["messages"][1]["content"])["description"]
    return completion(json.dumps({"optimized_prompt": f"{description}.{DETAILS}"}))


def completion(text: str) -> bytes:
    """Return an answer with this text."""
    document = json.loads(completion_body())
    document["choices"][0]["message"]["content"] = text
    return json_answer("200 OK", document)


def soak_upstream_program(port: int, directory: Path) -> Program:
    """Return the upstream of a soak."""
    return Program(
        name="soak upstream",
        command=[sys.executable, "-m", "benchmarks.soak.upstream", str(port)],
        port=port,
        directory=PACKAGE_PARENT,
        environment=os.environ,
        log=directory / "soak-upstream.log",
    )


LONG_ANSWER = completion(SENTENCE * (LONG_BYTES // len(SENTENCE)))


async def serve(port: int) -> None:
    """Serve on 127.0.0.1 until the process is ended."""
    reached = Reached()
    streams, long = EventStreams(STREAM_SECONDS), EventStreams(LEFT_STREAM_SECONDS)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SoakConnection(reached, streams, long), host="127.0.0.1", port=port, backlog=1024
    )
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks.soak.upstream", description=__doc__)
    parser.add_argument("port", type=int)
    asyncio.run(serve(parser.parse_args().port))
