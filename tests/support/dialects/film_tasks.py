"""How vendors of films speak: every film is a task, and each has its own words for its state."""

from typing import Any

from tests.support.image_scene import Kind, Scene, VendorTask
from tests.support.peer import RecordedRequest
from tests.support.pictures import picture
from tests.support.replies import Reply, Whole, json_reply
from tests.support.wire import response_bytes

REQUEST_ID = "021764000000abcdef"


class FilmDialect:
    """What the dialects of all vendors have in common.

    `words` are those for a task that waits, that is worked on, and that was cancelled; `task_path`
    is followed by the id of a task.
    """

    base = ""
    create_paths: tuple[str, ...] = ()
    task_path = ""
    words = ("queued", "running", "cancelled")
    can_cancel_running = False

    def kind(self, request: RecordedRequest) -> Kind:
        """Tell the calls apart by their paths."""
        if request.method == "POST" and request.path in self.create_paths:
            return "create"
        if not request.path.startswith(self.task_path):
            return "other"
        return "poll" if request.method == "GET" else "cancel"

    def create(self, scene: Scene) -> Reply:
        """Accept a task, or refuse what the vendor refuses."""
        problem = self.problem(scene)
        if problem is not None:
            return self.refused(problem)
        return self.accepted(scene, scene.new_task(1))

    def poll(self, scene: Scene) -> Reply:
        """Say how far a task is: it waits, it is worked on, it is done."""
        task = self.task(scene)
        if task is None:
            return self.unknown()
        queued, running, cancelled = self.words
        if task.is_cancelled:
            return self.say(scene, cancelled)
        if scene.is_done(task):
            return self.done(scene, task)
        return self.say(scene, queued if task.polls == 1 else running)

    def cancel(self, scene: Scene) -> Reply:
        """End a task, as far as the vendor does that."""
        task = self.task(scene)
        if task is None:
            return self.unknown()
        if task.polls > 1 and not self.can_cancel_running:
            return self.refused("The task runs and cannot be cancelled.")
        task.is_cancelled = True
        return self.cancelled(task)

    def task(self, scene: Scene) -> VendorTask | None:
        """Return the task of a request."""
        return scene.task()

    def problem(self, scene: Scene) -> str | None:
        """Return what is wrong with a request for a film."""
        raise NotImplementedError

    def refused(self, message: str) -> Reply:
        """Refuse a call in the vendor's form."""
        raise NotImplementedError

    def accepted(self, scene: Scene, task: VendorTask) -> Reply:
        """Answer that a task was accepted."""
        raise NotImplementedError

    def say(self, scene: Scene, word: str, **more: Any) -> Reply:
        """Answer a look at a task with a word of the vendor."""
        raise NotImplementedError

    def done(self, scene: Scene, task: VendorTask) -> Reply:
        """Answer that a film is there."""
        raise NotImplementedError

    def cancelled(self, task: VendorTask) -> Reply:
        """Answer that a task ends."""
        raise NotImplementedError

    def unknown(self) -> Reply:
        """Answer that there is no such task."""
        raise NotImplementedError


def film_link(scene: Scene, task: VendorTask) -> str:
    """Return the address of the film of a task, which is made and charged once."""
    return _link(scene, f"{task.id}.mp4", scene.studio.paint)


def picture_link(scene: Scene, task: VendorTask) -> str:
    """Return the address of a picture that comes with the film of a task."""
    return _link(scene, f"{task.id}.png", picture)


def _link(scene: Scene, name: str, make: Any) -> str:
    if name not in scene.studio.files:
        scene.studio.files[name] = make()
    return f"http://{scene.request.header('Host')}/files/{name}"


