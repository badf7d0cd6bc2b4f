"""The examples of errors in the API document, and requests that could get each."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

_PLACE = re.compile(r"\{(\w+)\}")
# Of an example, which no two services share.
_OF_ITS_OWN = re.compile(r"key_[0-9a-f]{16}|\d+ bytes")
_IDS = {"engine": "scripted", "model_id": "scripted"}
NOBODY = "nobody-has-this-id"
ADMIN_KEY = "adm-9f8e7d6c5b4a3f2e1d0c9b8a7f6e5d4c"
ADMIN = {"Authorization": f"Bearer {ADMIN_KEY}"}
NOWHERE = "http://127.0.0.1:9/v1"
UPSTREAM = {"FAST_LLM_API_URL": NOWHERE, "FAST_LLM_MODEL": "scripted"}
# A service with models of every kind, which wants keys.
CLOSED = {
    "REQUIRE_API_KEY": "true",
    "ADMIN_API_KEY": ADMIN_KEY,
    "RATE_LIMIT": "100000/minute",
    "JUDGE_LLM_API_URL": NOWHERE,
    "JUDGE_LLM_MODEL": "seer",
    "IMAGE_LLM_API_URL": NOWHERE,
    "IMAGE_LLM_API_KEY": "sk-canary",
    "IMAGE_LLM_MODEL": "gpt-image-2",
    "IMAGE_LLM_PROFILE": "openai",
    "VIDEO_LLM_API_URL": NOWHERE,
    "VIDEO_LLM_API_KEY": "sk-canary",
    "VIDEO_LLM_MODEL": "doubao-seedance-1-0-pro-250528",
    "VIDEO_LLM_PROFILE": "volcengine-ark",
    "CIRCUIT_BREAKER": "false",
}
SKETCH = {"prompt": "A cat", "model": "layout-sketch"}


@dataclass(frozen=True)
class DocumentedError:
    """An example of an error, and the request of its operation that the document has."""

    operation: str
    method: str
    path: str
    body: Any
    status: str
    reason: str
    shown: Mapping[str, Any]

    @property
    def needs_admin(self) -> bool:
        """Whether the route is for admins alone."""
        return self.path.startswith(("/api/v1/keys", "/api/v1/groups", "/api/v1/audit"))

    def send(self, client: FlaskClient, key: str | None = None, **changes: Any) -> TestResponse:
        """Send the request; `changes` are options of the test client, and take its place."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        path = _PLACE.sub(lambda place: _IDS.get(place[1], NOBODY), self.path)
        usual = {"method": self.method, "headers": headers | changes.pop("headers", {})}
        body = {} if self.body is None or "data" in changes else {"json": self.body}
        return client.open(path, **usual | body | changes)

    def difference(self, answer: TestResponse) -> str | None:
        """Return how an answer differs from the example; None where it does not."""
        expected = answer.status_code if self.status == "default" else int(self.status)
        document = answer.get_json(silent=True)
        if not (document or {}).get("error"):
            return f"{answer.status_code} {answer.text[:300]} is no error"
        got, shown = facts(document), facts(self.shown)
        same = answer.status_code == expected and got == shown
        return None if same else f"{answer.status_code} {got} is not {self.status} {shown}"


def facts(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return an error without ids and sizes, which no two share."""
    error = dict(document["error"])
    error["message"] = _OF_ITS_OWN.sub("…", error["message"])
    details = {n: v for n, v in error["details"].items() if n != "request_id"}
    named = {name: value for name, value in document.items() if name != "request_id"}
    return named | {"error": error | {"details": details}}


def documented_errors(document: Mapping[str, Any]) -> Iterator[DocumentedError]:
    """Yield every example of an error."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            contents = operation.get("requestBody", {}).get("content", {})
            body = contents.get("application/json", {}).get("example")
            for status, response in operation["responses"].items():
                if status < "4":
                    continue
                examples = response["content"]["application/json"]["examples"]
                for reason, example in examples.items():
                    yield DocumentedError(
                        operation["operationId"],
                        method.upper(),
                        path,
                        body,
                        status,
                        reason,
                        example["value"],
                    )


def differences(
    examples: Sequence[DocumentedError],
    reason: str,
    answer: Callable[[DocumentedError], TestResponse],
) -> dict[str, str]:
    """Return which operations do not answer as the document says, and what they do answer.

    Each is named with the status that it documents: a reason can have several.

    Args:
        examples: of which those of the reason are looked at; there must be some.
        reason: that of the error.
        answer: provokes it.
    """
    of_reason = [one for one in examples if one.reason == reason]
    assert of_reason, reason
    found = {f"{one.operation} {one.status}": one.difference(answer(one)) for one in of_reason}
    return {operation: words for operation, words in found.items() if words is not None}


def key_with(client: FlaskClient, **properties: Any) -> str:
    """Issue a key; a limit of its own keeps it from the limit of all."""
    usual = {"name": "shop", "limits": {"requests": "10000/minute"}}
    made = client.post("/api/v1/keys", json=usual | properties, headers=ADMIN)
    secret: str = made.get_json()["secret"]
    return secret


def bearer(key: str) -> dict[str, str]:
    """Return the header that presents a key."""
    return {"Authorization": f"Bearer {key}"}
