"""The body of `POST /api/v1/llm/score-image`."""

from dataclasses import dataclass
from typing import Any, ClassVar

import marshmallow as ma
from marshmallow import ValidationError

from llm_api.domain.judging import JudgeRequest
from llm_api.services.judge import DIMENSIONS
from llm_api.services.judge.rubric import ALIGNMENT
from llm_api.web.making.orders import MAX_IMAGE_PROMPT_CHARS, Source
from llm_api.web.making.picture_sources import PictureField
from llm_api.web.rest.prompt_schemas import VISIBLE_PROMPT
from llm_api.web.schema_fields import (
    Boolean,
    FieldProblem,
    Float,
    Integer,
    ShortList,
    String,
    length,
    line,
    one_of,
    within,
)
from llm_api.web.smorest import StrictSchema

SCORE, COMPARE, RANK = "score", "compare", "rank"
MODES = (SCORE, COMPARE, RANK)
MAX_RANKED = 8
MAX_CHECKPOINTS = 20
MAX_CHECKPOINT_CHARS = 200  # as in a loop, which keeps one that failed as `preserve`
MAX_SAMPLES = 5
_OF_SCORE = ("reference_image", "threshold")


@dataclass(frozen=True, slots=True)
class JudgeOrder:
    """A valid request, before its pictures are read.

    Attributes:
        request: without its pictures.
        mode: `score`, `compare` or `rank`.
        images, reference: where its pictures are: the name of the field, and its value.
    """

    request: JudgeRequest
    mode: str
    images: tuple[tuple[str, Source], ...]
    reference: tuple[str, Source] | None = None


def _about(description: str, **more: Any) -> dict[str, Any]:
    return {"description": description, **more}


_NULL: dict[str, Any] = {"type": "null"}
_GIVEN: dict[str, Any] = {"not": _NULL}
_PAIRWISE = {"enum": [COMPARE, RANK]}


def _never(required: tuple[str, ...], **values: dict[str, Any]) -> dict[str, Any]:
    """Describe what must not be: the `required` fields, and certain values of fields."""
    return {"not": {"required": list(required), "properties": values}}


