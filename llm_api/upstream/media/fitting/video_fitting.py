"""Puts requests for films into the terms of a model, as `fitting` does with those for pictures."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from llm_api.domain.making import MAX_SEED, FittedRequest, Notice
from llm_api.domain.video_sizes import nearest_ratio, shape_of
from llm_api.domain.videos import (
    AUTO_RATIO,
    AUTO_SECONDS,
    FIRST_FRAME,
    LAST_FRAME,
    REFERENCE,
    RESOLUTIONS,
    VideoRequest,
)
from llm_api.errors import InvalidRequest
from llm_api.upstream.media.fitting.fitted_fields import refused
from llm_api.upstream.media.fitting.fitted_prompts import fitted_prompts
from llm_api.upstream.media.video_profiles import ALWAYS, NEVER, VideoModel

_DROPPED = "This model has no such setting; the field was left out."
# Without them the film is another one, and its caller would not know.
_NEEDED = frozenset(["negative_prompt"])
_Fitted = tuple[Any, list[Notice]]


def fitted_video(request: VideoRequest, model: VideoModel, name: str) -> FittedRequest:
    """Put a request into the terms of a model, which is called `name` at its vendor.

    Raises InvalidRequest with the name of the field.
    """
    _check_inputs(request, model)
    leave_out = partial(_left_out, request)
    prompt, negative, notices = fitted_prompts(
        request.prompt,
        request.negative_prompt,
        model,
        leave_out,
        may_be_empty=not model.needs_prompt and request.picture(FIRST_FRAME) is not None,
    )
    seconds, second_notices = _seconds(request, model)
    resolution, resolution_notices = _resolution(request, model)
    ratio, ratio_notices = _ratio(request, model, resolution)
    fields, field_notices = _fields(request, model)
    fields |= {"duration": seconds, "resolution": resolution, "aspect_ratio": ratio}
    if negative is not None:
        fields["negative_prompt"] = negative
    return FittedRequest(
        model=name,
        prompt=prompt,
        parts=(1,),
        size=model.size_of(resolution, ratio),
        fields={field: value for field, value in fields.items() if value is not None}
        | _expiry(model),
        constants={**model.constants, **model.optimized}
        if request.is_optimized
        else model.constants,
        references=request.pictures,
        max_prompt=model.max_prompt,
        seconds=model.seconds,
        longest=_longest(request, model, seconds),
        tokens_per_pixel=model.tokens_per_pixel,
        has_sound=model.audio == ALWAYS,
        notices=(*notices, *second_notices, *resolution_notices, *ratio_notices, *field_notices),
    )


def _check_inputs(request: VideoRequest, model: VideoModel) -> None:
    roles = [one.role for one in request.pictures]
    has_frame = FIRST_FRAME in roles or LAST_FRAME in roles
    counts = {
        "reference_images": (roles.count(REFERENCE), model.max_reference_images),
        "reference_videos": (len(request.reference_videos), model.max_reference_videos),
        "reference_audios": (len(request.reference_audios), model.max_reference_audios),
    }
    for field, (count, most) in counts.items():
        if count and has_frame:
            raise refused(field, "must not come with a first or last frame.")
        if count > most:
            taken = f"at most {most} of them" if most else "none"
            raise refused(field, f"are not taken by this model: it takes {taken}.")
    _check_frames(roles, model)
    if model.needs_picture and not roles and not request.reference_videos:
        wanted = FIRST_FRAME if model.has_first_frame else "reference_images"
        raise refused(wanted, "must be given: this model makes nothing from words alone.")


def _check_frames(roles: Sequence[str], model: VideoModel) -> None:
    if FIRST_FRAME in roles and not model.has_first_frame:
        raise refused(FIRST_FRAME, "is not taken by this model.")
    if LAST_FRAME in roles and not model.has_last_frame:
        raise refused(LAST_FRAME, "is not taken by this model.")
    if LAST_FRAME in roles and FIRST_FRAME not in roles:
        raise refused(LAST_FRAME, "must come with a first frame.")
    if model.needs_last_frame and LAST_FRAME not in roles and FIRST_FRAME in roles:
        raise refused(LAST_FRAME, "must be given: this model makes what is between two frames.")


def _left_out(request: VideoRequest, field: str) -> list[Notice]:
    """Return the notice about a field that is not sent; raises InvalidRequest where it must be."""
    if not request.adapts or field in _NEEDED:
        raise refused(field, "is not taken by this model; leave it out, or choose another model.")
    return [Notice(field, "dropped", _DROPPED)]


def _seconds(request: VideoRequest, model: VideoModel) -> _Fitted:
    wanted = request.duration
    if wanted is None:
        return model.default_seconds, []
    if wanted == AUTO_SECONDS:
        if not model.can_choose_seconds:
            raise refused("duration", "must be a number of seconds with this model.")
        return AUTO_SECONDS, []
    if wanted in model.lengths:
        return wanted, []
    if request.adapts:
        nearest = min(model.lengths, key=lambda one: (abs(one - wanted), one))
        message = f"The model makes {nearest} seconds in place of {wanted}."
        return nearest, [Notice("duration", "adapted", message)]
    known = ", ".join(map(str, model.durations)) or f"{model.min_seconds} to {model.max_seconds}"
    raise InvalidRequest.of_field(
        "duration", f"must be {known} seconds for this model.", reason="out_of_range"
    )


def _resolution(request: VideoRequest, model: VideoModel) -> _Fitted:
    wanted = request.resolution
    if wanted is None:
        return model.usual_resolution, []
    if wanted in model.resolutions:
        return wanted, []
    if not request.adapts:
        known = ", ".join(model.resolutions)
        raise refused("resolution", f"must be one of {known} for this model.")
    place = RESOLUTIONS.index(wanted)
    nearest = min(model.resolutions, key=lambda one: abs(RESOLUTIONS.index(one) - place))
    message = f"The model makes {nearest} in place of {wanted}."
    return nearest, [Notice("resolution", "adapted", message)]


def _longest(request: VideoRequest, model: VideoModel, seconds: int) -> int:
    """Return the most seconds that can be charged."""
    own = model.longest if seconds == AUTO_SECONDS else seconds
    return own + (model.input_seconds if request.reference_videos else 0)


def _ratio(request: VideoRequest, model: VideoModel, resolution: str) -> _Fitted:
    wanted, has_frame = request.aspect_ratio, request.picture(FIRST_FRAME) is not None
    if has_frame and (wanted in {None, AUTO_RATIO} or not model.frame_ratio):
        if wanted in {None, AUTO_RATIO}:
            return AUTO_RATIO, []
        if request.adapts:
            message = "The film has the shape of its first frame."
            return AUTO_RATIO, [Notice("aspect_ratio", "adapted", message)]
        raise refused("aspect_ratio", "must be left out: the film has its first frame's.")
    made = model.ratios_of(resolution)
    if wanted is None:
        return model.usual_ratio(resolution), []
    if wanted in made or (wanted == AUTO_RATIO and model.can_choose_ratio):
        return wanted, []
    if not request.adapts or wanted == AUTO_RATIO:
        known = ", ".join(made)
        raise refused("aspect_ratio", f"must be one of {known} for this model in {resolution}.")
    nearest = nearest_ratio(shape_of(wanted), made)
    message = f"The model makes {nearest} in place of {wanted}."
    return nearest, [Notice("aspect_ratio", "adapted", message)]


def _fields(request: VideoRequest, model: VideoModel) -> tuple[dict[str, Any], list[Notice]]:
    fields: dict[str, Any] = {}
    notices = _sound(request, model, fields)
    for field, value in _asked(request).items():
        if value is None:
            continue
        if field in model.sends:
            fields[field] = value
        elif field in model.drops:
            notices.append(Notice(field, "dropped", _DROPPED))
        else:
            notices += _left_out(request, field)
    if (request.seed or 0) > MAX_SEED:
        raise InvalidRequest.of_field("seed", f"must be at most {MAX_SEED}.", reason="out_of_range")
    if request.fps is not None and model.fps and request.fps not in model.fps:
        known = ", ".join(map(str, model.fps))
        raise refused("fps", f"must be one of {known} for this model.")
    if "watermark" in model.sends:
        fields["watermark"] = request.watermark
    return fields, notices + _mark(request, model)


def _asked(request: VideoRequest) -> Mapping[str, Any]:
    return {
        "seed": request.seed,
        "camera_fixed": request.camera_fixed,
        "fps": request.fps,
        "return_last_frame": request.return_last_frame or None,
        "reference_videos": list(request.reference_videos) or None,
        "reference_audios": list(request.reference_audios) or None,
        "user": request.user,
    }


def _expiry(model: VideoModel) -> dict[str, int]:
    """Return when the vendor is to end a task, where it is told: nobody waits any longer."""
    if not model.expiry:
        return {}
    least, most = model.expiry
    return {"expiry": min(max(round(model.seconds), least), most)}


def _sound(request: VideoRequest, model: VideoModel, fields: dict[str, Any]) -> list[Notice]:
    """Put into the fields whether there is to be sound; returns what is not as it was asked."""
    if model.audio == ALWAYS:
        message = "This model makes sound always."
        return [] if request.audio else [Notice("audio", "adapted", message)]
    if model.audio == NEVER:
        return _left_out(request, "audio") if request.audio else []
    # A sound that a film is to follow would be lost in a silent one.
    fields["audio"] = request.audio or bool(request.reference_audios)
    return []


def _mark(request: VideoRequest, model: VideoModel) -> list[Notice]:
    if model.always_marks and not request.watermark:
        message = "The vendor marks its films unless its account has signed a waiver."
        return [Notice("watermark", "adapted", message)]
    if request.watermark and "watermark" not in model.sends and not model.always_marks:
        return _left_out(request, "watermark")
    return []
