"""Finds the field of a request for pictures that a vendor's refusal blames."""

import re
from collections.abc import Iterator, Mapping

from llm_api.upstream.vendors.blamed_fields import blamed_field
from llm_api.upstream.vendors.error_body import VendorError

# The vendors' usual names of what a caller can give, by ours; the surest signs come first.
_USUAL = {
    "size": "size",
    "image_size": "size",
    "width": "size",
    "height": "size",
    "resolution": "size",
    "negative_prompt": "negative_prompt",
    "seed": "seed",
    "quality": "quality",
    "background": "background",
    "output_format": "output_format",
    "mask": "mask",
    "image": "images",
    "images": "images",
    "img_url": "images",
    "prompt": "prompt",
    "model": "model",
}
_IN_CHINESE = {"尺寸": "size", "分辨率": "size", "图片": "images", "提示词": "prompt"}
_QUOTED = re.compile(r"[`'\"“‘「]([a-z][a-z0-9_.]{0,40})(?:\[\d*\])?[`'\"”’」]")
_EDGE = re.compile(r"\[.*|.*\.")


def blamed_input(sent: VendorError, field_names: Mapping[str, str]) -> str | None:
    """Return our name of the field that a vendor blames; None where it blames none that we know.

    `field_names` has our names by the vendor's, "" for a name of several of ours; the usual ones
    are known anyway.
    """
    known = {**_USUAL, **field_names}
    return next((known[name] for name in _names(sent, known) if name in known), None) or None


def _names(sent: VendorError, known: Mapping[str, str]) -> Iterator[str]:
    if sent.param:
        yield _EDGE.sub("", sent.param)
    words = sent.quoting_words.lower()
    yield from (_EDGE.sub("", found[1]) for found in _QUOTED.finditer(words))
    if (blamed := blamed_field(sent)) is not None:
        yield _EDGE.sub("", blamed)
    # A name of one letter is in every sentence.
    yield from (
        name
        for name in known
        if len(name) > 2 and re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", words)
    )
    yield from _chinese(words)


def _chinese(words: str) -> Iterator[str]:
    yield from (name for word, name in _IN_CHINESE.items() if word in words)
