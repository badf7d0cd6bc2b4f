"""Asks for pictures with openai 3 or with LangChain's wrapper, as the first argument says.

It runs in the environments of the SDKs.
"""

import base64
import importlib.metadata
import json
import sys
import traceback
import urllib.request
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

Facts = dict[str, Any]
Action = Callable[[SimpleNamespace, Facts], None]


def _is_png(data: bytes) -> bool:
    return data[1:4] == b"PNG"


def _fetched(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310  # the service's own
        return _is_png(answer.read())


def _openai() -> tuple[str, dict[str, Action]]:
    import openai  # noqa: PLC0415  # the other environment has LangChain

    def images(step: SimpleNamespace) -> Any:
        repeats = {} if step.repeats else {"max_retries": 0}
        return openai.OpenAI(base_url=step.base_url, api_key="x", **repeats).images

    def asked(step: SimpleNamespace) -> Facts:
        return {"model": step.model, "prompt": step.prompt}

    def files(step: SimpleNamespace) -> Facts:
        picture, mask = base64.b64decode(step.picture), base64.b64decode(step.mask)
        # One with a name, one as bare bytes.
        return {"image": [("a.png", picture), picture], "mask": ("mask.png", mask)}

    def note(answer: Any, facts: Facts) -> None:
        facts["pictures"] = [_is_png(base64.b64decode(one.b64_json)) for one in answer.data]

    def watch(events: Any, facts: Facts) -> None:
        facts["events"] = []
        for event in events:
            seen = [event.type, _is_png(base64.b64decode(event.b64_json))]
            facts["events"].append(seen)

    def link(step: SimpleNamespace, facts: Facts) -> None:
        answer = images(step).generate(**asked(step), response_format="url")
        facts["pictures"] = [_fetched(one.url) for one in answer.data]

    return openai.__version__, {
        "bytes": lambda s, f: note(images(s).generate(**asked(s)), f),
        "two": lambda s, f: note(images(s).generate(**asked(s), n=2, size="1024x1024"), f),
        "link": link,
        "stream": lambda s, f: watch(
            images(s).generate(**asked(s), stream=True, partial_images=1), f
        ),
        "edit": lambda s, f: note(images(s).edit(**asked(s), **files(s)), f),
        "stream_edit": lambda s, f: watch(images(s).edit(**asked(s), **files(s), stream=True), f),
    }


def _langchain() -> tuple[str, dict[str, Action]]:
    warnings.simplefilter("ignore")
    from langchain_community.utilities.dalle_image_generator import (  # noqa: PLC0415  # see above
        DallEAPIWrapper,
    )

    def link(step: SimpleNamespace, facts: Facts) -> None:
        wrapper = DallEAPIWrapper(
            model=step.model,
            api_key="x",
            base_url=step.base_url,
            max_retries=2 if step.repeats else 0,
            # It reads links, and has no other way to ask for them.
            default_query={"response_format": "url"},
        )
        facts["pictures"] = [_fetched(wrapper.run(step.prompt))]

    return importlib.metadata.version("langchain-community"), {"link": link}


def _described(error: Exception) -> Facts:
    body = getattr(error, "body", None) or {}
    return {
        "class": type(error).__name__,
        "status": getattr(error, "status_code", None),
        "type": body.get("type"),
        "code": body.get("code"),
    }


def _print(document: Facts) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Take the steps that the second argument lists, and print a line of JSON for each."""
    version, actions = _openai() if sys.argv[1] == "openai" else _langchain()
    _print({"version": version})
    for document in json.loads(sys.argv[2]):
        facts: Facts = {}
        try:
            actions[document["action"]](SimpleNamespace(**document), facts)
        except Exception as error:  # noqa: BLE001  # whatever the SDK raises is what is looked at
            traceback.print_exc()
            facts["raised"] = _described(error)
        _print({"name": document["name"], "facts": facts})


if __name__ == "__main__":
    main()
