"""OpenAI's images: JSON and forms, whole and streamed. It answers base64 only."""

import json
import re
from collections.abc import Mapping
from typing import Any

from tests.support.image_scene import Kind, Scene, count_of
from tests.support.peer import RecordedRequest
from tests.support.replies import Reply, api_error, json_reply, sse

CREATED = 1_764_000_000
_FIELDS = frozenset(
    ["prompt", "model", "n", "size", "quality", "background", "output_format", "moderation",
     "output_compression", "stream", "partial_images", "safety_identifier", "user",
     "input_fidelity", "complexity"]
)  # fmt: skip
_FILES = frozenset(["image", "image[]", "mask"])
USAGE: Mapping[str, Any] = {
    "input_tokens": 12,
    "input_tokens_details": {"text_tokens": 12, "image_tokens": 0},
    "output_tokens": 4160,
    "total_tokens": 4172,
}


class OpenAI:
    """OpenAI itself."""

    base = "/v1"

    def kind(self, request: RecordedRequest) -> Kind:
        """Only creates are known."""
        paths = (f"{self.base}/images/generations", f"{self.base}/images/edits")
        return "create" if request.method == "POST" and request.path in paths else "other"

    def create(self, scene: Scene) -> Reply:
        """Answer with base64, or with what is wrong."""
        return self.refusal(scene) or self.answer(scene)

    def poll(self, _scene: Scene) -> Reply:
        """There are no tasks."""
        return api_error(404)

    def cancel(self, _scene: Scene) -> Reply:
        """There are no tasks."""
        return api_error(404)

    def refusal(self, scene: Scene) -> Reply | None:
        """Refuse what OpenAI does not know, by its name."""
        for name in scene.body:
            if name not in _FIELDS:
                return invalid("unknown_parameter", f"Unknown parameter: '{name}'.", name)
        for name in scene.file_names:
            if name not in _FILES:
                return invalid("unknown_parameter", f"Unknown parameter: '{name}'.", name)
        if scene.request.path.endswith("/edits") and not _FILES & set(scene.file_names):
            return invalid("missing_required_parameter", "Missing: 'image'.", "image")
        size = scene.body.get("size", "auto")
        if size != "auto" and not _is_legal(size):
            return invalid("invalid_value", f"Invalid size '{size}'.", "size")
        return None

    def answer(self, scene: Scene) -> Reply:
        """Paint what was asked for."""
        count = count_of(scene.body.get("n"))
        if str(scene.body.get("stream")).lower() == "true":
            return _stream(scene, count)
        data = [{"b64_json": scene.base64()} for _ in range(count)]
        return json_reply(
            200,
            {"created": CREATED, "data": data, **_echo(scene), "usage": USAGE},
            [("x-request-id", "req_openai")],
        )


def invalid(code: str, message: str, param: str | None) -> Reply:
    """Refuse a field with a 400 in OpenAI's form."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return json_reply(400, {"error": error})


def _is_legal(size: str) -> bool:
    found = re.fullmatch(r"(\d{2,4})x(\d{2,4})", size)
    return found is not None and not (int(found[1]) % 16 or int(found[2]) % 16)


def _echo(scene: Scene) -> dict[str, Any]:
    body = scene.body
    return {
        "background": body.get("background", "opaque"),
        "output_format": body.get("output_format", "png"),
        "quality": body.get("quality", "high"),
        "size": body.get("size", "1024x1024"),
    }


def _stream(scene: Scene, count: int) -> Reply:
    word = "image_edit" if scene.request.path.endswith("/edits") else "image_generation"
    echo = {"created_at": CREATED, **_echo(scene)}
    events: list[bytes] = []
    for _ in range(count):
        for index in range(count_of(scene.body.get("partial_images"), 0)):
            partial = {"b64_json": scene.base64(charges=False), "partial_image_index": index}
            events.append(event(f"{word}.partial_image", {**partial, **echo}))
        done = {"b64_json": scene.base64(), **echo, "usage": USAGE}
        events.append(event(f"{word}.completed", done))
    return sse(events, done=False)


def event(kind: str, document: Mapping[str, Any]) -> bytes:
    """Write an event with a name, whose data has it as `type` too."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **document})}\n\n".encode()
