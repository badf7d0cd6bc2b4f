"""The nouns of prompt optimization: requests, target models, requirements, results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llm_api.domain.judging import JudgedPicture
from llm_api.domain.storyboards import CastMember, Storyboard

GENERIC = "generic"
# What a prompt can have for programs, and whose tokens can be counted.
SYNTAX = (
    *("weights", "parts", "loras", "embeddings", "wildcards", "choices", "steps", "break"),
    "flags",
)
ENCODERS = ("clip", "t5", "qwen")
EDIT = "edit"
TYPES = ("image", "video", EDIT)  # what a target model can be asked to make
VIDEO = "video"
STORYBOARD = "storyboard"  # several videos of one script
REQUEST_TYPES = (*TYPES, STORYBOARD)
MAX_EDITED_PICTURES = 3  # that are shown to the model which rewrites an edit
MAX_PROMPT_CHARS = 4_000  # of a prompt that is to be rewritten
PROSE, TAGS = "prose", "tags"
# Forms that code makes of a rewrite, each by a module of `services/prompts/dialects`.
DIALECTS = ("midjourney", "ideogram", "fibo", "minimax-h3", "kling", "veo")


@dataclass(frozen=True, slots=True)
class PromptRequest:
    """A prompt to rewrite for an image or a video model.

    `type` is `image`, `video`, or `edit` for an instruction that changes pictures: `pictures` are
    those, at most `MAX_EDITED_PICTURES`, in the order in which the prompt may number them. An edit
    has no style, camera or duration beside its prompt. With `storyboard` the prompt is a script,
    and `cast`, `total_seconds`, `shots` and the bounds of a shot's seconds are its own fields;
    what is None is chosen by the target. `targets` are several target models, of
    which each gets a rewrite of its own, instead of `target_model`. `language` is that of the
    rewrite: a tag of BCP 47, or `auto` for the prompt's own where the target understands it.
    `max_length` is in characters, `max_tokens` in those of the target's encoder; `preserve` are
    words of the prompt that must stay as they are. `on_failure` is `original` or `error`: the
    answer if no rewrite is usable. `refresh` asks for a new rewrite although one is kept; `pin` is
    the `rewrite_id` of the one that is wanted.
    """

    prompt: str
    type: str
    style: str | None = None
    enhance_details: bool = True
    language: str = "auto"
    target_model: str = GENERIC
    targets: tuple[str, ...] = ()
    max_length: int | None = None
    max_tokens: int | None = None
    preserve: tuple[str, ...] = ()
    seed: int | None = None
    n: int = 1
    duration_seconds: int | None = None
    camera: str | None = None
    include_negative_prompt: bool = False
    include_details: bool = False
    on_failure: str = "original"
    max_wait_ms: int | None = None
    refresh: bool = False
    pin: str | None = None
    pictures: tuple[JudgedPicture, ...] = ()
    cast: tuple[CastMember, ...] = ()
    total_seconds: int | None = None
    shots: int | None = None
    min_shot_seconds: int | None = None
    max_shot_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class DescriptionRequest:
    """A picture whose prompt is wanted, in the form that a target model expects.

    `language` is that of the prompt: a tag of BCP 47, or `auto` for the target's first. `detail` is
    how closely the model looks: `auto`, `low` or `high`. `model` is the vision model; None for the
    judge. All else is as in `PromptRequest`.
    """

    picture: JudgedPicture
    type: str = "image"
    language: str = "auto"
    target_model: str = GENERIC
    max_length: int | None = None
    detail: str = "auto"
    include_details: bool = False
    model: str | None = None


@dataclass(frozen=True, slots=True)
class TargetRewrite:
    """The rewrite for one of several target models, with what could not be done for this one.

    `negative_prompt` and `details` are None unless the request wants them.
    """

    target_model: str
    optimized_prompt: str
    improvements: Sequence[str] = ()
    warnings: Sequence[str] = ()
    negative_prompt: str | None = None
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class OptimizedPrompt:
    """A rewritten prompt. `improvements` names only what the rewrite verifiably added.

    `candidates`, `negative_prompt`, `rewrites` and `details` are None unless the request wants
    them. `rewrites` has one entry for each of the request's `targets`; all else is that of the
    first one.
    `rewrite_id` names the words; None where there is no rewrite. `storyboard` is set for one; the
    optimized prompt has all of its shots then.
    """

    original_prompt: str
    optimized_prompt: str
    improvements: Sequence[str] = ()
    warnings: Sequence[str] = ()
    candidates: Sequence[str] | None = None
    negative_prompt: str | None = None
    rewrites: Sequence[TargetRewrite] | None = None
    details: Mapping[str, Any] | None = None
    rewrite_id: str | None = None
    storyboard: Storyboard | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A target image or video model: what its prompts may be.

    `languages` are those it understands, the preferred first, and with `understands_all` any other
    as well; `max_length` is in characters, by language. `types` are those of `image`, `video` and
    `edit` that it makes. `is_tags` means comma-separated tags instead of sentences. `dialect` names
    the form into which code puts a rewrite: one of `DIALECTS`; None leaves it as it is written.
    `seconds` is the length of a video where a request gives none, `durations` are all that it can
    make, in seconds; empty for any. `shot_form` is how it reads several shots in one prompt, at
    most `max_shots`; None for one shot in each. `max_negative` is in characters,
    None for a model without negative prompts. `syntax` is what it understands beside words, `flags`
    the names of flags where it knows only these. `encoder` is whose tokens count, None for an
    estimate; `max_tokens` is how many it reads, its own marks included, None if not known. `note`
    is returned to callers in `details`, such as that the model rewrites prompts itself.
    """

    name: str
    languages: tuple[str, ...]
    max_length: Mapping[str, int] = field(hash=False)
    types: tuple[str, ...] = ("image", "video")
    is_tags: bool = False
    dialect: str | None = None
    seconds: int = 5
    durations: tuple[int, ...] = ()
    shot_form: str | None = None
    max_shots: int = 1
    max_negative: int | None = None
    syntax: frozenset[str] = frozenset()
    flags: frozenset[str] | None = None
    encoder: str | None = None
    max_tokens: int | None = None
    note: str | None = None
    understands_all: bool = False

    @property
    def form(self) -> str:
        """The form of its prompts: a dialect, `tags` or `prose`."""
        return self.dialect or (TAGS if self.is_tags else PROSE)


@dataclass(frozen=True, slots=True)
class RewriteRequirements:
    """What a rewrite must satisfy besides keeping the constraints of its prompt.

    `type` is one of `TYPES`; `language` is the canonical tag of that of the rewrite. Lengths are in
    characters. `is_tags` means comma-separated tags instead of sentences. `sees_pictures` means
    that the model which writes an edit is shown its pictures: it may name what stays of them.
    """

    type: str
    language: str
    max_length: int | None = None
    min_length: int | None = None
    enhance_details: bool = True
    style: str | None = None
    preserve: tuple[str, ...] = ()
    is_tags: bool = False
    sees_pictures: bool = False
