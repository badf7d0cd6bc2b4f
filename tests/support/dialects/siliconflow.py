"""SiliconFlow: `image_size` and `batch_size`, links, and refusals that are a bare text."""

from tests.support.image_scene import Kind, Scene, count_of
from tests.support.peer import RecordedRequest
from tests.support.replies import Reply, api_error, json_reply


class SiliconFlow:
    """SiliconFlow's images."""

    base = "/v1"

    def kind(self, request: RecordedRequest) -> Kind:
        """Only creates are known."""
        is_create = (request.method, request.path) == ("POST", "/v1/images/generations")
        return "create" if is_create else "other"

    def create(self, scene: Scene) -> Reply:
        """Answer with the pictures twice, as `images` and as `data`."""
        is_edit = "Edit" in str(scene.body["model"])
        if is_edit == ("image_size" in scene.body):
            return refused(20015, "image_size is required, or not accepted, for this model")
        count = count_of(scene.body.get("batch_size"))
        if count > 1 and "Kolors" not in str(scene.body["model"]):
            return refused(20012, "batch_size is not accepted by this model")
        images = [{"url": scene.link()} for _ in range(count)]
        seed = scene.body.get("seed", 1_234_567_890)
        document = {"images": images, "data": images, "timings": {"inference": 3.2}, "seed": seed}
        return json_reply(200, document, [("x-siliconcloud-trace-id", "ti_abc")])

    def poll(self, _scene: Scene) -> Reply:
        """There are no tasks of images."""
        return api_error(404)

    def cancel(self, _scene: Scene) -> Reply:
        """There are no tasks of images."""
        return api_error(404)


def refused(code: int, message: str, status: int = 400) -> Reply:
    """Refuse a call in SiliconFlow's form."""
    return json_reply(status, {"code": code, "message": message, "data": None})
