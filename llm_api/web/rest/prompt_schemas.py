"""Requests and responses of `POST /api/v1/llm/optimize-prompt`."""

from dataclasses import dataclass
from typing import Any, ClassVar

import marshmallow as ma
from marshmallow import ValidationError

from llm_api.domain.prompts import (
    EDIT,
    MAX_EDITED_PICTURES,
    MAX_PROMPT_CHARS,
    REQUEST_TYPES,
    STORYBOARD,
    PromptRequest,
)
from llm_api.services.prompts import REWRITE_ID
from llm_api.web.making.orders import Source
from llm_api.web.making.picture_sources import PictureField
from llm_api.web.rest.prompt_languages import LANGUAGE_METADATA, by_language
from llm_api.web.rest.storyboard_schemas import (
    OF_STORYBOARDS,
    StoryboardFields,
    storyboard_rule,
)
from llm_api.web.rest.target_schemas import (
    ALONE_WITH_TARGETS,
    MAX_TARGETS,
    TARGETS,
    TARGETS_OF_REQUESTS,
)
from llm_api.web.schema_fields import (
    LANGUAGE,
    Boolean,
    FieldProblem,
    Integer,
    ShortList,
    String,
    length,
    line,
    one_of,
    seed_field,
    within,
)

MAX_PRESERVED = 20
# Which of the fields an edit has in its prompt alone.
_OF_DESCRIPTIONS = ("style", "camera", "duration_seconds")
MAX_PRESERVED_CHARS = 200
# White space, and what services/prompts/text.py removes from a prompt: control and invisible signs.
_HIDDEN = (
    r"\s\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    r"\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
)
VISIBLE_PROMPT = ma.validate.Regexp(
    f"[{_HIDDEN}]*[^{_HIDDEN}]", error="must be more than white space."
)
_REWRITE_ID = "rw_5f0c2b9e7a4d41d68e13b0aa7c9d2e1f_2b8f0d5f7c3e41a9"
# Python's `$` also matches in front of a final line feed; JSON Schema's does not.
_REWRITE_ID_FORM = ma.validate.Regexp(
    REWRITE_ID.removesuffix("$") + r"\Z", error="must be a rewrite_id of this service."
)


def _describe(description: str) -> dict[str, str]:
    return {"description": description}


@dataclass(frozen=True, slots=True)
class EditOrder:
    """A valid edit before its pictures are read: where they are, by the names of their fields."""

    request: PromptRequest
    images: tuple[tuple[str, Source], ...]


def _without(*names: str) -> dict[str, Any]:
    """Describe which fields a request has not."""
    return {"properties": {name: {"type": "null"} for name in (*names, *OF_STORYBOARDS)}}


def _of_type(kind: str, rule: dict[str, Any]) -> list[dict[str, Any]]:
    """Describe a request of a type by a rule for each of its cases.

    One rule for each case, and none that names what must not be: the programs that make requests
    of the document multiply them out, and more of them become too many.
    """
    typed = {**rule, "properties": {"type": {"enum": [kind]}} | rule["properties"]}
    return by_language(typed, TARGETS_OF_REQUESTS[kind])


