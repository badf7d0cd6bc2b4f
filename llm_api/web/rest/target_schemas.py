"""The target models that requests may name, and what each of them makes."""

from collections.abc import Sequence
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
# A storyboard is of videos.
TARGETS_OF_REQUESTS = {**TARGETS_OF, STORYBOARD: TARGETS_OF["video"]}
MAX_TARGETS = 8


def type_rules(field: str) -> list[dict[str, Any]]:
    """Describe which target models make what, where a request without a type is for an image.

    `field` is that in which they are named.
    """
    return [
        {
            "not": {
                "required": [field] if kind == "image" else ["type", field],
                "properties": {
                    "type": {"enum": ["image", None] if kind == "image" else [kind]},
                    field: {"enum": sorted(set(TARGETS) - set(able))},
                },
            }
        }
        for kind, able in TARGETS_OF.items()
    ]


def named_targets(rule: dict[str, Any], able: Sequence[str]) -> dict[str, Any]:
    """Return a rule of an object whose target models, one or a list, are among those `able`."""
    several = {"targets": {"items": {"enum": [*able]}}}
    one = {"target_model": {"enum": [*able, None]}}
    return {**rule, "properties": several | one | rule["properties"]}


# What `targets` excludes: another target, and several rewrites for each.
ALONE_WITH_TARGETS: dict[str, Any] = {
    "anyOf": [
        {"properties": {"targets": {"type": "null"}}},
        {
            "properties": {
                "target_model": {"type": "null"},
                "n": {"not": {"type": "integer", "minimum": 2}},
            }
        },
    ]
}
