"""What requests for a storyboard have beside a script, and how it is answered."""

from dataclasses import asdict
from typing import Any

import marshmallow as ma
from marshmallow import ValidationError

from llm_api.domain.prompts import STORYBOARD
from llm_api.domain.storyboards import (
    MAX_CAST,
    MAX_CAST_DESCRIPTION,
    MAX_CAST_NAME,
    MAX_SHOT_SECONDS,
    MAX_SHOTS,
    MAX_TOTAL_SECONDS,
    CastMember,
    Storyboard,
)
from llm_api.web.schema_fields import FieldProblem, Integer, ShortList, line, within
from llm_api.web.smorest import StrictSchema

# Which fields only a storyboard has, and which it has not.
OF_STORYBOARDS = ("cast", "total_seconds", "shots", "min_shot_seconds", "max_shot_seconds")
NOT_OF_STORYBOARDS = (
    *("images", "targets", "n", "camera", "duration_seconds", "enhance_details"),
    *("max_length", "max_tokens"),
)


def _describe(description: str) -> dict[str, str]:
    return {"description": description}


def _whole_number(most: int, description: str) -> Integer:
    return Integer(allow_none=True, validate=within(1, most), metadata=_describe(description))


class CastMemberSchema(StrictSchema):
    """Who or what plays in a storyboard."""

    name = line(1, MAX_CAST_NAME, required=True, metadata={"example": "Mara"})
    description = line(
        1,
        MAX_CAST_DESCRIPTION,
        required=True,
        metadata=_describe("How it looks: word for word in every shot that it is in.")
        | {"example": "a woman of sixty in a yellow raincoat, with short gray hair"},
    )

    @ma.post_load
    def make(self, document: dict[str, Any], **_: Any) -> CastMember:
        """Make the member that the service takes."""
        return CastMember(**document)


class StoryboardFields(StrictSchema):
    """The fields of a request that only a storyboard has."""

    cast = ShortList(
        ma.fields.Nested(CastMemberSchema),
        allow_none=True,
        at_most=MAX_CAST,
        metadata=_describe("Of a storyboard: who plays, by the names that the script uses."),
    )
    total_seconds = _whole_number(
        MAX_TOTAL_SECONDS, "Required for a storyboard: the seconds of all shots together."
    )
    shots = _whole_number(
        MAX_SHOTS, "Of a storyboard: how many; what suits the script where left out."
    )
    min_shot_seconds = _whole_number(
        MAX_SHOT_SECONDS, "Of a storyboard: of its shortest shot, within what the target makes."
    )
    max_shot_seconds = _whole_number(
        MAX_SHOT_SECONDS, "Of a storyboard: of its longest shot, within what the target makes."
    )

    @ma.validates_schema
    def reject_what_is_no_storyboard(self, document: dict[str, Any], **_: Any) -> None:
        """Reject fields of storyboards for anything else, and the other way round."""
        kind = document.get("type")
        if kind is None:
            return
        is_board = kind == STORYBOARD
        others = NOT_OF_STORYBOARDS if is_board else OF_STORYBOARDS
        when = "for a storyboard." if is_board else "unless type is storyboard."
        for name in others:
            if document.get(name) is not None:
                problem = FieldProblem(f"must be left out {when}", "not_supported")
                raise ValidationError({name: [problem]})
        if is_board and document.get("total_seconds") is None:
            problem = FieldProblem("is required for a storyboard.", "missing")
            raise ValidationError({"total_seconds": [problem]})

    @ma.validates_schema
    def reject_repeated_names(self, document: dict[str, Any], **_: Any) -> None:
        """Reject two members of the same name: nobody could tell which of them is in a shot."""
        seen: dict[str, int] = {}
        for at, member in enumerate(document.get("cast") or ()):
            first = seen.setdefault(" ".join(member.name.casefold().split()), at)
            if first != at:
                words = f"must be another name than that of cast[{first}]."
                problem = FieldProblem(words, "cast_name_repeated")
                raise ValidationError({"cast": {at: {"name": [problem]}}})


def storyboard_rule() -> dict[str, Any]:
    """Describe which fields a storyboard has, for the API document."""
    nothing = {name: {"type": "null"} for name in NOT_OF_STORYBOARDS}
    return {
        "required": ["total_seconds"],
        "properties": {"total_seconds": {"type": "integer"}, **nothing},
    }


class ShotSchema(ma.Schema):
    """A shot: a whole request for a film of its own."""

    number = ma.fields.Integer(required=True)
    seconds = ma.fields.Integer(required=True, metadata=_describe("A length the target makes."))
    start = ma.fields.Integer(required=True, metadata=_describe("In seconds of the storyboard."))
    end = ma.fields.Integer(required=True)
    camera = ma.fields.String(
        required=True, metadata=_describe("Its one move.") | {"example": "pan left"}
    )
    cast = ma.fields.List(
        ma.fields.String(), required=True, metadata=_describe("Who is in it, by name.")
    )
    prompt = ma.fields.String(required=True, metadata=_describe("In the form of the target."))
    negative_prompt = ma.fields.String(
        required=True,
        allow_none=True,
        metadata=_describe("What the script excludes; null if the target takes none."),
    )
    repaired = ma.fields.List(
        ma.fields.String(),
        required=True,
        metadata=_describe(
            "What code has changed of the model's shot; `own_words`: the script's words stand here."
        ),
    )


class StoryboardSchema(ma.Schema):
    """Shots in their order, whose seconds add up to the total."""

    target_model = ma.fields.String(required=True)
    total_seconds = ma.fields.Integer(required=True)
    shots = ma.fields.List(ma.fields.Nested(ShotSchema), required=True)
    fits_one_prompt = ma.fields.Boolean(
        required=True,
        metadata=_describe("Whether the target films all shots from `optimized_prompt` at once."),
    )
    is_fallback = ma.fields.Boolean(
        required=True,
        metadata=_describe("Whether code alone has made the shots; `warnings` says why."),
    )
    repaired = ma.fields.List(
        ma.fields.String(), required=True, metadata=_describe("What code has changed of the plan.")
    )


def storyboard_answer(board: Storyboard) -> dict[str, Any]:
    """Return the fields of a storyboard in an answer."""
    return asdict(board)
