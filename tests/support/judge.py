"""What a scripted vision model answers, and what it was asked."""

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.support.peer import RecordedRequest
from tests.support.replies import Reply, answer_with, completion

SCORE_IMAGE = "/api/v1/llm/score-image"
QUALITY = ("technical_quality", "artifacts", "composition", "aesthetics", "text_rendering")
Usage = Mapping[str, object]


def judge_env(url: str, **more: str) -> dict[str, str]:
    """Name an upstream as the judge."""
    return {
        "JUDGE_LLM_API_URL": url,
        "JUDGE_LLM_API_KEY": "sk-canary-of-the-judge",
        "JUDGE_LLM_MODEL": "seer",
        **more,
    }


def data_uri(data: bytes, media_type: str = "image/png") -> str:
    """Write a picture as a data URI."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def alignment(level: str | None = "good", answers: Sequence[str] = ()) -> dict[str, Any]:
    """Return what a model says of a picture and its prompt; a level of None leaves it out."""
    said: dict[str, Any] = {"observations": "A cat."}
    if level is not None:
        said["dimensions"] = {"alignment": {"evidence": "It is there.", "level": level}}
    if answers:
        said["checkpoints"] = [
            {"id": number, "evidence": f"Seen {number}.", "answer": answer}
            for number, answer in enumerate(answers, 1)
        ]
    return said | {"summary": "A cat, as wanted."}


def quality(level: str = "good", **levels: str) -> dict[str, Any]:
    """Return what a model says of a picture's quality; text is not in it unless `levels` has it."""
    given = dict.fromkeys(QUALITY, level) | {"text_rendering": "none"} | levels
    return {
        "observations": "A clean picture.",
        "dimensions": {
            name: {"evidence": f"Of {name}.", "level": one} for name, one in given.items()
        },
        "issues": [{"type": "anatomy", "severity": "minor", "where": "left hand"}],
        "safety_note": "none",
        "summary": "Clean.",
    }


def preference(better: str) -> dict[str, Any]:
    """Return which of two pictures a model prefers."""
    return {"observations": "Two cats.", "evidence": "It is sharper.", "better": better}


def says(document: object, **options: Any) -> Reply:
    """Answer with a document as JSON, or with a text."""
    text = document if isinstance(document, str) else json.dumps(document)
    return completion(text, model="seer-2", **options)


def kind_of(request: RecordedRequest) -> str:
    """Return what a request asks: `alignment`, `quality` or `pair`."""
    instructions = request.json["messages"][0]["content"]
    if '"better"' in instructions:
        return "pair"
    return "quality" if '"safety_note"' in instructions else "alignment"


def texts_in(request: RecordedRequest) -> list[str]:
    """Return the texts of what a request asks, without the rubric's."""
    content = request.json["messages"][1]["content"]
    return [part["text"] for part in content if part["type"] == "text"]


def pictures_in(request: RecordedRequest) -> list[bytes]:
    """Return the pictures of what a request asks."""
    content = request.json["messages"][1]["content"]
    urls = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
    return [base64.b64decode(url.partition(",")[2]) for url in urls]


def details_in(request: RecordedRequest) -> list[str | None]:
    """Return the `detail` of each picture of a request."""
    content = request.json["messages"][1]["content"]
    return [p["image_url"].get("detail") for p in content if p["type"] == "image_url"]


def checkpoints_in(request: RecordedRequest) -> list[dict[str, Any]]:
    """Return the checkpoints of a request: `id` and `question`."""
    last = texts_in(request)[-1]
    material = json.loads(last) if last.startswith("{") else {}
    found: list[dict[str, Any]] = material.get("checkpoints", [])
    return found


def judge_that(
    *,
    aligns: str = "good",
    is_of_quality: str = "good",
    answers: Callable[[str], str] = lambda _: "yes",
    prefers: Callable[[list[bytes]], str] = lambda _: "tie",
) -> Callable[[RecordedRequest], Reply]:
    """Return a judge for `answer_with`, which answers whatever it is asked.

    Args:
        aligns: the level of its alignments.
        is_of_quality: that of its qualities.
        answers: `yes`, `no` or `unclear` to the words of a checkpoint.
        prefers: `first`, `second` or `tie` of two pictures.
    """

    def reply(request: RecordedRequest) -> Reply:
        kind = kind_of(request)
        if kind == "pair":
            return says(preference(prefers(pictures_in(request))))
        has_text = not re.search(r'"text_rendering": \{[^}]*none', _instructions(request))
        if kind == "quality":
            more = {"text_rendering": is_of_quality} if has_text else {}
            return says(quality(is_of_quality, **more))
        said = alignment(aligns if '"dimensions"' in _instructions(request) else None)
        asked = [
            {"id": one["id"], "evidence": "Seen.", "answer": answers(one["question"])}
            for one in checkpoints_in(request)
        ]
        return says(said | ({"checkpoints": asked} if asked else {}))

    return reply


def always(judge: Callable[[RecordedRequest], Reply], times: int) -> list[Reply]:
    """Return the replies of a judge, for so many calls."""
    return [answer_with(judge)] * times


def _instructions(request: RecordedRequest) -> str:
    text: str = request.json["messages"][0]["content"]
    return text
