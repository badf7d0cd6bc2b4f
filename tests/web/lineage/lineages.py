"""What the tests of lineages share: an application with a scripted model and the layout sketch."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support import replies
from tests.support.upstream import ScriptedUpstream

LINEAGE, FEEDBACK = "/api/v1/lineage/", "/api/v1/feedback"
OPTIMIZE, GENERATE = "/api/v1/llm/optimize-prompt", "/api/v1/images/generate"
CAT = "A cat sitting on a chair"
LIGHT = "soft morning light from the left, warm muted tones, fine texture of the old painted wood"
BETTER = f"{CAT}, {LIGHT}, close-up, shallow depth of field."
SKETCH = {"model": "layout-sketch", "prompt": "A red cat to the left of a blue dog"}


@dataclass
class Asker:
    """Asks an application, and reads its answers."""

    app: Flask
    upstream: ScriptedUpstream

    @property
    def client(self) -> FlaskClient:
        """A client without a socket in between."""
        return self.app.test_client()

    def optimize(
        self, lineage: str | None = None, headers: Mapping[str, str] | None = None, **fields: object
    ) -> dict[str, Any]:
        """Rewrite a prompt in a lineage, well."""
        self.upstream.script(replies.completion(json.dumps({"optimized_prompt": BETTER})))
        named = {} if lineage is None else {"X-Lineage-Id": lineage}
        body = {"prompt": CAT, "type": "image", **fields}
        answer = self.client.post(OPTIMIZE, json=body, headers={**named, **(headers or {})})
        return self._good(answer)

    def draw(
        self, lineage: str | None = None, headers: Mapping[str, str] | None = None, **fields: object
    ) -> dict[str, Any]:
        """Draw a layout in a lineage."""
        named = {} if lineage is None else {"X-Lineage-Id": lineage}
        answer = self.client.post(
            GENERATE, json={**SKETCH, **fields}, headers={**named, **(headers or {})}
        )
        return self._good(answer)

    def say(self, headers: Mapping[str, str] | None = None, **fields: object) -> TestResponse:
        """Give feedback."""
        return self.client.post(FEEDBACK, json=fields, headers=headers)

    def said(self, headers: Mapping[str, str] | None = None, **fields: object) -> dict[str, Any]:
        """Give feedback that is taken."""
        return self._good(self.say(headers, **fields))

    def get(self, lineage: str, headers: Mapping[str, str] | None = None) -> TestResponse:
        """Ask for a lineage."""
        return self.client.get(LINEAGE + lineage, headers=headers)

    def lineage(self, lineage: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return a lineage, with what was on its way when it was asked for."""
        self.app.extensions["llm_api"].lineage.flush()
        return self._good(self.get(lineage, headers))

    @staticmethod
    def _good(answer: TestResponse) -> dict[str, Any]:
        assert answer.status_code == 200, answer.data
        found: dict[str, Any] = json.loads(answer.data)
        return found


def picture_id_of(generation: Mapping[str, Any]) -> str:
    """Return the id of the first picture of an answer."""
    return str(generation["data"][0]["url"].rpartition("/")[2])
