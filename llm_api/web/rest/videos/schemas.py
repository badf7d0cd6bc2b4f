"""What the routes of films take."""

from typing import Any, ClassVar

import marshmallow as ma
from marshmallow import ValidationError

from llm_api.domain.making import MAX_SEED
from llm_api.domain.videos import FIRST_FRAME, RATIOS, RESOLUTIONS
from llm_api.services.videos.video_job import STATUSES
from llm_api.web.making.jobs import MAX_WAIT_MS
from llm_api.web.making.orders import IS_TRUE, MAX_IMAGE_PROMPT_CHARS, OptimizeOptionsSchema, never
from llm_api.web.making.picture_sources import PictureField
from llm_api.web.query_fields import ArgumentsSchema, DecimalField
from llm_api.web.rest.prompt_schemas import VISIBLE_PROMPT
from llm_api.web.rest.tasks.order_fields import callback_field, tags_field, user_field
from llm_api.web.rest.tasks.task_arguments import WaitArgumentsSchema, wait_field
from llm_api.web.schema_fields import (
    Boolean,
    FieldProblem,
    Integer,
    String,
    length,
    line,
    one_of,
    within,
)
from llm_api.web.smorest import StrictSchema
from llm_api.web.videos.film_fields import (
    LISTED,
    MAX_COST_MICROS,
    MAX_FPS,
    MAX_LISTED,
    DurationField,
    links_field,
    misfits,
    order_of,
    references_field,
    rules,
)
from llm_api.web.videos.film_orders import VideoOrder

MAX_LOOK_MS = 60_000
_ID = "^video_[A-Za-z0-9_-]{8,64}$"


def _about(description: str, **more: Any) -> dict[str, Any]:
    return {"description": description, **more}


def _flag(description: str) -> Boolean:
    return Boolean(allow_none=True, metadata=_about(description))


class VideoRequestSchema(StrictSchema):
    """A film to make."""

    class Meta(StrictSchema.Meta):
        """Marshmallow's options, and for the API document what fields cannot say."""

        rules: ClassVar[dict[str, Any]] = rules(
            FIRST_FRAME,
            never("optimize_options", optimize_prompt={"not": IS_TRUE}),
            never("callback_url", "preview", preview=IS_TRUE),
            never("retry_without_audio", retry_without_audio=IS_TRUE, audio={"not": IS_TRUE}),
        )

    prompt = String(
        allow_none=True,
        validate=[length(1, MAX_IMAGE_PROMPT_CHARS), VISIBLE_PROMPT],
        metadata=_about("What to show; some models need none with a first frame."),
    )
    model = line(
        1,
        128,
        allow_none=True,
        metadata=_about("The video model; the configured one where left out."),
    )
    optimize_prompt = _flag("Rewrite the prompt first; the vendor then must not.")
    optimize_options = ma.fields.Nested(
        OptimizeOptionsSchema, allow_none=True, metadata=_about("Only with `optimize_prompt`.")
    )
    negative_prompt = String(
        allow_none=True,
        validate=length(0, 500),
        metadata=_about(
            "What not to show; added to the prompt where a model has no such field. Empty is none,"
            " as shots of storyboards have it."
        ),
    )
    seed = Integer(allow_none=True, validate=within(0, MAX_SEED))
    duration = DurationField(
        metadata=_about("Seconds, as far as the model makes them; auto lets it choose.")
    )
    resolution = String(
        allow_none=True,
        validate=one_of(RESOLUTIONS),
        metadata={"default": "720p"} | _about("Never the vendor's own default, which may be dear."),
    )
    aspect_ratio = String(
        allow_none=True,
        validate=one_of(RATIOS),
        metadata=_about("16:9 by default, and with a first frame the shape of that."),
    )
    first_frame = PictureField(allow_none=True)
    last_frame = PictureField(allow_none=True)
    reference_images = references_field()
    reference_videos = links_field("Films to go by")
    reference_audios = links_field("Sounds to go by")
    audio = Boolean(
        allow_none=True, metadata={"default": False} | _about("Whether the film has sound.")
    )
    camera_fixed = _flag("Whether the camera must not move.")
    fps = Integer(allow_none=True, validate=within(1, MAX_FPS), metadata=_about("Frames a second."))
    return_last_frame = _flag("Whether the last picture is wanted, too: for the next film.")
    watermark = _flag("Let the vendor mark the film.")
    max_cost_micros = Integer(
        allow_none=True,
        validate=within(0, MAX_COST_MICROS),
        metadata=_about(
            "The most that the film may cost, in millionths of its price's currency; where it can"
            " cost more, or nobody knows, nothing is sent."
        ),
    )
    retry_without_audio = _flag(
        "Make the film once more, silent, where a filter refuses the sound that the model has made"
        " up; only with `audio`."
    )
    wait_ms = Integer(
        allow_none=True,
        validate=within(0, MAX_WAIT_MS),
        metadata={"default": 0}
        | _about("How long to wait for the film; after this time the answer is a 202."),
    )
    callback_url = callback_field()
    preview = _flag("Make nothing: show what would be sent.")
    tags = tags_field()
    user = user_field()

    @ma.validates_schema
    def reject_what_does_not_fit(self, document: dict[str, Any], **_: Any) -> None:
        """Reject fields that exclude each other, or that need another one."""
        for name, problem in [*misfits(document), *_strict_misfits(document)]:
            raise ValidationError({name: [problem]})

    @ma.post_load
    def make(self, document: dict[str, Any], **_: Any) -> VideoOrder:
        """Make the order; null means left out."""
        given = {name: value for name, value in document.items() if value is not None}
        return order_of(given, adapts=False)


def _strict_misfits(document: dict[str, Any]) -> list[tuple[str, FieldProblem]]:
    """Return the fields that would have no effect, and why."""
    wrong = (
        ("optimize_options", not document.get("optimize_prompt"), "without optimize_prompt"),
        ("retry_without_audio", not document.get("audio"), "without audio"),
        ("callback_url", document.get("preview"), "with preview"),
    )
    return [
        (name, FieldProblem(f"must be left out {words}.", "not_supported"))
        for name, is_wrong, words in wrong
        if document.get(name) not in (None, False) and is_wrong
    ]


class VideoWaitArgumentsSchema(WaitArgumentsSchema):
    """How long to wait for a film."""

    wait_ms = wait_field(MAX_LOOK_MS)


class VideoListArgumentsSchema(ArgumentsSchema):
    """Which films are wanted."""

    status = String(
        validate=one_of(STATUSES), metadata=_about("Only tasks that are in this state.")
    )
    limit = DecimalField(MAX_LISTED, f"How many at most. Default: {LISTED}.", at_least=1)
    after = String(
        validate=ma.validate.Regexp(_ID.replace("$", r"\Z"), error="must be the id of a film."),
        metadata=_about("The `last_id` of the page before.", pattern=_ID),
    )

    @ma.post_load
    def make(self, values: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Return the arguments, with their defaults."""
        return {"limit": LISTED, **values}
