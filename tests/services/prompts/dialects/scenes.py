"""What tests of the dialects share: a scene as a model plans it, and the schemas of JSON forms."""

from typing import Any

FOXES = 'Two red foxes to the left of a sign that says "OPEN", no people'
FOX_SCENE: dict[str, Any] = {
    "summary": 'Two red foxes stand to the left of a wooden sign that says "OPEN" in the snow',
    "style": "",
    "things": [
        {
            "what": "two red foxes standing in the snow",
            "look": "thick winter fur",
            "where": "to the left of the sign",
            "box": [5, 40, 45, 90],
        },
        {
            "what": 'a wooden sign that says "OPEN"',
            "look": "weathered planks",
            "box": [55, 30, 90, 85],
        },
    ],
    "texts": [{"text": "OPEN", "look": "white capital letters", "where": "on the wooden sign"}],
    "setting": "a forest clearing with bare birches",
    "light": "low golden light from the right",
    "colors": "cool blues around the red fur",
    "camera": "eye-level medium shot",
    "mood": "quiet",
}
FOX_TEXT = (
    'Two red foxes stand to the left of a wooden sign that says "OPEN" in the snow. Low golden'
    " light falls from the right onto their thick winter fur, and cool blues fill the shadows of"
    " the bare birches behind them, seen at eye level in a medium shot."
)
CAT = "A white cat on a red sofa jumps after a fly"
CAT_SCENE: dict[str, Any] = {
    "summary": "A white cat on a red sofa watches a fly and jumps after it",
    "things": [{"what": "a white cat on a red sofa", "look": "soft short fur"}],
    "beats": ["the cat follows a fly with its eyes", "it crouches", "it jumps after the fly"],
    "setting": "a bright living room",
    "light": "soft window light",
    "camera": "static camera, medium shot",
    "sound": "a faint buzz",
}
_TEXT = {"type": "string", "minLength": 1}
_COLORS = {"type": "array", "items": {"type": "string", "pattern": "^#[0-9A-F]{6}$"}}


def _only(required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


_BOX = {
    "type": "array",
    "items": {"type": "integer", "minimum": 0, "maximum": 1000},
    "minItems": 4,
    "maxItems": 4,
}
_ELEMENT = _only(["type", "desc"], type={"const": "obj"}, desc=_TEXT, bbox=_BOX)
_WRITING = _only(
    ["type", "text", "desc"], type={"const": "text"}, text=_TEXT, desc=_TEXT, bbox=_BOX
)
# As docs/prompting.md of ideogram-oss/ideogram4 words it.
IDEOGRAM_SCHEMA = _only(
    ["compositional_deconstruction"],
    high_level_description=_TEXT,
    style_description={
        **_only(
            ["aesthetics", "lighting", "medium"],
            aesthetics=_TEXT,
            lighting=_TEXT,
            photo=_TEXT,
            art_style=_TEXT,
            medium=_TEXT,
            color_palette={**_COLORS, "maxItems": 16},
        ),
        "oneOf": [{"required": ["photo"]}, {"required": ["art_style"]}],
    },
    compositional_deconstruction=_only(
        ["background", "elements"],
        background=_TEXT,
        elements={"type": "array", "items": {"oneOf": [_ELEMENT, _WRITING]}},
    ),
)
_MAYBE = {"type": ["string", "null"], "minLength": 1}
_OF_OBJECT = {
    **dict.fromkeys(("description", "location", "relationship", "relative_size"), _TEXT),
    "shape_and_color": _TEXT,
    **dict.fromkeys(("texture", "appearance_details", "orientation"), _MAYBE),
    **dict.fromkeys(("pose", "expression", "clothing", "action", "gender"), _MAYBE),
    "skin_tone_and_texture": _MAYBE,
    "number_of_objects": {"type": ["integer", "null"], "minimum": 2},
}
_OF_TEXT = {
    **dict.fromkeys(("text", "location", "size", "color", "font"), _TEXT),
    "appearance_details": _MAYBE,
}
_OF_LIGHT = {"conditions": _TEXT, "direction": _TEXT, "shadows": _MAYBE}
_OF_AESTHETICS = dict.fromkeys(("composition", "color_scheme", "mood_atmosphere"), _TEXT)
_OF_FIBO = {
    **dict.fromkeys(("short_description", "background_setting", "style_medium"), _TEXT),
    **dict.fromkeys(("context", "artistic_style"), _TEXT),
    "photographic_characteristics": {"type": "null"},
    "objects": {"type": "array", "items": _only(list(_OF_OBJECT), **_OF_OBJECT)},
    "text_render": {"type": "array", "items": _only(list(_OF_TEXT), **_OF_TEXT)},
    "lighting": _only(list(_OF_LIGHT), **_OF_LIGHT),
    "aesthetics": _only(list(_OF_AESTHETICS), **_OF_AESTHETICS),
}
# As get_gemini_output_schema of Bria-AI/FIBO has it: all fields are there, some are null.
FIBO_SCHEMA = _only(list(_OF_FIBO), **_OF_FIBO)
SCHEMAS = {"ideogram-4": IDEOGRAM_SCHEMA, "fibo": FIBO_SCHEMA}


def texts_in(value: Any) -> list[str]:
    """Return all texts of a JSON value, without the names."""
    if isinstance(value, dict):
        return [text for inner in value.values() for text in texts_in(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in texts_in(inner)]
    return [value] if isinstance(value, str) else []