class ScoreImageRequestSchema(StrictSchema):
    """Pictures to judge."""

    class Meta(StrictSchema.Meta):
        """Marshmallow's options, and for the API document what fields cannot say."""

        rules: ClassVar[dict[str, Any]] = {
            "allOf": [
                _never((), image=_NULL, images=_NULL),
                _never(("image", "images"), image=_GIVEN, images=_GIVEN),
                _never(("images",), images=_GIVEN, mode={"enum": [SCORE, None]}),
                _never(("image", "mode"), image=_GIVEN, mode=_PAIRWISE),
                _never(
                    ("images", "mode"),
                    images={"type": "array", "minItems": 3},
                    mode={"enum": [COMPARE]},
                ),
                *(_never((name, "mode"), mode=_PAIRWISE, **{name: _GIVEN}) for name in _OF_SCORE),
                _never(
                    ("dimensions",),
                    dimensions={"type": "array", "contains": {"const": ALIGNMENT}},
                    prompt=_NULL,
                    reference_image=_NULL,
                ),
            ]
        }

    image = PictureField(allow_none=True)
    images = ShortList(
        PictureField(),
        at_least=2,
        at_most=MAX_RANKED,
        allow_none=True,
        metadata=_about("Two to compare, or up to eight to rank: 10 MB each, 50 MB together."),
    )
    prompt = String(
        allow_none=True,
        validate=[length(1, MAX_IMAGE_PROMPT_CHARS), VISIBLE_PROMPT],
        metadata=_about("What the picture was to show; without one only its quality is judged."),
    )
    mode = String(allow_none=True, validate=one_of(MODES), metadata={"default": SCORE})
    dimensions = ShortList(
        String(validate=one_of(DIMENSIONS)),
        at_least=1,
        at_most=len(DIMENSIONS),
        allow_none=True,
        metadata=_about("What is judged; all that apply where left out. Alignment needs a prompt."),
    )
    checkpoints = ShortList(
        line(1, MAX_CHECKPOINT_CHARS),
        at_most=MAX_CHECKPOINTS,
        allow_none=True,
        metadata=_about("Sentences that are true of a right picture; one that fails decides."),
    )
    reference_image = PictureField(allow_none=True)
    samples = Integer(
        allow_none=True,
        validate=within(1, MAX_SAMPLES),
        metadata={"default": 1} | _about("How often the model is asked: the median counts."),
    )
    detail = String(
        allow_none=True,
        validate=one_of(("auto", "low", "high")),
        metadata={"default": "auto"} | _about("How closely the model looks, where it can be told."),
    )
    language = String(
        allow_none=True,
        validate=one_of(("auto", "zh", "en")),
        metadata={"default": "auto"} | _about("Of the rubric and the reasons; auto: the prompt's."),
    )
    threshold = Float(
        allow_none=True,
        validate=within(0, 100),
        metadata={"default": 60} | _about("From this `overall` on a picture passes."),
    )
    include_reasoning = Boolean(
        allow_none=True,
        metadata={"default": True} | _about("false leaves out evidence and summary."),
    )
    model = line(
        1,
        256,
        allow_none=True,
        metadata=_about("A model that sees pictures; the configured judge where left out."),
    )

    @ma.validates_schema
    def reject_what_does_not_fit(self, document: dict[str, Any], **_: Any) -> None:
        """Reject fields that exclude each other, or that need another one."""
        given = {name: value for name, value in document.items() if value is not None}
        for name, message in _misfits(given, given.get("mode", SCORE)):
            raise ValidationError({name: [FieldProblem(message, "not_supported")]})

    @ma.post_load
    def make(self, document: dict[str, Any], **_: Any) -> JudgeOrder:
        """Make the order; null means left out."""
        given = {name: value for name, value in document.items() if value is not None}
        mode = given.pop("mode", SCORE)
        image, images = given.pop("image", None), given.pop("images", ())
        reference = given.pop("reference_image", None)
        dimensions = tuple(dict.fromkeys(given.pop("dimensions", ())))
        checkpoints = tuple(dict.fromkeys(given.pop("checkpoints", ())))
        reasons = given.pop("include_reasoning", True)
        request = JudgeRequest(
            pictures=(),
            dimensions=dimensions,
            checkpoints=checkpoints,
            includes_reasoning=reasons,
            **given,
        )
        sources = tuple((f"images[{i}]", source) for i, source in enumerate(images))
        return JudgeOrder(
            request,
            mode,
            sources if image is None else (("image", image),),
            None if reference is None else ("reference_image", reference),
        )


def _misfits(given: dict[str, Any], mode: str) -> list[tuple[str, str]]:
    """Return the fields that do not fit the others, and why."""
    wrong: list[tuple[str, str]] = []
    if mode == SCORE and "images" in given:
        wrong.append(("images", "must be left out to score a picture; image has it."))
    elif mode == SCORE and "image" not in given:
        wrong.append(("image", "is required, or images with mode compare or rank."))
    elif mode != SCORE and "image" in given:
        wrong.append(("image", f"must be left out to {mode}; images has the pictures."))
    elif mode != SCORE and "images" not in given:
        wrong.append(("images", f"is required to {mode}."))
    elif mode == COMPARE and len(given["images"]) > 2:
        wrong.append(("images", "must be a list of 2 items to compare; mode rank takes more."))
    if mode != SCORE:
        wrong += [(name, f"must be left out to {mode}.") for name in _OF_SCORE if name in given]
    has_measure = "prompt" in given or "reference_image" in given
    if ALIGNMENT in given.get("dimensions", ()) and not has_measure:
        wrong.append(("dimensions", "must not have alignment without a prompt or reference_image."))
    return wrong
