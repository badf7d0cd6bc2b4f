"""Zhipu: one link a call, and GLM-Image also as a task."""

import re
from typing import Any

from tests.support.dialects.openai import CREATED
from tests.support.image_scene import Kind, Scene
from tests.support.peer import RecordedRequest
from tests.support.replies import Reply, api_error, json_reply

_BASE = "/api/paas/v4"
_FILTER = [{"role": "assistant", "level": 3}]


class Zhipu:
    """Zhipu's images."""

    base = _BASE

    def kind(self, request: RecordedRequest) -> Kind:
        """Tell the calls apart by their paths."""
        paths = (f"{_BASE}/images/generations", f"{_BASE}/async/images/generations")
        if request.method == "POST" and request.path in paths:
            return "create"
        return "poll" if request.path.startswith(f"{_BASE}/async-result/") else "other"

    def create(self, scene: Scene) -> Reply:
        """Answer with one link, whatever `n` says, or with a task."""
        found = re.fullmatch(r"(\d+)x(\d+)", str(scene.body.get("size", "1024x1024")))
        if found is None or int(found[1]) % 16 or int(found[2]) % 16:
            return refused("1214", "size 参数非法。请检查文档。")
        if "/async/" in scene.request.path:
            return json_reply(200, _state(scene.new_task(1).id, scene, "PROCESSING"))
        data = [{"url": scene.link()}]
        document = {"created": CREATED, "data": data, "content_filter": _FILTER}
        return json_reply(200, {**document, "id": "202611292017", "request_id": "rq-zhipu"})

    def poll(self, scene: Scene) -> Reply:
        """Say how far a task is."""
        task = scene.task()
        if task is None:
            return refused("1214", "任务不存在。")
        if not scene.is_done(task):
            return json_reply(200, _state(task.id, scene, "PROCESSING"))
        result = [{"url": scene.link()}]
        return json_reply(200, {**_state(task.id, scene, "SUCCESS"), "image_result": result})

    def cancel(self, _scene: Scene) -> Reply:
        """No task can be cancelled."""
        return api_error(404)


def refused(code: str, message: str, status: int = 400) -> Reply:
    """Refuse a call in Zhipu's form: the code is digits in a text."""
    return json_reply(status, {"error": {"code": code, "message": message}})


def _state(task_id: str, scene: Scene, status: str) -> dict[str, Any]:
    model = scene.body.get("model", "glm-image")
    return {"id": task_id, "model": model, "request_id": "rq-zhipu", "task_status": status}
