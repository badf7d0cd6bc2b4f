"""Servers of one's own: OpenAI's shape with what each of them does differently, and A1111's API."""

import json

from tests.support.dialects.openai import CREATED, OpenAI, invalid
from tests.support.image_scene import Kind, Scene, count_of
from tests.support.peer import RecordedRequest
from tests.support.replies import Reply, json_reply


class _OneOfOpenAI(OpenAI):
    """A server that takes any field."""

    def refusal(self, scene: Scene) -> Reply | None:
        """Refuse a form without a picture, and nothing else."""
        is_form = scene.request.path.endswith("/edits")
        return json_reply(400, {"error": "no image"}) if is_form and not scene.file_names else None

    def answer(self, scene: Scene) -> Reply:
        """Answer with base64."""
        count = count_of(scene.body.get("n"))
        data = [{"b64_json": scene.base64()} for _ in range(count)]
        return json_reply(200, {"created": CREATED, "data": data})


class VllmOmni(_OneOfOpenAI):
    """vLLM-Omni: no links, and only the model that it runs."""

    def refusal(self, scene: Scene) -> Reply | None:
        """Refuse links, other models and more than ten pictures."""
        if scene.body.get("response_format", "b64_json") not in ("b64_json", "file"):
            return invalid("400", "response_format must be 'b64_json' or 'file'", None)
        model = scene.body.get("model")
        if scene.studio.model is not None and model not in (None, scene.studio.model):
            return invalid("400", f"The model `{model}` does not exist.", "model")
        if not 1 <= count_of(scene.body.get("n")) <= 10:
            return invalid("400", "n must be between 1 and 10", "n")
        return super().refusal(scene)


class SGLang(_OneOfOpenAI):
    """SGLang: answers with links unless told otherwise, for which it has no storage."""

    def refusal(self, scene: Scene) -> Reply | None:
        """Refuse links."""
        if scene.body.get("response_format", "url") != "b64_json":
            text = "response_format='url' requires cloud storage to be configured"
            return json_reply(400, {"detail": text})
        return super().refusal(scene)

    def answer(self, scene: Scene) -> Reply:
        """Answer with base64, and an id."""
        data = [{"b64_json": scene.base64()} for _ in range(count_of(scene.body.get("n")))]
        return json_reply(200, {"id": "img-1", "created": CREATED, "data": data})


class LocalAI(_OneOfOpenAI):
    """LocalAI: links on its own host unless told otherwise, and no edits."""

    def kind(self, request: RecordedRequest) -> Kind:
        """Edits have another path here."""
        paths = ("/v1/images/generations", "/v1/images/inpainting")
        return "create" if request.method == "POST" and request.path in paths else "other"

    def answer(self, scene: Scene) -> Reply:
        """Answer with links or base64, and a usage of zeros."""
        is_base64 = scene.body.get("response_format") == "b64_json"
        count = count_of(scene.body.get("n"))
        data = [
            {"b64_json": scene.base64()} if is_base64 else {"url": scene.link()}
            for _ in range(count)
        ]
        usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
        return json_reply(200, {"id": "x", "created": CREATED, "data": data, "usage": usage})


class SdServer(_OneOfOpenAI):
    """stable-diffusion.cpp's server: OpenAI's shape, its own tasks, and A1111's API."""

    def kind(self, request: RecordedRequest) -> Kind:
        """Tell its three APIs apart."""
        creates = ("/sdcpp/v1/img_gen", "/sdapi/v1/txt2img", "/sdapi/v1/img2img")
        if request.method == "POST" and request.path in creates:
            return "create"
        if request.path.startswith("/sdcpp/v1/jobs/"):
            return "cancel" if request.path.endswith("/cancel") else "poll"
        return super().kind(request)

    def create(self, scene: Scene) -> Reply:
        """Accept a task, or paint at once."""
        if scene.request.path.startswith("/sdapi/"):
            return A1111().create(scene)
        if scene.request.path != "/sdcpp/v1/img_gen":
            return super().create(scene)
        task = scene.new_task(count_of(scene.body.get("batch_count")))
        body = {"id": task.id, "kind": "img_gen", "status": "queued", "created": CREATED}
        return json_reply(202, {**body, "poll_url": f"/sdcpp/v1/jobs/{task.id}"})

    def poll(self, scene: Scene) -> Reply:
        """Say how far a task is; one that is over for long is gone."""
        task = scene.task()
        if task is None:
            return json_reply(410, {"error": "job expired"})
        body = {"id": task.id, "kind": "img_gen", "created": CREATED}
        if task.is_cancelled:
            return json_reply(200, {**body, "status": "cancelled"})
        if not scene.is_done(task):
            return json_reply(200, {**body, "status": "generating"})
        images = [{"index": i, "b64_json": scene.base64()} for i in range(task.count)]
        result = {"output_format": "png", "images": images}
        return json_reply(200, {**body, "status": "completed", "result": result})

    def cancel(self, scene: Scene) -> Reply:
        """End a task that was not begun."""
        task = scene.task()
        if task is None or task.polls:
            return json_reply(409, {"error": "job is already generating"})
        task.is_cancelled = True
        return json_reply(200, {"id": task.id, "status": "cancelled"})


class A1111(OpenAI):
    """AUTOMATIC1111's web UI."""

    base = ""

    def kind(self, request: RecordedRequest) -> Kind:
        """Text to picture and picture to picture."""
        paths = ("/sdapi/v1/txt2img", "/sdapi/v1/img2img")
        return "create" if request.method == "POST" and request.path in paths else "other"

    def create(self, scene: Scene) -> Reply:
        """Answer with base64, and JSON inside a text."""
        if scene.request.path.endswith("/img2img") and not scene.body.get("init_images"):
            error = {"error": "HTTPException", "detail": "Init image not found", "body": ""}
            return json_reply(404, {**error, "errors": ""})
        count = count_of(scene.body.get("batch_size")) * count_of(scene.body.get("n_iter"))
        seed = int(scene.body.get("seed", -1))
        first = 4_242 if seed < 0 else seed
        seeds = [first + i for i in range(count)]
        info = {"seed": first, "all_seeds": seeds, "index_of_first_image": 0}
        images = [scene.base64() for _ in range(count)]
        document = {"images": images, "parameters": dict(scene.body), "info": json.dumps(info)}
        return json_reply(200, document)
