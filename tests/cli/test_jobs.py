"""How commands wait for jobs: through restarts of the service, and as often as that says."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from llm_api.cli.calling.api_client import ApiClient, Request
from llm_api.cli.calling.exit_codes import FAILED, RETRY_LATER, UNREACHABLE, CommandFailed
from llm_api.cli.film_jobs import FILMS
from llm_api.cli.jobs import ended, state_of
from tests.support.tables import each

RUNNING = {"id": "video_1", "status": "running", "poll_after_ms": 5_000, "progress": 40}
DONE = {**RUNNING, "status": "succeeded", "poll_after_ms": None}


class Told:
    """A response with a document."""

    status = 200

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Answer with it."""
        self._document = document

    def pieces(self) -> Iterator[bytes]:
        """Yield it."""
        yield json.dumps(self._document).encode()

    def close(self) -> None:
        """Keep nothing."""


class Scripted:
    """A service that answers with tasks, or fails with exit codes, in this order."""

    def __init__(self, *turns: Mapping[str, Any] | int) -> None:
        """Answer so."""
        self._turns = iter(turns)
        self.paths: list[str] = []

    def open(self, request: Request) -> Told:
        """Take the next turn."""
        self.paths.append(request.path)
        turn = next(self._turns)
        if isinstance(turn, int):
            raise CommandFailed("It is away.", turn)
        return Told(turn)

    def close(self) -> None:
        """Keep nothing."""


@each("code", [UNREACHABLE, RETRY_LATER])
def test_a_job_is_waited_for_while_its_service_is_away(code: int) -> None:
    service, slept = Scripted(code, code, RUNNING, code, DONE), list[float]()

    task = ended(FILMS, ApiClient(service), RUNNING, 600, slept.append)

    assert (task["status"], slept) == ("succeeded", [2.0] * 3)
    assert service.paths == ["/api/v1/videos/video_1?wait_ms=5000"] * 5


@each(("code", "wait", "count"), [(FAILED, 600, 0), (UNREACHABLE, 600, 30), (RETRY_LATER, 6.5, 3)])
def test_what_does_not_pass_ends_the_wait(code: int, wait: float, count: int) -> None:
    service, slept = Scripted(*[code] * 40), list[float]()

    with pytest.raises(CommandFailed, match="away"):
        ended(FILMS, ApiClient(service), RUNNING, wait, slept.append)

    assert len(slept) == count


@each(
    ("more", "said"),
    [({"progress": 40}, "video_1 is running, 40 %"), ({"progress": None}, "video_1 is running")],
)
def test_progress_is_what_the_vendor_tells(more: dict[str, Any], said: str) -> None:
    assert state_of({**RUNNING, **more}) == said
