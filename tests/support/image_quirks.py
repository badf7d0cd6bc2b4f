"""What vendors of pictures also do; each was seen in their code, their docs or in issues.

Every function returns a turn for `ImageVendor.on`, or is one.
"""

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any, Literal

from tests.support.dialects import ark, dashscope, siliconflow, zhipu
from tests.support.dialects.openai import CREATED, event, invalid
from tests.support.image_scene import Scene, Turn, VendorTask
from tests.support.pictures import huge_png, picture
from tests.support.replies import (
    Reply,
    Whole,
    close_before_answer,
    delayed,
    json_reply,
    raw_reply,
    redirect,
    sse,
)
from tests.support.wire import response_bytes

METADATA = "http://169.254.169.254/latest/meta-data/"
HTML_502 = Whole(
    response_bytes(
        502,
        b"<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1>"
        b"</center><hr><center>nginx</center></body></html>",
        [("Content-Type", "text/html")],
    )
)


# --- OpenAI --------------------------------------------------------------------------------------


def unknown_parameter(name: str = "response_format") -> Reply:
    """Refuse a field by its name, as GPT image models do."""
    return invalid("unknown_parameter", f"Unknown parameter: '{name}'.", name)


def moderation_blocked() -> Reply:
    """Refuse as the safety system does."""
    error = {
        "message": "Your request was rejected by the safety system. If you believe this is an"
        " error, contact us at help.openai.com and include the request ID req_0123."
        " safety_violations=[sexual].",
        "type": "image_generation_user_error",
        "param": None,
        "code": "moderation_blocked",
    }
    return json_reply(400, {"error": error})


def moderation_blocked_in_stream() -> Reply:
    """Refuse the same, but in a stream that has begun with status 200."""
    error = {"type": "image_generation_user_error", "code": "moderation_blocked", "param": None}
    said = {"message": "Your request was rejected by the safety system.", **error}
    return sse([event("error", {"error": said})], done=False)


def without_data() -> Reply:
    """Answer 200, and no picture."""
    return json_reply(200, {"created": CREATED})


def dies_after_a_partial(scene: Scene) -> Reply:
    """Break the stream off after a preview; the picture may be charged."""
    partial = {"b64_json": scene.base64(), "partial_image_index": 0, "created_at": CREATED}
    frames = [event("image_generation.partial_image", partial)]
    return sse(frames, done=False, ending="reset")


# --- Ark -----------------------------------------------------------------------------------------


def ark_items(*items: Literal["good", "filtered"]) -> Callable[[Scene], Reply]:
    """Filter some of several pictures; streamed if it was asked for so."""
    errors = [None if item == "good" else ark.FILTERED for item in items]
    return lambda scene: ark.answer(scene, errors)


def ark_error_beside_nothing(scene: Scene) -> Reply:
    """Answer 200 with an `error` beside no picture."""
    error = {"code": "OutputImageSensitiveContentDetected", "message": "The request failed."}
    usage = {"generated_images": 0, "output_tokens": 0, "total_tokens": 0}
    return json_reply(
        200, {"model": scene.body["model"], "created": CREATED, "data": [], "error": error, **usage}
    )


def ark_dies_after_a_picture(scene: Scene) -> Reply:
    """Break the stream off after the first picture, which is charged."""
    done = {"url": scene.link(), "size": "2048×2048", "image_index": 0, "created": CREATED}
    frames = [event("image_generation.partial_succeeded", done)]
    return sse(frames, done=False, ending="reset")


def ark_stream_error() -> Reply:
    """End a stream with an event `error`."""
    error = {"code": "InternalServiceError", "message": "The service encountered an error."}
    return sse([event("error", {"error": error})], done=False)


def ark_refused(code: str, message: str = "No.", status: int = 400, param: str = "") -> Reply:
    """Refuse with a code of Ark."""
    return ark.refused(code, message, status, param)


def ark_too_few_pixels() -> Reply:
    """Refuse a size in the words of Ark."""
    return ark.too_few_pixels()


# --- DashScope -----------------------------------------------------------------------------------


def dashscope_refused(code: str, message: str = "No.", status: int = 400) -> Reply:
    """Refuse with a code of DashScope, also under status 200."""
    return dashscope.refused(code, message, status)


def dashscope_refused_flat(code: str, message: str = "No.", status: int = 400) -> Reply:
    """Refuse with a code, as DashScope's OpenAI-style route does."""
    return json_reply(status, {"error": {"code": code, "message": message, "param": None}})


def task_state(status: str, **more: Any) -> Callable[[Scene], Reply]:
    """Say that a task is in this state: SUSPENDED, UNKNOWN, FAILED with code and message."""

    def turn(scene: Scene) -> Reply:
        return dashscope.task_reply(scene.request.path.rsplit("/", 1)[-1], status, **more)

    return turn


def task_mixed(scene: Scene) -> Reply:
    """Filter the last picture of a task: links and an error side by side."""
    task = _task(scene)
    error = {"code": "DataInspectionFailed", "message": "Output data may contain inappropriate."}
    return dashscope.task_done(scene, task, [*[None] * (task.count - 1), error])


