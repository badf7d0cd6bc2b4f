"""FIBO's structured prompts, the only ones that the model is trained on.

The fields are those of `ImageAnalysis` in
https://github.com/Bria-AI/FIBO/blob/main/src/fibo_inference/vlm/gemini_api.py. It wants most of
them: where the scene says nothing of one, `as described` does not either.
"""

import json
from collections.abc import Mapping
from typing import Any

from llm_api.services.prompts.constraints.colors import find_colors
from llm_api.services.prompts.constraints.counts import find_counts
from llm_api.services.prompts.constraints.nouns import named_nouns
from llm_api.services.prompts.constraints.reading import Reading, read
from llm_api.services.prompts.dialects.ideogram import AS_DESCRIBED, medium_of
from llm_api.services.prompts.dialects.plan import Box, Plan, PlannedText, PlannedThing

_OF_PEOPLE = ("pose", "expression", "clothing", "action", "gender", "skin_tone_and_texture")
_THIRDS = (100 / 3, 200 / 3)  # percent
_LARGE, _MEDIUM = 2_500, 600  # a quarter of the picture, and a sixteenth or so, in square percent
_MAX_STYLE_WORDS = 3


def fibo(plan: Plan) -> str:
    """Return a plan as FIBO's JSON in one line."""
    medium = medium_of(plan)
    document = {
        "short_description": plan.summary or ". ".join(thing.what for thing in plan.things),
        "objects": [_object(thing) for thing in plan.things],
        "background_setting": plan.setting or AS_DESCRIBED,
        "lighting": {
            "conditions": plan.light or AS_DESCRIBED,
            "direction": AS_DESCRIBED,
            "shadows": None,
        },
        "aesthetics": {
            "composition": plan.camera or AS_DESCRIBED,
            "color_scheme": plan.colors or AS_DESCRIBED,
            "mood_atmosphere": plan.mood or AS_DESCRIBED,
        },
        "photographic_characteristics": None,
        "style_medium": medium,
        "text_render": [_text(text) for text in plan.texts],
        "context": AS_DESCRIBED,
        "artistic_style": " ".join((plan.style or medium).split()[:_MAX_STYLE_WORDS]),
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _object(thing: PlannedThing) -> Mapping[str, Any]:
    reading = read(thing.what)
    several = [count.value for count in find_counts(reading) if count.value > 1]
    return {
        "description": ", ".join(filter(None, (thing.what, thing.look))),
        "location": _location(thing.box) or thing.where or AS_DESCRIBED,
        "relationship": thing.where or AS_DESCRIBED,
        "relative_size": _size(thing.box),
        "shape_and_color": _color(reading) or AS_DESCRIBED,
        "texture": None,
        "appearance_details": thing.look or None,
        "number_of_objects": several[0] if len(several) == 1 else None,
        **dict.fromkeys(_OF_PEOPLE),
        "orientation": None,
    }


def _color(reading: Reading) -> str:
    """Return the color of the first thing that a text names: not that of a woman's blue eyes."""
    first = next(iter(named_nouns(reading)), None)
    colors = find_colors(reading, with_parts=False)
    own = [one.color for one in colors if first and one.noun and one.noun.start == first.start]
    return ", ".join(dict.fromkeys(own))


def _text(text: PlannedText) -> Mapping[str, Any]:
    return {
        "text": text.text,
        "location": _location(text.box) or text.where or AS_DESCRIBED,
        "size": _size(text.box),
        "color": AS_DESCRIBED,
        "font": AS_DESCRIBED,
        "appearance_details": ", ".join(filter(None, (text.look, text.where))) or None,
    }


def _location(box: Box | None) -> str:
    """Return in which ninth of the picture the middle of a box is, such as `top-left`."""
    if box is None:
        return ""
    across = _third((box.left + box.right) / 2, "left", "right")
    down = _third((box.top + box.bottom) / 2, "top", "bottom")
    return "-".join(filter(None, (down, across))) or "center"


def _third(at: float, first: str, last: str) -> str:
    return first if at < _THIRDS[0] else last if at > _THIRDS[1] else ""


def _size(box: Box | None) -> str:
    if box is None:
        return AS_DESCRIBED
    area = (box.right - box.left) * (box.bottom - box.top)
    return "large within frame" if area >= _LARGE else "medium" if area >= _MEDIUM else "small"
