"""Says what a content filter has refused, whether before or after the work, and what may help."""

import re
from collections.abc import Mapping

from llm_api.errors import ContentFiltered
from llm_api.upstream.vendors.error_body import VendorError

_FILTERED: Mapping[tuple[str | None, str | None], str] = {
    (None, None): "The model service's content filter refused the request.",
    ("input", None): "The model service's content filter refused what it was sent.",
    ("input", "text"): "The model service's content filter refused the prompt.",
    ("input", "image"): "The model service's content filter refused a picture that it was sent.",
    ("input", "video"): "The model service's content filter refused a film that it was sent.",
    ("input", "audio"): "The model service's content filter refused a sound that it was sent.",
    ("input", "face"): (
        "The model service refused what it was sent because of a face in it, which need not be of"
        " somebody who exists; send it without the face, or describe the person in the prompt."
    ),
    ("input", "copyright"): "The model service refused the request because of a copyright.",
    ("output", None): "The model service's content filter refused what was made.",
    ("output", "copyright"): "The model service refused what was made because of a copyright.",
    ("output", "audio"): (
        "The model service's content filter refused the sound that the model made, which is often"
        " wrong; ask for the film without audio, or allow that with retry_without_audio."
    ),
}
_KINDS = {"picture": "image", "prompt": "text"}


def content_filtered(sent: VendorError) -> ContentFiltered:
    """Return the error of a filter, with what the vendor says of it."""
    stage, what = _stage(sent.code_words) or _stage(sent.words), _what(sent.words)
    message = _FILTERED.get((stage, what)) or _FILTERED[stage, None]
    found = ContentFiltered(message, reason="content_filtered")
    return found.replaced(stage=stage, what=what)


def _stage(words: str) -> str | None:
    found = re.search(r"(in|out)put", words, re.IGNORECASE)
    return None if found is None else f"{found[1].lower()}put"


def _what(words: str) -> str | None:
    if re.search(r"PrivacyInformation|real person|\bfaces?\b", words, re.IGNORECASE):
        return "face"
    if re.search(r"copyright|infringement", words, re.IGNORECASE):
        return "copyright"
    if re.search("audio", words, re.IGNORECASE):  # of a film, which is named, too
        return "audio"
    found = re.search(r"image|picture|video|(?<!con)text|prompt", words, re.IGNORECASE)
    return None if found is None else _KINDS.get(found[0].lower(), found[0].lower())
