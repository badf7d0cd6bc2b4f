"""Fields of films that both dialects have, and what orders are made of them."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields

from llm_api.domain.making import Notice
from llm_api.domain.prompts import PromptRequest
from llm_api.domain.videos import AUTO_SECONDS, FIRST_FRAME, LAST_FRAME, REFERENCE, VideoRequest
from llm_api.web.making.orders import IS_TRUE, Source, never, rewrite_of, user_hash
from llm_api.web.making.picture_sources import PictureField
from llm_api.web.schema_fields import (
    AnyOf,
    FieldProblem,
    Integer,
    ShortList,
    String,
    one_of,
    whole,
    within,
    wrong_type,
)
from llm_api.web.videos.film_orders import VideoOrder

MAX_SECONDS = 60
MAX_COST_MICROS = 10**12
MAX_FPS = 120
MAX_LISTED, LISTED = 100, 20  # films of a page
MAX_IMAGES, MAX_LINKS = 9, 3
_LINK = "^https://[!-~]{1,2040}$"
_SECONDS = f"a number of seconds from 1 to {MAX_SECONDS}, or auto"
_REFERENCES = ("reference_images", "reference_videos", "reference_audios")
# What of an order goes into its request as it is.
_OF_REQUEST = (
    *("model", "negative_prompt", "seed", "duration", "resolution", "aspect_ratio"),
    *("reference_videos", "reference_audios", "audio", "watermark", "camera_fixed", "fps"),
    "return_last_frame",
)
_NOTHING: dict[str, Any] = {"enum": [None, []]}


def rules(first_frame: str = FIRST_FRAME, *more: Mapping[str, Any]) -> dict[str, Any]:
    """Describe what fields cannot say, for the API document.

    Args:
        first_frame: how the route calls that field.
        more: what else must be.
    """
    return {
        "anyOf": [
            {"required": ["prompt"], "properties": {"prompt": {"type": "string"}}},
            {
                "required": [first_frame],
                "properties": {
                    first_frame: {"not": {"type": "null"}},
                    "optimize_prompt": {"not": IS_TRUE},
                },
            },
        ],
        "allOf": [
            *(
                never(frame, field, **{field: {"not": _NOTHING}})
                for frame in (first_frame, LAST_FRAME)
                for field in _REFERENCES
            ),
            never(LAST_FRAME, **{first_frame: {"type": "null"}}),
            *more,
        ],
    }


class DurationField(AnyOf):
    """Whole seconds, or `auto` for as many as the model likes; forms have digits for a number."""

    def __init__(self, *, takes_digits: bool = False, **options: Any) -> None:
        """Describe the forms."""
        forms: list[fields.Field[Any]] = [
            Integer(validate=within(1, MAX_SECONDS)),
            String(validate=one_of(("auto",))),
        ]
        if takes_digits:
            forms.append(String(metadata={"pattern": "^([1-9]|[1-5][0-9]|60)$"}))
        super().__init__(*forms, allow_none=True, **options)
        self._takes_digits = takes_digits

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if value == "auto":
            return AUTO_SECONDS
        if self._takes_digits and isinstance(value, str) and value.isascii() and value.isdecimal():
            value = int(value[:9])
        if (seconds := whole(value)) is None:
            raise wrong_type(_SECONDS)
        if not 1 <= seconds <= MAX_SECONDS:
            raise ValidationError(f"must be {_SECONDS}.")
        return seconds


class _LinkField(String):
    """An address that the vendor fetches from."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        is_link = isinstance(value, str) and value.startswith("https://") and len(value) <= 2_048
        if not is_link or not all("!" <= sign <= "~" for sign in value):
            message = "must be an https address of at most 2048 characters."
            raise ValidationError([FieldProblem(message, "invalid_url")])
        return str(value)


def links_field(what: str) -> ShortList:
    """Make the field of addresses of films or sounds."""
    described = {"description": f"{what}: https addresses, which the vendor fetches from."}
    item = _LinkField(metadata={"pattern": _LINK})
    return ShortList(item, at_most=MAX_LINKS, allow_none=True, metadata=described)


def references_field() -> ShortList:
    """Make the field of pictures that a film is to show."""
    described = {
        "description": "Pictures of what it is to show; not with a first or last frame: 10 MB each,"
        " 50 MB together."
    }
    return ShortList(PictureField(), at_most=MAX_IMAGES, allow_none=True, metadata=described)


def misfits(
    document: Mapping[str, Any], first_frame: str = FIRST_FRAME
) -> list[tuple[str, FieldProblem]]:
    """Return the fields that do not fit the others, and why; see `rules`."""
    given = {name for name, value in document.items() if value not in (None, False, (), [])}
    found = []
    frames = " and ".join(name for name in (first_frame, LAST_FRAME) if name in given)
    if frames:
        found += [
            (name, FieldProblem(f"must not stand beside {frames}.", "not_supported"))
            for name in _REFERENCES
            if name in given
        ]
    if LAST_FRAME in given and first_frame not in given:
        problem = FieldProblem(f"must be left out without {first_frame}.", "not_supported")
        found.append((LAST_FRAME, problem))
    needs_prompt = "optimize_prompt" in given or first_frame not in given
    if needs_prompt and not document.get("prompt"):
        found.append(("prompt", FieldProblem("is required.", "missing")))
    return found


def order_of(
    given: Mapping[str, Any],
    *,
    adapts: bool,
    first_frame: str = FIRST_FRAME,
    notices: tuple[Notice, ...] = (),
) -> VideoOrder:
    """Return the order of valid fields, of which none is None.

    Args:
        given: by the names that they have in `POST /api/v1/videos/generate`.
        adapts: whether what the model does not take is changed or left out.
        first_frame: how the route calls that field.
        notices: what has become of fields that no model gets to see.
    """
    request = VideoRequest(
        given.get("prompt", ""),
        **{name: given[name] for name in _OF_REQUEST if name in given},
        retries_without_audio=given.get("retry_without_audio", False),
        max_cost_micro=given.get("max_cost_micros"),
        adapts=adapts,
        user=user_hash(given.get("user")),
    )
    return VideoOrder(
        request,
        pictures=tuple(_pictures(given, first_frame)),
        optimize=_rewrite(given) if given.get("optimize_prompt") else None,
        wait=given["wait_ms"] / 1_000 if "wait_ms" in given else None,
        callback_url=given.get("callback_url"),
        is_preview=given.get("preview", False),
        notices=notices,
        tags=tuple(given.get("tags", ())),
    )


def _pictures(given: Mapping[str, Any], first_frame: str) -> list[tuple[str, Source, str]]:
    roles = {first_frame: FIRST_FRAME, LAST_FRAME: LAST_FRAME}
    frames = [(name, given[name], role) for name, role in roles.items() if name in given]
    references = enumerate(given.get("reference_images", ()))
    return frames + [(f"reference_images[{i}]", one, REFERENCE) for i, one in references]


def _rewrite(given: Mapping[str, Any]) -> PromptRequest:
    """Return how the prompt is rewritten: for as many seconds as the film has, if that is said."""
    seconds = given.get("duration", AUTO_SECONDS)
    length = {} if seconds == AUTO_SECONDS else {"duration_seconds": seconds}
    return rewrite_of(given["prompt"], {**given.get("optimize_options", {}), **length}, "video")
