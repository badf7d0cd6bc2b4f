"""Asks the routes of films, and knows what their vendor was asked."""

from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.film_upstream import FilmVendor
from tests.support.waiting import wait_until

GENERATE, VIDEOS, OPENAI = "/api/v1/videos/generate", "/api/v1/videos", "/v1/videos"
MODEL = "doubao-seedance-1-0-pro-250528"
# With sound where it is wanted, and with a price.
PRICED = "doubao-seedance-1-5-pro-251215"
PRICES = f"""
[models."{PRICED}"]
kind = "video"
upstream = "video"

[[models."{PRICED}".prices]]
valid_from = 2026-01-01
currency = "CNY"
second = "0.2"
"""


@dataclass(frozen=True)
class Cinema:
    """One test's look at the application; `seen` are the films that were asked for before it."""

    client: FlaskClient
    vendor: FilmVendor
    seen: int

    @property
    def sent(self) -> list[dict[str, Any]]:
        """What the vendor was asked for in this test."""
        return [request.json for request in self.vendor.creates[self.seen :]]

    def generate(self, **body: Any) -> TestResponse:
        """Ask the REST route for a film."""
        headers = body.pop("headers", None)
        return self.client.post(GENERATE, json={"prompt": "A kite", **body}, headers=headers)

    def create(self, **body: Any) -> TestResponse:
        """Ask OpenAI's route for a film, in JSON."""
        headers = body.pop("headers", None)
        return self.client.post(OPENAI, json={"prompt": "A kite", **body}, headers=headers)

    def create_by_form(self, **fields: Any) -> TestResponse:
        """Ask OpenAI's route for a film, with a form."""
        form = {"prompt": "A kite", **fields}
        return self.client.post(OPENAI, data=form, content_type="multipart/form-data")

    def ended(self, video_id: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """Return a task at its end."""
        answer = self.client.get(f"{VIDEOS}/{video_id}?wait_ms=20000", headers=headers)
        document: dict[str, Any] = answer.get_json()
        assert document["completed_at"] is not None, document
        return document

    def never_ends(self) -> None:
        """Have the vendor work on its tasks for longer than a test takes."""
        self.vendor.studio.polls_needed = 100_000

    def running(self) -> str:
        """Return the id of a film that the vendor works on."""
        self.never_ends()
        video_id = str(self.generate().get_json()["id"])
        place = f"{VIDEOS}/{video_id}"
        wait_until(
            lambda: self.client.get(place).get_json()["status"] == "running", 20, "it does not run"
        )
        return video_id

    def queued(self) -> str:
        """Return the id of a film that the vendor has accepted, and not begun with."""
        looked = len(self.vendor.polls)
        self.vendor.says(*["queued"] * 5)
        video_id = str(self.generate().get_json()["id"])
        wait_until(lambda: len(self.vendor.polls) > looked, 20, "nobody looks at it")
        return video_id
