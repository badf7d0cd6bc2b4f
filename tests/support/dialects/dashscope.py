"""DashScope's four protocols of images on one host: tasks (A, C), messages (B) and flat (D)."""

from typing import Any

from tests.support.dialects.openai import CREATED
from tests.support.image_scene import Kind, Scene, VendorTask, count_of
from tests.support.peer import RecordedRequest
from tests.support.replies import Reply, json_reply

API = "/api/v1/services/aigc"
TASKS = (
    f"{API}/text2image/image-synthesis",
    f"{API}/image2image/image-synthesis",
    f"{API}/image-generation/generation",
)
MESSAGES = f"{API}/multimodal-generation/generation"
FLAT = "/compatible-mode/v1/images/generations"
ONE_ONLY = ("qwen-image", "qwen-image-plus", "qwen-image-max", "z-image-turbo", "qwen-image-edit")
REQUEST_ID = "5e4f3d2c-0000-9999-aaaa-b1b2b3b4b5b6"


class DashScope:
    """All four; the base address is the origin."""

    base = ""

    def kind(self, request: RecordedRequest) -> Kind:
        """Tell the calls apart by their paths."""
        if request.method == "POST" and request.path in (*TASKS, MESSAGES, FLAT):
            return "create"
        if request.path.startswith("/api/v1/tasks/"):
            is_cancel = request.method == "POST" and request.path.endswith("/cancel")
            return "cancel" if is_cancel else "poll"
        return "other"

    def create(self, scene: Scene) -> Reply:
        """Accept a task, or paint at once."""
        if scene.request.path == FLAT:
            return _flat(scene)
        refusal = _refusal(scene)
        if refusal is not None:
            return refusal
        if scene.request.path == MESSAGES:
            return messages_answer(scene)
        return _accepted(scene)

    def poll(self, scene: Scene) -> Reply:
        """Say how far a task is; who asks for an unknown one gets a 200."""
        task = scene.task()
        if task is None:
            return task_reply("task-unknown", "UNKNOWN")
        if task.is_cancelled:
            return task_reply(task.id, "CANCELED")
        if not scene.is_done(task):
            return task_reply(task.id, "RUNNING" if task.polls > 1 else "PENDING")
        return task_done(scene, task)

    def cancel(self, scene: Scene) -> Reply:
        """End a task that nobody has begun."""
        task = scene.task()
        if task is None or task.polls > 1:
            text = "Failed to cancel the task, please confirm if the task is in PENDING status."
            return refused("UnsupportedOperation", text)
        task.is_cancelled = True
        return json_reply(200, {"request_id": REQUEST_ID})


def refused(code: str, message: str, status: int = 400) -> Reply:
    """Refuse a call in DashScope's own form, which also comes with status 200."""
    return json_reply(status, {"code": code, "message": message, "request_id": REQUEST_ID})


def task_reply(task_id: str, status: str, **more: Any) -> Reply:
    """Answer with the state of a task; its times are text in UTC+8."""
    output = {
        "task_id": task_id, "task_status": status, "submit_time": "2026-11-29 20:17:02.123",
        "scheduled_time": "2026-11-29 20:17:02.150", **more,
    }  # fmt: skip
    usage = output.pop("usage", None)
    body = {"request_id": REQUEST_ID, "output": output}
    return json_reply(200, body if usage is None else {**body, "usage": usage})


def task_done(
    scene: Scene, task: VendorTask, items: list[dict[str, Any] | None] | None = None
) -> Reply:
    """Answer that a task has succeeded: a picture for each None, else what stands for it."""
    wanted = [None] * task.count if items is None else items
    if task.request.path.endswith("image-generation/generation"):
        content = [{"image": scene.link(), "type": "image"} for _ in wanted]
        choices = [{"finish_reason": "stop", "message": {"role": "assistant", "content": content}}]
        usage: dict[str, Any] = {"image_count": len(wanted), "size": "1280*1280"}
        return task_reply(task.id, "SUCCEEDED", choices=choices, finished=True, usage=usage)
    prompt = Scene(scene.studio, task.request).body["input"]["prompt"]
    results = [
        item or {"orig_prompt": prompt, "actual_prompt": f"{prompt}, vivid", "url": scene.link()}
        for item in wanted
    ]
    good = sum(item is None for item in wanted)
    metrics = {"TOTAL": len(wanted), "SUCCEEDED": good, "FAILED": len(wanted) - good}
    return task_reply(
        task.id, "SUCCEEDED", results=results, task_metrics=metrics, usage={"image_count": good}
    )


def messages_answer(scene: Scene, *texts: dict[str, Any], **more: Any) -> Reply:
    """Answer protocol B; `texts` are items of content that come before the pictures."""
    count = count_of(_parameters(scene).get("n"))
    images = [{"image": scene.link(), "type": "image"} for _ in range(count)]
    message = {"role": "assistant", "content": [*texts, *images]}
    return json_reply(
        200,
        {
            "output": {"choices": [{"finish_reason": "stop", "message": message}]},
            "usage": {"image_count": count, "width": 1328, "height": 1328},
            "request_id": REQUEST_ID,
            **more,
        },
    )


def _parameters(scene: Scene) -> dict[str, Any]:
    found = scene.body.get("parameters")
    return found if isinstance(found, dict) else {}


def _refusal(scene: Scene) -> Reply | None:
    is_task, is_async = scene.request.path in TASKS, scene.request.header("X-DashScope-Async")
    if is_task and is_async != "enable":
        return refused("AccessDenied", "current user api does not support synchronous calls.", 403)
    size, model = str(_parameters(scene).get("size", "1*1")), scene.body["model"]
    if "*" not in size and size not in ("1K", "2K", "4K"):
        return refused("InvalidParameter", f"size {size} must be in the form of width*height.")
    if model in ONE_ONLY and count_of(_parameters(scene).get("n")) != 1:
        return refused("InvalidParameter", "num_images_per_prompt must be 1")
    return None


def _accepted(scene: Scene) -> Reply:
    # Of wanx, four pictures are made where the call does not say how many.
    default = 4 if str(scene.body["model"]).startswith("wanx") else 1
    task = scene.new_task(count_of(_parameters(scene).get("n"), default))
    output = {"task_id": task.id, "task_status": "PENDING"}
    return json_reply(200, {"output": output, "request_id": REQUEST_ID})


def _flat(scene: Scene) -> Reply:
    count = count_of(scene.body.get("n"))
    if "*" in str(scene.body.get("size", "")):
        error = {"code": "InvalidParameter", "message": "size is not valid", "param": "size"}
        return json_reply(400, {"error": error})
    data = [{"url": scene.link()} for _ in range(count)]
    usage = {"output_image_count": count, "input_image_count": 0}
    return json_reply(
        200, {"created": CREATED, "data": data, "usage": usage}, [("x-request-id", REQUEST_ID)]
    )
