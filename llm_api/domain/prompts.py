"""The nouns of prompt optimization: what is asked for, and what comes back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

GENERIC = "generic"


@dataclass(frozen=True, slots=True)
class PromptRequest:
    """A prompt to rewrite for an image or a video model.

    `language` is that of the rewrite, `auto` for the prompt's own; `preserve` are words of the
    prompt that stay as they are. `on_failure` is `original` or `error`: what a prompt without a
    usable rewrite is answered with.
    """

    prompt: str
    type: str
    style: str | None = None
    enhance_details: bool = True
    language: str = "auto"
    target_model: str = GENERIC
    max_length: int | None = None
    preserve: tuple[str, ...] = ()
    seed: int | None = None
    n: int = 1
    duration_seconds: int | None = None
    camera: str | None = None
    include_negative_prompt: bool = False
    include_details: bool = False
    on_failure: str = "original"
    max_wait_ms: int | None = None


@dataclass(frozen=True, slots=True)
class OptimizedPrompt:
    """A rewritten prompt. `improvements` names only what the rewrite verifiably added.

    The last three are there only where they were asked for.
    """

    original_prompt: str
    optimized_prompt: str
    improvements: Sequence[str] = ()
    warnings: Sequence[str] = ()
    candidates: Sequence[str] | None = None
    negative_prompt: str | None = None
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A model that draws or films, as far as its prompt is concerned.

    `languages` are those it understands, the one to write in first; `max_length` is in characters,
    by language. `max_negative` is None for one that takes no negative prompt. `note` says what the
    caller should know of it, such as that it rewrites prompts itself.
    """

    name: str
    languages: tuple[str, ...]
    max_length: Mapping[str, int]
    is_tags: bool = False
    max_negative: int | None = None
    note: str | None = None
