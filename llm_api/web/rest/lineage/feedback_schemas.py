"""What people say of pictures, and the answer to it."""

from typing import Any, ClassVar

import marshmallow as ma
from marshmallow import ValidationError

from llm_api.domain.lineage import EDITED, OUTCOMES, Feedback
from llm_api.web.schema_fields import FieldProblem, Float, String, length, one_of, within
from llm_api.web.smorest import StrictSchema

_SUBJECTS = ("lineage_id", "job_id", "picture_id")
MAX_EDITED_CHARS = 10_000


def _about(description: str, **more: Any) -> dict[str, Any]:
    return {"description": description, **more}


def _name(pattern: str, description: str, example: str) -> String:
    return String(
        validate=ma.validate.Regexp(rf"^{pattern}\Z", error="must be an id of this service."),
        metadata=_about(description, pattern=f"^{pattern}$", example=example),
    )


class FeedbackSchema(StrictSchema):
    """What a person says of a lineage, a job or a picture: exactly one of them."""

    class Meta(StrictSchema.Meta):
        """Marshmallow's options, and for the API document what fields cannot say."""

        rules: ClassVar[dict[str, Any]] = {
            "oneOf": [{"required": [name]} for name in _SUBJECTS],
            "if": {"properties": {"outcome": {"enum": [EDITED]}}, "required": ["outcome"]},
            "then": {
                "required": ["edited_prompt"],
                "properties": {"edited_prompt": {"type": "string"}},
            },
            "else": {"properties": {"edited_prompt": {"enum": [None]}}},
        }

    lineage_id = _name(
        r"[A-Za-z0-9_.:-]{1,64}",
        "That of `X-Lineage-Id`, or else the `request_id` of the call.",
        "order-4711",
    )
    job_id = _name(r"[A-Za-z0-9_-]{1,64}", "The `id` of pictures.", "img_2b8f0d5f7c3e41a9")
    picture_id = _name(
        r"file_[0-9a-f]{1,59}",
        "The end of a picture's `url`.",
        "file_2b8f0d5f7c3e41a9a0b1c2d3e4f5a6b7",
    )
    outcome = String(
        required=True,
        validate=one_of(OUTCOMES),
        metadata=_about("edited: not as it is, but with a changed prompt."),
    )
    edited_prompt = String(
        allow_none=True,
        validate=length(1, MAX_EDITED_CHARS),
        metadata=_about(
            "With `edited` alone. Kept only where the operator keeps texts; else how much of it"
            " has changed."
        ),
    )
    score = Float(
        allow_none=True, validate=within(0, 100), metadata=_about("From 0 to 100, if there is one.")
    )

    @ma.validates_schema
    def reject_several_subjects(self, document: dict[str, Any], **_: Any) -> None:
        """Reject feedback about nothing, or about several things."""
        given = [name for name in _SUBJECTS if name in document]
        if len(given) != 1:
            said = f"exactly one of {', '.join(_SUBJECTS)} must be given."
            reason = "not_supported" if given else "missing"
            raise ValidationError({(given or _SUBJECTS)[-1]: [FieldProblem(said, reason)]})

    @ma.validates_schema(skip_on_field_errors=True)
    def reject_what_does_not_fit(self, document: dict[str, Any], **_: Any) -> None:
        """Reject an edited prompt without the outcome `edited`, and that outcome without one."""
        is_edited, text = document.get("outcome") == EDITED, document.get("edited_prompt")
        if is_edited and text is None:
            said, reason = (
                "must be given with the outcome edited.",
                "missing",
            )
        elif text is not None and not is_edited:
            said, reason = "belongs to the outcome edited; leave it out.", "not_supported"
        else:
            return
        raise ValidationError({"edited_prompt": [FieldProblem(said, reason)]})

    @ma.post_load
    def make(self, document: dict[str, Any], **_: Any) -> Feedback:
        """Make the feedback that the service takes."""
        return Feedback(**document)
