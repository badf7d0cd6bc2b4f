"""Whatever is asked of whichever model: it is sent, made up for, told of, or refused by name."""

from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from llm_api.domain.images import ImageRequest, SizePolicy
from llm_api.domain.making import FittedRequest, Size
from llm_api.errors import InvalidRequest
from llm_api.upstream.media.fitting.fitting import fitted
from llm_api.upstream.media.fitting.sizes import is_made, looks_like, ratio_of
from llm_api.upstream.media.image_profiles import ImageModel
from tests.upstream.images.painter import PROFILES, square

MODELS = [model for profile in PROFILES.values() for model in profile.models.values()]
RATIOS = ["1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "21:9", "9:21", "auto"]
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "negative_prompt": st.sampled_from(["dogs", "<lora:x>", "狗"]),
    "seed": st.integers(0, 2**31 - 1),
    "quality": st.sampled_from(["low", "medium", "high", "auto", "hd", "standard"]),
    "background": st.sampled_from(["transparent", "opaque", "auto"]),
    "output_format": st.sampled_from(["png", "jpeg", "webp"]),
    "output_compression": st.integers(0, 100),
    "watermark": st.booleans(),
    "user": st.just("u" * 64),
    "partial_images": st.integers(0, 3),
    "n": st.integers(1, 10),
    "references": st.integers(0, 3).map(lambda count: (square("a"),) * count),
    "mask": st.just(square("m")),
    "is_optimized": st.booleans(),
    "extra": st.dictionaries(st.sampled_from(["moderation", "style", "x"]), st.just("low")),
}
SIZES = (
    st.just({})
    | st.builds(Size, st.integers(64, 5000), st.integers(64, 5000)).map(lambda one: {"size": one})
    | st.fixed_dictionaries(
        {},
        optional={
            "aspect_ratio": st.sampled_from(RATIOS),
            "resolution": st.sampled_from(["1K", "1.5K", "2K", "3K", "4K"]),
        },
    )
)
requests = st.builds(
    lambda fields, shape, policy: ImageRequest("A cat", size_policy=policy, **fields, **shape),
    st.fixed_dictionaries({}, optional=FIELDS),
    SIZES,
    st.sampled_from(SizePolicy),
)


def outcome(request: ImageRequest, model: ImageModel) -> FittedRequest | InvalidRequest:
    """Fit a request, or return why it is refused."""
    try:
        return fitted(request, model, "m")
    except InvalidRequest as refusal:
        return refusal


def lost(request: ImageRequest, made: FittedRequest, model: ImageModel) -> Iterator[str]:
    """Yield what a caller has asked for and would never hear of again."""
    told = {notice.field for notice in made.notices}
    sent = made.fields.keys()
    plain = {
        "negative_prompt": request.negative_prompt,
        "seed": request.seed,
        "quality": None if request.quality == "auto" else request.quality,
        "user": request.user,
        "partial_images": request.partial_images or None,
        "watermark": request.watermark or None,
        **request.extra,
    }
    yield from (name for name, value in plain.items() if value and not {name} & (sent | told))
    if request.background == "transparent" and made.fields.get("background") != "transparent":
        yield "background"
    wanted = request.output_format
    if wanted and wanted not in {made.fields.get("output_format"), made.convert_to, model.makes}:
        yield "output_format"
    compression = {"output_compression"} & (sent | told) or made.convert_to
    if request.output_compression is not None and not compression:
        yield "output_compression"
    if (made.references, made.mask) != (request.references, request.mask):
        yield "images"
    yield from lost_sizes(request, made, told)


def lost_sizes(request: ImageRequest, made: FittedRequest, told: set[str]) -> Iterator[str]:
    """Yield what was said of the size and is not kept."""
    if request.size and made.size != request.size and "size" not in told:
        yield "size"
    ratio = ratio_of(request.aspect_ratio or "")
    is_kept = made.size is not None and ratio is not None and looks_like(made.size, ratio)
    if ratio is not None and not is_kept and "aspect_ratio" not in told:
        yield "aspect_ratio"
    if request.resolution and made.size is None and "resolution" not in told:
        yield "resolution"


@settings(max_examples=200)
@given(request=requests, model=st.sampled_from(MODELS))
def test_nothing_is_lost_without_a_word(request: ImageRequest, model: ImageModel) -> None:
    made = outcome(request, model)
    if isinstance(made, InvalidRequest):
        assert made.fields
        return

    assert list(lost(request, made, model)) == []
    assert sum(made.parts) == request.n
    assert max(made.parts) <= model.n_per_call
    if request.size is not None and made.size is not None:
        assert is_made(model.size, made.size)


@settings(max_examples=200)
@given(request=requests, model=st.sampled_from(MODELS))
def test_only_what_a_model_takes_is_sent(request: ImageRequest, model: ImageModel) -> None:
    made = outcome(request, model)
    if isinstance(made, InvalidRequest):
        return

    assert made.fields.keys() <= model.sends
    assert len(made.prompt) <= model.max_prompt
