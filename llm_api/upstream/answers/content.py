"""Makes one text of content that comes as a list of parts, as Mistral, Cohere and others write it.

OpenAI's content of an answer is a string or null. Text parts become that string and thinking parts
`reasoning_content`; pictures go to `images`, where OpenRouter has them; any other part is kept in
`content_parts`, so that nothing is lost.
Sources: https://docs.mistral.ai/capabilities/reasoning/ and
https://openrouter.ai/docs/features/multimodal/image-generation.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from llm_api.upstream import faults

_MAX_DEPTH = 16
_TEXT_NAMES = ("text", "content", "output_text", "value")
_THOUGHT_NAMES = ("thinking", "reasoning", "reasoning_content", "summary", *_TEXT_NAMES)
# Beside the text of a part that has no type; with any other field it is a document of its own.
_BESIDE_TEXT = frozenset([*_TEXT_NAMES, "thought", "role", "id", "index", "annotations"])
_THOUGHTS = ("thinking", "reasoning", "thought", "summary")
TEXTS = ("content", "reasoning_content", "reasoning", "refusal")


def settle_texts(said: dict[str, Any]) -> bool:
    """Make texts of what a message or delta says in any other form; return whether any was.

    Raises faults.Fault.
    """
    is_changed = False
    for name in TEXTS:
        value = said.get(name)
        if value is None or isinstance(value, str):
            continue
        if name == "content":
            _spread(said, value)
        else:
            said[name] = "".join(_texts_of(value, _THOUGHT_NAMES, 0))
        is_changed = True
    return is_changed


def text_of_chat(choice: dict[str, Any]) -> str:
    """Return the text of a chat's choice, and remove its message: relays answer so here, too."""
    said = choice.pop("message", None) or choice.pop("delta", None)
    if not isinstance(said, dict):
        return ""
    settle_texts(said)
    content = said.get("content")
    return content if isinstance(content, str) else ""


def _spread(said: dict[str, Any], content: object) -> None:
    """Put the parts of a `content` where OpenAI's form has them."""
    if isinstance(content, dict) and "type" not in content and not _BESIDE_TEXT.issuperset(content):
        content = written(content)  # a model's structured answer, which the server has read
    texts: list[str] = []
    thoughts: list[str] = []
    refusals: list[str] = []
    said["content"] = None
    for kind, part in _parts(content, 0):
        if kind == "text":
            texts.extend(_texts_of(part, _TEXT_NAMES, 0))
        elif kind == "thought":
            thoughts.extend(_texts_of(part, _THOUGHT_NAMES, 0))
        elif kind == "refusal":
            refusals.extend(_texts_of(part, ("refusal", *_TEXT_NAMES), 0))
        else:
            _keep(said, kind, part)
    is_silent = not texts and (thoughts or refusals or "images" in said or "content_parts" in said)
    said["content"] = None if is_silent else "".join(texts)
    for name, found in (("reasoning_content", thoughts), ("refusal", refusals)):
        if found and not isinstance(said.get(name), str):
            said[name] = "".join(found)


def _keep(said: dict[str, Any], name: str, part: object) -> None:
    kept = said.get(name)
    said[name] = [*kept, part] if isinstance(kept, list) else [part]


def _parts(content: object, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield every part with what it is: text, thought, refusal, or where it is kept."""
    _check(depth)
    if isinstance(content, list):
        for part in content:
            yield from _parts(part, depth + 1)
    elif isinstance(content, dict):
        kind = content.get("type")
        yield _kind(content, kind.lower() if isinstance(kind, str) else ""), content
    elif content is not None:
        yield "text", content


def _kind(part: dict[str, Any], kind: str) -> str:
    if any(word in kind for word in _THOUGHTS) or part.get("thought") is True:
        return "thought"
    if not kind and "thinking" in part:
        return "thought"
    if kind == "refusal":
        return "refusal"
    if "image" in kind or (not kind and "image_url" in part):
        return "images"
    if "text" in kind or (not kind and any(name in part for name in _TEXT_NAMES)):
        return "text"
    # A model's structured answer, which the vendor has read already.
    return "content_parts" if kind else "text"


def _texts_of(part: object, names: tuple[str, ...], depth: int) -> Iterator[str]:
    """Yield the texts of a part, whichever of the `names` they have and however deep they are."""
    _check(depth)
    if isinstance(part, str):
        yield part
    elif isinstance(part, list):
        for inner in part:
            yield from _texts_of(inner, names, depth + 1)
    elif isinstance(part, dict):
        name = next((name for name in names if part.get(name) is not None), None)
        if name is not None:
            yield from _texts_of(part[name], names, depth + 1)
        elif "type" not in part:
            yield written(part)
    elif part is not None:
        yield written(part)


def written(value: object) -> str:
    """Write a value as JSON; raises faults.Fault."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise faults.bad_response("an answer that is nested too deep") from error


def _check(depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise faults.bad_response("a content that is nested too deep")
