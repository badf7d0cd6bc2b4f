"""Films on the page of tasks, for admins."""

from collections.abc import Mapping

import pytest
from flask import Flask

from tests.web.console.signed_in import SignedIn
from tests.web.keyed import ADMIN, CLOSED
from tests.web.videos.cinema import Cinema

TASKS = "/console/operate/tasks"


@pytest.fixture(scope="module")
def module_env() -> Mapping[str, str]:
    """Require keys."""
    return CLOSED


def test_a_film_is_cancelled_as_far_as_its_vendor_can(film_app: Flask, cinema: Cinema) -> None:
    cinema.client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {ADMIN}"
    admin = SignedIn.with_key(film_app, ADMIN)
    for make, done in (cinema.queued, "cancelled"), (cinema.running, "too_late"):
        video_id = make()

        answer = admin.send(f"{TASKS}/{video_id}/cancel")

        assert answer.status_code == 303, answer.text
        assert answer.headers["Location"] == f"{TASKS}?done={done}"