class ArkFilms(FilmDialect):
    """Ark's Seedance: unknown fields and values are refused, and so are pictures without a role."""

    base = "/api/v3"
    create_paths = ("/api/v3/contents/generations/tasks",)
    task_path = "/api/v3/contents/generations/tasks/"
    tokens = 108_900
    known = frozenset(
        {
            "model", "content", "resolution", "ratio", "duration", "frames", "seed", "watermark",
            "camera_fixed", "generate_audio", "return_last_frame", "service_tier", "callback_url",
            "execution_expires_after", "priority", "safety_identifier", "output_format",
        }
    )  # fmt: skip
    ratios = frozenset(["16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "adaptive"])

    def problem(self, scene: Scene) -> str | None:
        """Refuse as Ark does."""
        body = scene.body
        unknown = body.keys() - self.known
        if unknown:
            return f"The parameter `{min(unknown)}` specified in the request is not valid."
        if body.get("ratio") not in self.ratios:
            return "The parameter `ratio` specified in the request is not valid."
        beside = [one for one in body["content"] if one["type"] != "text"]
        if any("role" not in one for one in beside):
            return "role must be specified for image contents"
        roles = {one["role"] for one in beside}
        if roles & {"first_frame", "last_frame"} and roles - {"first_frame", "last_frame"}:
            return "first/last frame content cannot be mixed with reference media content"
        return None

    def refused(self, message: str) -> Reply:
        """Refuse in Ark's form."""
        said = f"{message} Request id: {REQUEST_ID}"
        error = {"code": "InvalidParameter", "message": said, "param": "", "type": "BadRequest"}
        return json_reply(400, {"error": error})

    def accepted(self, scene: Scene, task: VendorTask) -> Reply:  # noqa: ARG002  # of others
        """Answer with an id alone."""
        return json_reply(200, {"id": task.id})

    def say(self, scene: Scene, word: str, **more: Any) -> Reply:
        """Answer without any progress, as there."""
        task = scene.task()
        head = {"id": task.id if task else "", "model": "seedance", "status": word}
        return json_reply(200, {**head, "created_at": 1_764_000_000, "error": None, **more})

    def done(self, scene: Scene, task: VendorTask) -> Reply:
        """Answer with a link, tokens, and the last frame if it was asked for."""
        asked = Scene(scene.studio, task.request).body
        content = {"video_url": film_link(scene, task)}
        if asked.get("return_last_frame"):
            content["last_frame_url"] = picture_link(scene, task)
        usage = {"completion_tokens": self.tokens, "total_tokens": self.tokens}
        return self.say(
            scene,
            "succeeded",
            content=content,
            usage=usage,
            seed=asked.get("seed", 7),
            duration=5 if asked["duration"] == -1 else asked["duration"],
            resolution=asked["resolution"],
            framespersecond=24,
        )

    def cancel(self, scene: Scene) -> Reply:
        """Cancel what waits, refuse for what runs, and delete the record of what has ended."""
        task = scene.task()
        if task is not None and task.polls > scene.studio.polls_needed:
            del scene.studio.tasks[task.id]
            return json_reply(200, {})
        return super().cancel(scene)

    def cancelled(self, task: VendorTask) -> Reply:  # noqa: ARG002  # of others
        """Answer with nothing."""
        return json_reply(200, {})

    def unknown(self) -> Reply:
        """Answer 404."""
        error = {"code": "ResourceNotFound", "message": "The task is not found."}
        return json_reply(404, {"error": error})


class DashScopeFilms(FilmDialect):
    """DashScope's Wan: a task that failed, or that nobody knows, is answered with status 200."""

    create_paths = (
        "/api/v1/services/aigc/video-generation/video-synthesis",
        "/api/v1/services/aigc/image2video/video-synthesis",
    )
    task_path = "/api/v1/tasks/"
    words = ("PENDING", "RUNNING", "CANCELED")

    def problem(self, scene: Scene) -> str | None:
        """Refuse as DashScope does."""
        if scene.request.header("X-DashScope-Async") != "enable":
            return "current user api does not support synchronous calls."
        body = scene.body
        if not {"input", "parameters", "model"} >= body.keys():
            return "InvalidParameter: unknown field"
        if "-i2v" in body["model"] and not (body["input"].keys() & {"img_url", "media"}):
            return "Field required: input.img_url"
        return None

    def refused(self, message: str) -> Reply:
        """Refuse in DashScope's form, with the id of the request in its other spelling."""
        said = {"code": "InvalidParameter", "message": message, "requestId": REQUEST_ID}
        return json_reply(400, said)

    def accepted(self, scene: Scene, task: VendorTask) -> Reply:  # noqa: ARG002  # of others
        """Answer that it waits."""
        output = {"task_id": task.id, "task_status": "PENDING"}
        return json_reply(200, {"output": output, "request_id": REQUEST_ID})

    def say(self, scene: Scene, word: str, **more: Any) -> Reply:
        """Answer with times as text in UTC+8."""
        usage = more.pop("usage", None)
        task_id = scene.request.path.removeprefix(self.task_path)
        output = {
            "task_id": task_id, "task_status": word, "submit_time": "2026-11-30 20:17:02.123",
            **more,
        }  # fmt: skip
        body = {"requestId": REQUEST_ID, "output": output}
        return json_reply(200, body if usage is None else {**body, "usage": usage})

    def done(self, scene: Scene, task: VendorTask) -> Reply:
        """Answer with a link, both prompts, and seconds."""
        asked = Scene(scene.studio, task.request).body
        prompt = asked["input"].get("prompt", "")
        extended = asked["parameters"].get("prompt_extend", True)
        seconds = asked["parameters"].get("duration", 5)
        seconds = 5 if seconds == -1 else seconds
        return self.say(
            scene,
            "SUCCEEDED",
            video_url=film_link(scene, task),
            orig_prompt=prompt,
            actual_prompt=f"{prompt}, vivid" if extended else prompt,
            usage={"duration": seconds, "output_video_duration": seconds, "video_count": 1},
        )

    def cancelled(self, task: VendorTask) -> Reply:  # noqa: ARG002  # of others
        """Answer with nothing but an id."""
        return json_reply(200, {"request_id": REQUEST_ID})

    def unknown(self) -> Reply:
        """Answer with status 200."""
        output = {"task_id": "", "task_status": "UNKNOWN"}
        return json_reply(200, {"request_id": REQUEST_ID, "output": output})


class ZhipuFilms(FilmDialect):
    """Zhipu's CogVideoX: codes are digits in texts, and nothing can be cancelled."""

    base = "/api/paas/v4"
    create_paths = ("/api/paas/v4/videos/generations",)
    task_path = "/api/paas/v4/async-result/"
    words = ("PROCESSING", "PROCESSING", "FAIL")

    def problem(self, scene: Scene) -> str | None:
        """Refuse as Zhipu does."""
        if len(scene.body.get("prompt", "")) > 512:
            return "prompt 过长"
        return None if scene.body.get("duration") in (5, 10) else "duration 参数非法"

    def refused(self, message: str) -> Reply:
        """Refuse in Zhipu's form."""
        return json_reply(400, {"error": {"code": "1214", "message": message}})

    def accepted(self, scene: Scene, task: VendorTask) -> Reply:
        """Answer that it is processed."""
        return self._state(task.id, str(scene.body["model"]), "PROCESSING")

    def say(self, scene: Scene, word: str, **more: Any) -> Reply:
        """Answer with a state."""
        task_id = scene.request.path.removeprefix(self.task_path)
        return self._state(task_id, "cogvideox-3", word, **more)

    def done(self, scene: Scene, task: VendorTask) -> Reply:
        """Answer with a film, and its cover."""
        film = {"url": film_link(scene, task), "cover_image_url": picture_link(scene, task)}
        return self.say(scene, "SUCCESS", video_result=[film])

    def cancelled(self, task: VendorTask) -> Reply:
        """Answer as to any path that is not there."""
        raise NotImplementedError(task)

    def unknown(self) -> Reply:
        """Answer with status 400."""
        return json_reply(400, {"error": {"code": "1214", "message": "任务不存在。"}})

    @staticmethod
    def _state(task_id: str, model: str, word: str, **more: Any) -> Reply:
        head = {"id": task_id, "model": model, "request_id": "rq-zhipu", "task_status": word}
        return json_reply(200, {**head, **more})


class SiliconFlowFilms(FilmDialect):
    """SiliconFlow: a task is asked for by a POST, and nothing can be cancelled."""

    base = "/v1"
    create_paths = ("/v1/video/submit",)
    task_path = "/v1/video/status"
    words = ("InQueue", "InProgress", "Failed")
    sizes = ("1280x720", "720x1280", "960x960")

    def kind(self, request: RecordedRequest) -> Kind:
        """Know a look by its path: it is no GET."""
        return "poll" if request.path == self.task_path else super().kind(request)

    def task(self, scene: Scene) -> VendorTask | None:
        """Return the task that the body names."""
        return scene.studio.tasks.get(str(scene.body.get("requestId")))

    def problem(self, scene: Scene) -> str | None:
        """Refuse as SiliconFlow does."""
        if scene.body.get("image_size") not in self.sizes:
            return "image_size is not valid"
        has_picture = "image" in scene.body
        return None if has_picture == ("I2V" in scene.body["model"]) else "image is not valid"

    def refused(self, message: str) -> Reply:
        """Refuse in SiliconFlow's form."""
        return json_reply(400, {"code": 20012, "message": message, "data": None})

    def accepted(self, scene: Scene, task: VendorTask) -> Reply:  # noqa: ARG002  # of others
        """Answer with an id alone."""
        return json_reply(200, {"requestId": task.id})

    def say(self, scene: Scene, word: str, **more: Any) -> Reply:  # noqa: ARG002  # of others
        """Answer with a state."""
        return json_reply(200, {"status": word, "reason": "", **more})

    def done(self, scene: Scene, task: VendorTask) -> Reply:
        """Answer with a link."""
        results = {"videos": [{"url": film_link(scene, task)}], "timings": {}, "seed": 7}
        return self.say(scene, "Succeed", results=results)

    def cancelled(self, task: VendorTask) -> Reply:
        """Answer as to any path that is not there."""
        raise NotImplementedError(task)

    def unknown(self) -> Reply:
        """Answer with status 400."""
        return self.refused("the request is not found")


class VllmOmniFilms(FilmDialect):
    """vLLM-Omni: forms alone; a task that failed is answered with an error's status."""

    base = "/v1"
    create_paths = ("/v1/videos",)
    task_path = "/v1/videos/"
    words = ("queued", "in_progress", "cancelled")
    can_cancel_running = True
    form_only = True
    progress = 40

    def kind(self, request: RecordedRequest) -> Kind:
        """Know the film itself, too."""
        return "picture" if request.path.endswith("/content") else super().kind(request)

    def problem(self, scene: Scene) -> str | None:
        """Refuse what is no form."""
        if self.form_only and not scene.form:
            return "Expected multipart/form-data"
        return None if scene.body.get("prompt") else "prompt is required"

    def refused(self, message: str) -> Reply:
        """Refuse in OpenAI's form, or that there is nothing more to cancel."""
        if "cancelled" in message:
            return json_reply(409, {"error": {"message": message, "code": 409}})
        return json_reply(400, {"error": {"message": message, "type": "BadRequestError"}})

    def accepted(self, scene: Scene, task: VendorTask) -> Reply:  # noqa: ARG002  # of others
        """Answer with the object of a film."""
        return json_reply(200, self._video(task, "queued"))

    def say(self, scene: Scene, word: str, **more: Any) -> Reply:
        """Answer with the object; of a film that failed, under another status than 200."""
        task = scene.task()
        document = self._video(task, word, **more) if task else {}
        return json_reply(500 if word == "failed" else 200, document)

    def done(self, scene: Scene, task: VendorTask) -> Reply:
        """Answer that the film can be read."""
        film_link(scene, task)
        return self.say(scene, "completed", progress=100)

    def content(self, scene: Scene) -> Reply:
        """Return the film of a task; 404 until it is there."""
        task = scene.task()
        data = scene.studio.files.get(f"{task.id}.mp4") if task else None
        if data is None:
            return json_reply(404, {"error": {"message": "Video is not ready."}})
        return Whole(response_bytes(200, data, [("Content-Type", "video/mp4")]))

    def cancelled(self, task: VendorTask) -> Reply:
        """Answer that the film is deleted."""
        return json_reply(200, {"id": task.id, "object": "video.deleted", "deleted": True})

    def unknown(self) -> Reply:
        """Answer 404."""
        return json_reply(404, {"error": {"message": "Video not found.", "code": 404}})

    def _video(self, task: VendorTask, word: str, **more: Any) -> dict[str, Any]:
        return {
            "id": task.id, "object": "video", "status": word, "created_at": 1_764_000_000,
            "progress": self.progress if word == "in_progress" else 0, "seconds": "5", **more,
        }  # fmt: skip


class SGLangFilms(VllmOmniFilms):
    """SGLang: JSON too, and a DELETE that forgets a task without ending its work."""

    form_only = False

    def say(self, scene: Scene, word: str, **more: Any) -> Reply:
        """Answer with the object, always under status 200."""
        task = scene.task()
        return json_reply(200, self._video(task, word, **more) if task else {})

    def cancelled(self, task: VendorTask) -> Reply:
        """Answer with the object."""
        return json_reply(200, self._video(task, "deleted"))


FILM_DIALECTS = {
    "ark": ArkFilms(),
    "dashscope": DashScopeFilms(),
    "zhipu": ZhipuFilms(),
    "siliconflow": SiliconFlowFilms(),
    "vllm-omni": VllmOmniFilms(),
    "sglang": SGLangFilms(),
}