class PromptRequestSchema(StoryboardFields):
    """A prompt to rewrite."""

    class Meta(StoryboardFields.Meta):
        """Marshmallow's options, and for the API document what fields cannot say."""

        rules: ClassVar[dict[str, Any]] = {
            "allOf": [
                {
                    "anyOf": [
                        *_of_type("image", _without("images", "duration_seconds")),
                        *_of_type("video", _without("images")),
                        *_of_type(EDIT, _without(*_OF_DESCRIPTIONS)),
                        *_of_type(STORYBOARD, storyboard_rule()),
                    ]
                },
                {
                    "not": {
                        "required": ["pin", "refresh"],
                        "properties": {"pin": {"type": "string"}, "refresh": {"enum": [True]}},
                    }
                },
                ALONE_WITH_TARGETS,
            ],
        }

    prompt = String(required=True, validate=[length(1, MAX_PROMPT_CHARS), VISIBLE_PROMPT])
    type = String(
        required=True,
        validate=one_of(REQUEST_TYPES),
        metadata=_describe(
            "edit: the prompt is an instruction that changes pictures. storyboard: it is a script."
        ),
    )
    images = ShortList(
        PictureField(),
        allow_none=True,
        at_least=1,
        at_most=MAX_EDITED_PICTURES,
        metadata=_describe(
            "Of an edit: the pictures that it changes, as `image 1` and so on; 10 MB each. A vision"
            " model looks at them where one is configured, to name what stays."
        ),
    )
    style = line(1, 100, allow_none=True, metadata={"example": "watercolor"})
    enhance_details = Boolean(
        allow_none=True,
        metadata={"default": True} | _describe("false: only structure and clarity, nothing new."),
    )
    language = String(
        allow_none=True,
        validate=LANGUAGE,
        metadata=LANGUAGE_METADATA,
    )
    target_model = String(
        allow_none=True,
        validate=one_of(TARGETS),
        metadata=_describe("The image or video model that gets the prompt: its limits are kept."),
    )
    targets = ShortList(
        String(validate=one_of(TARGETS)),
        allow_none=True,
        at_least=1,
        at_most=MAX_TARGETS,
        metadata=_describe(
            "Several target models, instead of `target_model`: the response has `rewrites`."
        ),
    )
    max_length = Integer(
        allow_none=True,
        validate=within(20, MAX_PROMPT_CHARS),
        metadata=_describe("Of the rewrite, in characters."),
    )
    max_tokens = Integer(
        allow_none=True,
        validate=within(20, MAX_PROMPT_CHARS),
        metadata=_describe(
            "Of the rewrite, in tokens of the target's text encoder; the target's own limit holds"
            " as well."
        ),
    )
    preserve = ShortList(
        line(1, MAX_PRESERVED_CHARS),
        allow_none=True,
        at_most=MAX_PRESERVED,
        metadata=_describe("Words of the prompt that stay letter by letter."),
    )
    seed = seed_field(metadata=_describe("Sent to models that support it."))
    n = Integer(
        allow_none=True,
        validate=within(1, 4),
        metadata=_describe("Number of rewrites; above 1, the response has `candidates`."),
    )
    include_negative_prompt = Boolean(
        allow_none=True,
        metadata=_describe("Return `negative_prompt`: what the image or video should not contain."),
    )
    duration_seconds = Integer(
        allow_none=True,
        validate=within(1, 60),
        metadata=_describe("Of the video: how much can happen in it."),
    )
    camera = line(
        1,
        100,
        allow_none=True,
        metadata=_describe("Camera move or framing to put in.") | {"example": "slow pan left"},
    )
    on_failure = String(
        allow_none=True,
        validate=one_of(("original", "error")),
        metadata=_describe(
            "If no rewrite is usable: return the original with a warning, or a 502."
        ),
    )
    max_wait_ms = Integer(
        allow_none=True,
        validate=within(100, 600_000),
        metadata=_describe("After this time the response is that of `on_failure`."),
    )
    refresh = Boolean(
        allow_none=True,
        metadata=_describe("true: rewrite anew, although a rewrite of the same request is kept."),
    )
    pin = String(
        allow_none=True,
        validate=_REWRITE_ID_FORM,
        metadata=_describe(
            "The `rewrite_id` of a rewrite of the same request, whose words are wanted again."
        )
        | {"pattern": REWRITE_ID, "example": _REWRITE_ID},
    )
    include_details = Boolean(
        allow_none=True, metadata=_describe("Return `details`: method, constraints kept, checks.")
    )

    @ma.validates_schema
    def reject_duration_of_an_image(self, document: dict[str, Any], **_: Any) -> None:
        """Reject `duration_seconds` for an image."""
        if document.get("type") == "image" and document.get("duration_seconds") is not None:
            problem = FieldProblem("must be left out for an image.", "not_supported")
            raise ValidationError({"duration_seconds": [problem]})

    @ma.validates_schema
    def reject_what_is_of_another_type(self, document: dict[str, Any], **_: Any) -> None:
        """Reject fields of descriptions for an edit, and pictures for anything else."""
        kind = document.get("type")
        others = _OF_DESCRIPTIONS if kind == EDIT else ("images",)
        for name in others if kind is not None else ():
            if document.get(name) is not None:
                is_edit = kind == EDIT
                when = "for an edit: say it in the prompt." if is_edit else "unless type is edit."
                problem = FieldProblem(f"must be left out {when}", "not_supported")
                raise ValidationError({name: [problem]})

    @ma.validates_schema
    def reject_refresh_of_what_is_pinned(self, document: dict[str, Any], **_: Any) -> None:
        """Reject `refresh` beside `pin`: new words, and the same."""
        if document.get("refresh") and document.get("pin") is not None:
            problem = FieldProblem("must be left out beside pin.", "not_supported")
            raise ValidationError({"refresh": [problem]})

    @ma.validates_schema
    def reject_what_excludes_targets(self, document: dict[str, Any], **_: Any) -> None:
        """Reject `targets` beside `target_model`, and beside several rewrites of each."""
        if document.get("targets") is None:
            return
        several = (document.get("n") or 1) > 1
        for name, is_wrong in (("target_model", document.get("target_model")), ("n", several)):
            if is_wrong:
                problem = FieldProblem("must be left out beside targets.", "not_supported")
                raise ValidationError({name: [problem]})

    @ma.post_load
    def make(self, document: dict[str, Any], **_: Any) -> PromptRequest | EditOrder:
        """Make the request that the service takes, or an edit with pictures; null: left out."""
        given = {name: value for name, value in document.items() if value is not None}
        given |= {name: tuple(given.pop(name, ())) for name in ("preserve", "targets", "cast")}
        images = given.pop("images", ())
        request = PromptRequest(**given)
        if not images:
            return request
        return EditOrder(request, tuple((f"images[{i}]", one) for i, one in enumerate(images)))
