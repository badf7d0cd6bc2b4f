"""What the page of films shows of a video model: what its profile lets a caller choose."""

from collections.abc import Mapping

from llm_api.upstream.media.video_profiles import VideoModel
from llm_api.web.videos.film_fields import MAX_IMAGES, MAX_LINKS


def film_offer(name: str, model: VideoModel, target: str) -> Mapping[str, object]:
    """Return what the form for a model has, as JSON takes it.

    Args:
        name: of the model, as callers use it.
        model: what it takes.
        target: for whom its prompts are rewritten.
    """
    return {
        "name": name,
        "target": target,
        "seconds": list(model.lengths),
        "usual_seconds": model.default_seconds,
        "can_choose_seconds": model.can_choose_seconds,
        "resolutions": list(model.resolutions),
        "usual_resolution": model.usual_resolution,
        "ratios": {one: list(model.ratios_of(one)) for one in model.resolutions},
        "usual_ratios": {one: model.usual_ratio(one) for one in model.resolutions},
        "can_choose_ratio": model.can_choose_ratio,
        "frame_ratio": model.frame_ratio,
        "has_first_frame": model.has_first_frame,
        "has_last_frame": model.has_last_frame,
        "needs_picture": model.needs_picture,
        "needs_last_frame": model.needs_last_frame,
        "needs_prompt": model.needs_prompt,
        "reference_images": min(model.max_reference_images, MAX_IMAGES),
        "reference_videos": min(model.max_reference_videos, MAX_LINKS),
        "reference_audios": min(model.max_reference_audios, MAX_LINKS),
        "audio": model.audio,
        "takes": sorted(model.sends | model.emulates),
    }
