"""Turns what people and tools show a model, blocks of Anthropic's, into parts of chat messages."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Part = dict[str, Any]
_BETWEEN = "\n\n"


def parts_of(content: str | Sequence[Mapping[str, Any]] | None) -> list[Part]:
    """Return the parts of a content: texts that say something, pictures and documents."""
    if content is None or isinstance(content, str):
        return [_text(content)] if content else []
    parts = [part for block in content for part in _PARTS[block["type"]](block)]
    return [part for part in parts if part.get("text", part["type"])]


def content_of(parts: Sequence[Part]) -> str | list[Part]:
    """Return parts as the content of a chat message: a text where they are texts alone.

    Servers of models without eyes take nothing else.
    """
    if all(part["type"] == "text" for part in parts):
        return text_of(parts)
    return list(parts)


def text_of(parts: Sequence[Part]) -> str:
    """Return the texts among parts as one."""
    return _BETWEEN.join(part["text"] for part in parts if part["type"] == "text")


def _text(text: str) -> Part:
    return {"type": "text", "text": text}


def _of_text(block: Mapping[str, Any]) -> Iterator[Part]:
    yield _text(block["text"])


def _of_image(block: Mapping[str, Any]) -> Iterator[Part]:
    source = block["source"]
    if source["type"] == "url":
        address = source["url"]
    else:
        address = f"data:{source['media_type']};base64,{source['data']}"
    yield {"type": "image_url", "image_url": {"url": address}}


def _of_document(block: Mapping[str, Any]) -> Iterator[Part]:
    """Put title and context of a document in front of it."""
    source, title = block["source"], block.get("title") or ""
    yield from (_text(said) for said in (title, block.get("context") or "") if said)
    if source["type"] == "content":
        yield from parts_of(source["content"])
    elif source["type"] == "text":
        yield _text(source["data"])
    else:
        # In the form of https://platform.openai.com/docs/guides/pdf-files
        name = f"{title.removesuffix('.pdf') or 'document'}.pdf"
        address = f"data:application/pdf;base64,{source['data']}"
        yield {"type": "file", "file": {"filename": name, "file_data": address}}


def _of_found(block: Mapping[str, Any]) -> Iterator[Part]:
    yield _text(f"{block['title']}\n{block['source']}".strip())
    yield from parts_of(block["content"])


def _of_reference(block: Mapping[str, Any]) -> Iterator[Part]:
    yield _text(block["tool_name"])


_PARTS = {
    "text": _of_text,
    "image": _of_image,
    "document": _of_document,
    "search_result": _of_found,
    "tool_reference": _of_reference,
}
