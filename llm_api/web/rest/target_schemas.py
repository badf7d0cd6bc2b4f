"""The target models that requests may name, and what each of them makes."""

from typing import Any

from llm_api.domain.prompts import GENERIC, STORYBOARD

# Those of config/targets.toml; a test holds them together.
TARGETS = (
    GENERIC,
    "wan",
    "qwen-image",
    "seedream",
    "seedance",
    "hunyuan",
    "flux",
    "sdxl",
    "sd15",
    "flux-2",
    "flux-kontext",
    "z-image",
    "hunyuan-image-3",
    "qwen-image-edit",
    "gpt-image",
    "midjourney",
    "ideogram-4",
    "fibo",
    "minimax-h3",
    "kling",
    "veo",
    "wan-3",
)
_BOTH = (GENERIC, "wan", "hunyuan")
_EDITORS = (
    *("flux-kontext", "qwen-image-edit", "gpt-image"),
    *("wan", "qwen-image", "seedream", "flux-2", "hunyuan-image-3"),
)
_VIDEOS = ("seedance", "minimax-h3", "kling", "veo", "wan-3")
# Which of them make what; the service refuses the others by what config/targets.toml says.
TARGETS_OF = {
    "image": tuple(sorted(set(TARGETS) - {*_VIDEOS, "qwen-image-edit"})),
    "video": tuple(sorted({*_BOTH, *_VIDEOS})),
    "edit": tuple(sorted({GENERIC, *_EDITORS})),
}
# A storyboard is of videos; `targets` are none of its fields.
_OF_REQUESTS = {**TARGETS_OF, STORYBOARD: TARGETS_OF["video"]}
MAX_TARGETS = 8


def type_rules(field: str, *, has_default: bool = False) -> list[dict[str, Any]]:
    """Describe which target models make what.

    Args:
        field: in which they are named: `target_model`, or the list `targets`.
        has_default: a request without a type is for an image.
    """
    return [
        {
            "not": {
                "required": [field] if has_default and kind == "image" else ["type", field],
                "properties": {
                    "type": {
                        "enum": ["image", None] if has_default and kind == "image" else [kind]
                    },
                    field: _among(sorted(set(TARGETS) - set(able)), field),
                },
            }
        }
        for kind, able in (TARGETS_OF if has_default else _OF_REQUESTS).items()
    ]


def _among(names: list[str], field: str) -> dict[str, Any]:
    """Describe a field that names one of some target models, or has it in its list."""
    named: dict[str, Any] = {"enum": names}
    return {"type": "array", "contains": named} if field == "targets" else named


def _given(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}


_SEVERAL = {"required": ["n"], "properties": {"n": {"type": "integer", "minimum": 2}}}
# What `targets` excludes: another target, and several rewrites for each.
ALONE_WITH_TARGETS: list[dict[str, Any]] = [
    {"not": {"allOf": [_given("targets"), _given("target_model")]}},
    {"not": {"allOf": [_given("targets"), _SEVERAL]}},
]
