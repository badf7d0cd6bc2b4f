"""Writes the tables of docs/video-apis.md: what becomes of each field of a request for a film.

Nothing is said about the models but what the service does with a request to one of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from llm_api.domain.making import InputPicture
from llm_api.domain.videos import (
    AUTO_RATIO,
    AUTO_SECONDS,
    FIRST_FRAME,
    LAST_FRAME,
    RATIOS,
    REFERENCE,
    VideoRequest,
)
from llm_api.errors import InvalidRequest
from llm_api.settings.video_profiles import read_video_profiles
from llm_api.upstream.media.fitting.video_fitting import fitted_video
from llm_api.upstream.media.video_profiles import ALWAYS, VideoModel
from tools.field_tables import table

# A value for each field; frames a second are those of the model.
_ASKED: Mapping[str, Any] = {
    "negative_prompt": "dogs",
    "seed": 7,
    "audio": True,
    "watermark": True,
    "camera_fixed": True,
    "fps": 30,
    "return_last_frame": True,
    "user": "u",
}
_INPUTS = ("first_frame", "last_frame", "reference_images", "reference_videos", "reference_audios")
_MAX_SECONDS = 60  # of a request


def written(root: Path) -> str:
    """Return the tables: what models make and are given, and what becomes of other fields."""
    profiles = read_video_profiles(root)
    made = [f"`{name}`" for name in ("duration", "resolution", "aspect_ratio", *_INPUTS)]
    others = [f"`{name}`" for name in _ASKED]
    return f"{table(made, profiles, _made)}\n{table(others, profiles, _outcomes)}"


def _made(model: VideoModel) -> Iterator[str]:
    request = _usual(model)
    seconds = [
        one
        for one in range(1, _MAX_SECONDS + 1)
        if _is_taken(replace(request, duration=one), model)
    ]
    is_free = _is_taken(replace(request, duration=AUTO_SECONDS), model)
    yield _spans(seconds) + (", `auto`" if is_free else "")
    yield ", ".join(f"`{one}`" for one in model.resolutions)
    yield _ratios(model)
    yield _frame(FIRST_FRAME, model)
    yield _frame(LAST_FRAME, model)
    yield from (_count(most) for most in (model.max_reference_images, model.max_reference_videos))
    yield _count(model.max_reference_audios)


def _spans(seconds: list[int]) -> str:
    is_whole = seconds == list(range(seconds[0], seconds[-1] + 1)) and len(seconds) > 1
    return f"{seconds[0]} to {seconds[-1]}" if is_whole else ", ".join(map(str, seconds))


def _ratios(model: VideoModel) -> str:
    request = _usual(model)
    taken = [
        ratio
        for ratio in RATIOS
        if any(
            _is_taken(replace(request, aspect_ratio=ratio, resolution=one), model)
            for one in model.resolutions
        )
    ]
    has_frame = request.picture(FIRST_FRAME) is not None
    if has_frame and taken == [AUTO_RATIO]:
        return "that of the frame"
    return ", ".join(f"`{ratio}`" for ratio in taken)


def _frame(role: str, model: VideoModel) -> str:
    is_first = role == FIRST_FRAME
    if not (model.has_first_frame if is_first else model.has_last_frame):
        return "refused"
    is_needed = model.needs_picture and not model.max_reference_images
    return "required" if (is_needed if is_first else model.needs_last_frame) else "sent"


def _count(most: int) -> str:
    return f"0 to {most}" if most else "refused"


def _outcomes(model: VideoModel) -> Iterator[str]:
    for name in _ASKED:
        if name == "audio" and model.audio == ALWAYS:
            yield "always"
            continue
        ours, openai = (_outcome(model, name, adapts=adapts) for adapts in (False, True))
        yield openai if ours == openai else f"{ours} / {openai}"


def _outcome(model: VideoModel, name: str, *, adapts: bool) -> str:
    """Return what becomes of a field: `sent`, a notice's word, or `refused`."""
    value: Any = model.fps[0] if name == "fps" and model.fps else _ASKED[name]
    request = replace(_usual(model), adapts=adapts, **{name: value})
    try:
        sent = fitted_video(request, model, model.name)
    except InvalidRequest:
        return "refused"
    return next((one.code for one in sent.notices if one.field == name), "sent")


def _usual(model: VideoModel) -> VideoRequest:
    """Return a request with the pictures that a model needs."""
    roles = ([FIRST_FRAME] if model.has_first_frame else [REFERENCE]) * model.needs_picture
    roles += [LAST_FRAME] * model.needs_last_frame
    picture = InputPicture("picture", "image/png", 64, 64, 1000)
    return VideoRequest("A kite", pictures=tuple(replace(picture, role=role) for role in roles))


def _is_taken(request: VideoRequest, model: VideoModel) -> bool:
    try:
        fitted_video(request, model, model.name)
    except InvalidRequest:
        return False
    return True
