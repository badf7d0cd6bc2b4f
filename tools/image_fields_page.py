"""Writes the table of docs/image-apis.md: what becomes of each field of a request for pictures.

Nothing is said about the models but what the service does with a request to one of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from llm_api.domain.images import ImageRequest, SizePolicy
from llm_api.domain.making import InputPicture
from llm_api.errors import InvalidRequest
from llm_api.settings.image_profiles import read_image_profiles
from llm_api.upstream.media.fitting.fitting import fitted
from llm_api.upstream.media.image_profiles import ImageModel
from tools.field_tables import table

_PICTURE = InputPicture("picture", "image/png", 64, 64, 1000, has_alpha=True)
# A value for each field; how a model calls its best quality is its own matter.
_ASKED: Mapping[str, Any] = {
    "negative_prompt": "dogs",
    "seed": 7,
    "quality": "high",
    "background": "transparent",
    "output_format": "webp",
    "watermark": True,
    "user": "u",
    "partial_images": 1,
}
# A field of OpenAI's routes alone.
_OF_OPENAI = frozenset(["partial_images"])


def written(root: Path) -> str:
    """Return the table."""
    columns = [*(f"`{name}`" for name in _ASKED), "`images`", "`mask`", "`n`"]
    return table(columns, read_image_profiles(root), _cells)


def _cells(model: ImageModel) -> Iterator[str]:
    for name in _ASKED:
        ours, openai = (_outcome(model, name, policy) for policy in SizePolicy)
        yield openai if ours == openai or name in _OF_OPENAI else f"{ours} / {openai}"
    least, most = model.min_references, model.max_references
    yield (f"{least} to {most}" if least < most else str(most)) if most else "refused"
    yield "sent" if model.has_mask else "refused"
    yield f"1 to {model.max_n}"


def _outcome(model: ImageModel, name: str, policy: SizePolicy) -> str:
    """Return what becomes of a field: `sent`, a notice's word, or `refused`."""
    pictures = (_PICTURE,) * model.min_references
    plain = ImageRequest("A cat", references=pictures, size_policy=policy)
    try:
        sent = fitted(replace(plain, **{name: _ASKED[name]}), model, model.name)
    except InvalidRequest:
        return "refused"
    return next((one.code for one in sent.notices if one.field == name), "sent")