def task_with_plain_link(scene: Scene) -> Reply:
    """Answer with a link of http, on a host of the vendor."""
    url = "http://dashscope-result-bj.oss-cn-beijing.aliyuncs.com/7d/x.png?Expires=1&Signature=s"
    results = [{"url": url}]
    return dashscope.task_reply(_task(scene).id, "SUCCEEDED", results=results)


def text_before_image(scene: Scene) -> Reply:
    """Write a text and thoughts before the picture."""
    texts = [{"reasoning_content": "A cat sits."}, {"text": "A vivid cat."}]
    return dashscope.messages_answer(scene, *texts)


def request_id_in_camel_case(scene: Scene) -> Reply:
    """Call the request's id `requestId`."""
    return dashscope.messages_answer(scene, request_id=None, requestId="rid-camel")


def choices_without_image() -> Reply:
    """Answer with choices whose content is text alone."""
    message = {"role": "assistant", "content": [{"text": "I cannot draw this."}]}
    choices = [{"finish_reason": "stop", "message": message}]
    return json_reply(200, {"output": {"choices": choices}, "request_id": dashscope.REQUEST_ID})


# --- SiliconFlow and Zhipu -----------------------------------------------------------------------


def bare_text(status: int = 401, text: str = "Invalid token") -> Reply:
    """Answer with a body that is a JSON string."""
    return json_reply(status, text)


def siliconflow_refused(code: int, message: str = "No.", status: int = 400) -> Reply:
    """Refuse with a number, as SiliconFlow does."""
    return siliconflow.refused(code, message, status)


def zhipu_refused(code: str, message: str = "拒绝。", status: int = 400) -> Reply:
    """Refuse with digits in a text, as Zhipu does; no money is a 429."""
    return zhipu.refused(code, message, status)


def zhipu_failed(scene: Scene) -> Reply:
    """Say that a task has failed, under status 200."""
    return json_reply(200, {"id": _task(scene).id, "task_status": "FAIL", "request_id": "rq"})


# --- Local servers -------------------------------------------------------------------------------


def text_error(status: int = 400, text: str = "prompt required") -> Reply:
    """Refuse as sd-server does: `error` is a text."""
    return json_reply(status, {"error": text})


def silence(reply: Turn, seconds: float = 70.0) -> Callable[[Scene], Reply]:
    """Say nothing for so long before the reply, as a server does that works off a queue."""
    return lambda scene: delayed(reply(scene) if callable(reply) else reply, seconds)


# --- Any -----------------------------------------------------------------------------------------


def big_base64(length: int = 60 << 20) -> Callable[[Scene], Reply]:
    """Answer with base64 that is so long; the bytes after the end of the picture are zeros."""

    def turn(scene: Scene) -> Reply:
        data = picture() + bytes(length * 3 // 4 - len(picture()))
        scene.studio.charged += 1
        text = base64.b64encode(data).decode()
        return json_reply(200, {"created": CREATED, "data": [{"b64_json": text}]})

    return turn


def truncated_base64(scene: Scene) -> Reply:
    """Answer with base64 that lacks its end."""
    text = scene.base64()
    return json_reply(200, {"created": CREATED, "data": [{"b64_json": text[: len(text) // 2 + 1]}]})


def link_to(url: str = METADATA) -> Reply:
    """Answer with a link that leads elsewhere, in the shape of OpenAI, Ark and Zhipu."""
    return json_reply(200, {"created": CREATED, "data": [{"url": url}]})


def link_that_redirects(location: str = METADATA) -> Reply:
    """Redirect who reads a link."""
    return redirect(302, location)


def html_instead(status: int = 200) -> Reply:
    """Answer who reads a link with a page and no picture."""
    page = b"<html><body>expired</body></html>"
    return Whole(response_bytes(status, page, [("Content-Type", "text/html")]))


def jpeg_called_png() -> Reply:
    """Answer who reads a link with JPEG bytes that the header calls PNG."""
    return Whole(response_bytes(200, picture("JPEG"), [("Content-Type", "image/png")]))


def gzip_bomb_picture(total: int = 200 << 20) -> Reply:
    """Answer who reads a link with a few bytes that become many."""
    headers = [("Content-Type", "image/png"), ("Content-Encoding", "gzip")]
    return Whole(response_bytes(200, gzip.compress(bytes(total), 6), headers))


def huge_picture() -> Reply:
    """Answer who reads a link with a small PNG of 2^30 pixels."""
    return Whole(response_bytes(200, huge_png(), [("Content-Type", "image/png")]))


def cut_picture() -> Reply:
    """Answer who reads a link with fewer bytes than were announced."""
    data = picture()
    headers = [("Content-Type", "image/png"), ("Content-Length", str(len(data)))]
    return raw_reply(response_bytes(200, data[: len(data) // 2], headers))


def dies_after_work(scene: Scene) -> Reply:
    """Make the picture, charge for it and close the connection without an answer."""
    scene.studio.paint()
    return close_before_answer()


def json_bytes(document: object) -> bytes:
    """Return JSON as a vendor writes it."""
    return json.dumps(document).encode()


def _task(scene: Scene) -> VendorTask:
    task = scene.task()
    assert task is not None
    return task
