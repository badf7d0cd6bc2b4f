"""Ideogram 4's JSON captions, on which alone the model is trained.

The keys, their order, the boxes (`[y_min, x_min, y_max, x_max]` from 0 to 1000) and the palettes
are those of https://github.com/ideogram-oss/ideogram4/blob/master/docs/prompting.md:
`style_description` has exactly one of `photo` and `art_style`, and the model has seen JSON without
spaces.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from llm_api.services.prompts.constraints.reading import read
from llm_api.services.prompts.constraints.styles import find_styles
from llm_api.services.prompts.dialects.plan import Box, Plan, PlannedText, PlannedThing

# Where nothing is known and the schema wants a text: it says nothing.
AS_DESCRIBED = "as described"
PHOTOGRAPH = "photograph"
_PER_PERCENT = 10
_HEX = re.compile(r"#[0-9A-Fa-f]{6}\b")
_MAX_COLORS = 16
_PHOTO = re.compile(r"photo", re.IGNORECASE)


def ideogram(plan: Plan, source: str) -> str:
    """Return a plan as Ideogram's JSON in one line.

    Args:
        plan: the scene.
        source: the user's prompt, whose `#RRGGBB` become the palette.
    """
    caption: dict[str, Any] = {}
    if plan.summary:
        caption["high_level_description"] = plan.summary
    style = _style(plan, source)
    if style:
        caption["style_description"] = style
    caption["compositional_deconstruction"] = {
        "background": plan.setting or AS_DESCRIBED,
        "elements": [*map(_object, plan.things), *map(_text, plan.texts)],
    }
    return json.dumps(caption, ensure_ascii=False, separators=(",", ":"))


def medium_of(plan: Plan) -> str:
    """Return what kind of picture a plan is for: its style, if that is drawn, or a photograph.

    Without a style, only what a camera is planned for is one: a logo has none.
    """
    if not plan.style:
        return PHOTOGRAPH if plan.camera else AS_DESCRIBED
    known = list(find_styles(read(plan.style)))
    is_taken = known and not any(style.is_drawn for style in known)
    return PHOTOGRAPH if is_taken or _PHOTO.search(plan.style) else plan.style


def _style(plan: Plan, source: str) -> Mapping[str, Any]:
    """Return how it looks; nothing where nothing is known: the part may be left out."""
    palette = list(dict.fromkeys(code.upper() for code in _HEX.findall(source)))[:_MAX_COLORS]
    look = ", ".join(filter(None, (plan.mood, plan.colors)))
    if not (look or plan.light or plan.camera or plan.style or palette):
        return {}
    style: dict[str, Any] = {
        "aesthetics": look or AS_DESCRIBED,
        "lighting": plan.light or AS_DESCRIBED,
    }
    medium = medium_of(plan)
    if medium == PHOTOGRAPH:
        style |= {"photo": plan.camera or plan.style, "medium": medium}
    else:
        style |= {"medium": medium, "art_style": plan.style or AS_DESCRIBED}
    return style | ({"color_palette": palette} if palette else {})


def _object(thing: PlannedThing) -> Mapping[str, Any]:
    desc = ", ".join(filter(None, (thing.what, thing.look, thing.where)))
    return {"type": "obj", **_boxed(thing.box), "desc": desc}


def _text(text: PlannedText) -> Mapping[str, Any]:
    desc = ", ".join(filter(None, (text.look, text.where))) or AS_DESCRIBED
    return {"type": "text", **_boxed(text.box), "text": text.text, "desc": desc}


def _boxed(box: Box | None) -> Mapping[str, Sequence[int]]:
    if box is None:
        return {}
    return {"bbox": [_PER_PERCENT * at for at in (box.top, box.left, box.bottom, box.right)]}
