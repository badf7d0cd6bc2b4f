"""Has films made with openai-python, and prints what its user sees as JSON.

    python film_steps.py BASE_URL PICTURE

The picture is base64. The prompt `refused` is one that the vendor refuses.
"""

import base64
import json
import sys
import warnings
from typing import Any

# OpenAI has ended its own films, and its SDK says so.
warnings.simplefilter("ignore", DeprecationWarning)

import openai  # noqa: E402  # behind the filter


def _raised(call: Any) -> dict[str, Any]:
    try:
        call()
    except openai.APIStatusError as error:
        return {"class": type(error).__name__, "status": error.status_code, "code": error.code}
    return {}


def main() -> None:
    """Take the steps."""
    base_url, picture = sys.argv[1], base64.b64decode(sys.argv[2])
    videos = openai.OpenAI(base_url=base_url, api_key="x").videos
    link = f"data:image/png;base64,{sys.argv[2]}"
    facts: dict[str, Any] = {"version": openai.__version__}

    first = videos.create(prompt="A kite", seconds="8", size="720x1280")
    facts["created"] = [first.object, first.status, first.progress, first.seconds, first.size]
    facts["not_ready"] = _raised(lambda: videos.download_content(first.id))
    second = videos.create_and_poll(prompt="A kite", input_reference=("a.png", picture))
    facts["polled"] = [second.status, second.progress, second.seconds, second.error]
    # Its own argument takes files alone.
    reference = {"input_reference": {"image_url": link}}
    third = videos.create_and_poll(prompt="A kite", extra_body=reference)
    refused = videos.create_and_poll(prompt="refused")
    facts["refused"] = [refused.status, refused.error.code if refused.error else None]
    facts["retrieved"] = videos.retrieve(second.id).status
    listed = [one.id for one in videos.list(limit=1, order="asc")]
    facts["listed"] = listed == [first.id, second.id, third.id, refused.id]
    content = videos.download_content(second.id).read()
    facts["content"] = content[4:8].decode()
    _read_and_delete(videos, second.id, listed, facts)
    sys.stdout.write(json.dumps(facts))


def _read_and_delete(videos: Any, made: str, listed: list[str], facts: dict[str, Any]) -> None:
    part = videos.download_content(made, extra_headers={"Range": "bytes=4-7"})
    facts["part"] = [part.response.status_code, part.read().decode()]
    facts["no_thumbnail"] = _raised(lambda: videos.download_content(made, variant="thumbnail"))
    gone = [videos.delete(one) for one in listed]
    facts["deleted"] = [[one.deleted, one.object] for one in gone]
    facts["not_there"] = _raised(lambda: videos.retrieve(made))
    facts["remixed"] = _raised(lambda: videos.remix(made, prompt="A kite"))


if __name__ == "__main__":
    main()
