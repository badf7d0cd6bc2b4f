"""The anchors: pictures that are drawn here, and what is known of them."""

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

SIDE = 512
_INK, _PAPER = "#101010", "#ffffff"
_TEXT_SIZE = 90


@dataclass(frozen=True, slots=True)
class Anchor:
    """A picture with known verdicts.

    Attributes:
        prompt: what it is held against.
        is_aligned: whether it is what the prompt wants; None where opinions differ.
        questions: sentences, and whether each is true of it.
        has_quality: whether its quality is judged, too.
        drawing: in the terms of `llm_api.pictures.child.drawing`.
    """

    id: str
    prompt: str
    is_aligned: bool | None
    questions: tuple[tuple[str, bool], ...]
    has_quality: bool
    drawing: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AnchorSet:
    """All anchors, and a version that changes with any of them."""

    anchors: Sequence[Anchor]
    version: str


def read_anchors() -> AnchorSet:
    """Read the anchors of anchors.toml."""
    text = resources.files(__package__).joinpath("anchors.toml").read_text("utf-8")
    anchors = [_anchor(table) for table in tomllib.loads(text)["anchors"]]
    return AnchorSet(anchors, hashlib.sha256(text.encode()).hexdigest()[:8])


def _anchor(table: Mapping[str, Any]) -> Anchor:
    shapes = [
        {"kind": kind, "place": place, "fill": fill, "outline": None, "line": 1}
        for kind, place, fill in table["shapes"]
    ]
    texts = [
        {"kind": "text", "place": place, "text": text, "color": _INK, "max_size": _TEXT_SIZE}
        for text, place in table.get("texts", ())
    ]
    return Anchor(
        id=table["id"],
        prompt=table["prompt"],
        is_aligned={"high": True, "low": False, None: None}[table.get("alignment")],
        questions=tuple((one["text"], one["answer"] == "yes") for one in table["questions"]),
        has_quality=table.get("has_quality", False),
        drawing={
            "width": SIDE,
            "height": SIDE,
            "background": _PAPER,
            "output_format": "png",
            "compression": None,
            "items": [*shapes, *texts],
        },
    )
