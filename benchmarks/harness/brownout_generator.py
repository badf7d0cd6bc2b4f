"""The load generator's process for brown-outs: constant load while an upstream falls ill.

It reads a `BrownoutLoad` as JSON from its standard input and writes a `Timeline` as JSON to its
standard output. This process makes the upstream ill and well itself, so that it knows exactly when.
"""

import dataclasses
import gc
import json
import sys

from benchmarks.harness import ill_upstream
from benchmarks.harness.open_loop import Answer, OpenLoad, OpenLoop

# The load ends when there has been no failure for so long.
STEADY_SECONDS = 3.0


@dataclasses.dataclass(frozen=True)
class BrownoutLoad(OpenLoad):
    """A load of so many calls a second while the upstream falls ill.

    The upstream is well for `well_seconds`, ill for `ill_seconds`, and well again until the calls
    go well, or until `seconds` are over in all.
    """

    upstream_port: int
    illness: str
    well_seconds: float
    ill_seconds: float


@dataclasses.dataclass(frozen=True)
class Timeline:
    """What happened: the answers, the times at which the upstream was asked, and its illness."""

    ill_at: float
    well_at: float
    ended_at: float
    answers: list[Answer]
    hits: list[float]

    @classmethod
    def from_json(cls, text: bytes) -> "Timeline":
        """Read what the process wrote."""
        fields = json.loads(text)
        return cls(**{**fields, "answers": [Answer(**answer) for answer in fields["answers"]]})


def run(load: BrownoutLoad) -> Timeline:
    """Make the upstream ill and well again under load."""
    loop = OpenLoop(load)
    end = loop.due + load.seconds
    loop.send_until(loop.due + load.well_seconds)
    ill_at = ill_upstream.become(load.upstream_port, load.illness)
    loop.send_until(ill_at + load.ill_seconds)
    well_at = ill_upstream.become(load.upstream_port, ill_upstream.WELL)
    loop.last_failure_at = well_at
    while loop.due < min(end, loop.last_failure_at + STEADY_SECONDS):
        loop.send_when_due()
    ended_at = loop.due
    answers = loop.end()
    return Timeline(ill_at, well_at, ended_at, answers, ill_upstream.hits(load.upstream_port))


if __name__ == "__main__":
    given = BrownoutLoad(**json.load(sys.stdin))
    # A collection in the middle of a load would be measured as the server's latency.
    gc.disable()
    json.dump(dataclasses.asdict(run(given)), sys.stdout)
