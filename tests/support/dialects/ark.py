"""Volcengine Ark's Seedream: one picture a call, tiers or pixels, and a stream of its own.

Unknown fields are ignored and nulls are tolerated, as there; a wrong value is refused.
"""

import re
from typing import Any

from tests.support.dialects.openai import CREATED, event
from tests.support.image_scene import Kind, Scene
from tests.support.peer import RecordedRequest
from tests.support.replies import Reply, api_error, json_reply, sse

_LEAST_PIXELS = {"doubao-seedream-4-5": 3_686_400, "doubao-seedream-4-0": 921_600}
FILTERED = {
    "code": "OutputImageSensitiveContentDetected",
    "message": "The request failed because the output image may contain sensitive information."
    " Request id: 021764000000abcdef",
}


class Ark:
    """Ark's images."""

    base = "/api/v3"

    def kind(self, request: RecordedRequest) -> Kind:
        """Only creates are known."""
        is_create = (request.method, request.path) == ("POST", "/api/v3/images/generations")
        return "create" if is_create else "other"

    def create(self, scene: Scene) -> Reply:
        """Answer with links or base64, streamed or whole."""
        return _refusal(scene) or answer(scene, [None])

    def poll(self, _scene: Scene) -> Reply:
        """There are no tasks of images."""
        return api_error(404)

    def cancel(self, _scene: Scene) -> Reply:
        """There are no tasks of images."""
        return api_error(404)


def refused(code: str, message: str, status: int = 400, param: str = "") -> Reply:
    """Refuse a call in Ark's form."""
    said = f"{message} Request id: 021764000000abcdef"
    kinds = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound"}
    kind = kinds.get(status, "TooManyRequests" if status == 429 else "InternalServerError")
    return json_reply(
        status, {"error": {"code": code, "message": said, "param": param, "type": kind}}
    )


def answer(scene: Scene, items: list[dict[str, Any] | None]) -> Reply:
    """Answer with a picture for each None, and with an error for each that is one."""
    size = str(scene.body.get("size") or "2048x2048")
    if scene.body.get("stream"):
        return _stream(scene, items, size)
    made = [item is None for item in items]
    data = [{"error": item} if item else {**_picture(scene), "size": size} for item in items]
    document: dict[str, Any] = {
        "model": scene.body["model"], "created": CREATED, "data": data, "usage": _usage(sum(made))
    }  # fmt: skip
    if not any(made):
        document["error"] = items[0]
    return json_reply(200, document, [("x-request-id", "021764000000abcdef")])


def _picture(scene: Scene) -> dict[str, str]:
    if scene.body.get("response_format") == "b64_json":
        return {"b64_json": scene.base64()}
    return {"url": scene.link()}


def _usage(count: int) -> dict[str, int]:
    return {
        "generated_images": count, "output_tokens": 16_384 * count, "total_tokens": 16_384 * count
    }  # fmt: skip


def _stream(scene: Scene, items: list[dict[str, Any] | None], size: str) -> Reply:
    events = []
    for index, item in enumerate(items):
        head = {"model": scene.body["model"], "created": CREATED, "image_index": index}
        if item is None:
            body = {**head, **_picture(scene), "size": size.replace("x", "×")}
            events.append(event("image_generation.partial_succeeded", body))
        else:
            events.append(event("image_generation.partial_failed", {**head, "error": item}))
    usage = _usage(sum(item is None for item in items))
    done = {"model": scene.body["model"], "created": CREATED, "usage": usage}
    return sse([*events, event("image_generation.completed", done)])


def _refusal(scene: Scene) -> Reply | None:
    size = scene.body.get("size")
    pixels = re.fullmatch(r"(\d+)x(\d+)", str(size))
    if size is not None and pixels is None and not re.fullmatch(r"[1-4](\.5)?K", str(size)):
        text = "The parameter `size` specified in the request is not valid."
        return refused("InvalidParameter", text, param="size")
    least = next(
        (low for name, low in _LEAST_PIXELS.items() if str(scene.body["model"]).startswith(name)), 0
    )
    if pixels is not None and int(pixels[1]) * int(pixels[2]) < least:
        return too_few_pixels(least)
    return None


def too_few_pixels(least: int = 3_686_400) -> Reply:
    """Refuse a size in Ark's words."""
    text = (
        "The parameter `size` specified in the request is not valid: image size must be at least"
        f" {least} pixels."
    )
    return refused("InvalidParameter", text, param="size")
