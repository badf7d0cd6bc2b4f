"""Requests in the terms of a model: sent, emulated or refused, and never lost without a word."""

from dataclasses import replace
from typing import Any

import pytest

from llm_api.domain.images import ImageRequest, SizePolicy
from llm_api.domain.making import FittedRequest, Size
from llm_api.errors import InvalidRequest
from llm_api.upstream.media.fitting.fitting import fitted
from llm_api.upstream.media.image_profiles import ImageModel, SizeRule
from tests.support.tables import each
from tests.upstream.images.painter import NEAREST, PROFILES, size, square

PLAIN = ImageModel("m", "openai", "openai", makes="png")
RICH = replace(
    PLAIN,
    n_per_call=4,
    max_n=10,
    max_references=3,
    has_mask=True,
    sends=frozenset(["negative_prompt", "seed", "quality", "watermark", "user", "background"]),
    quality={"low": "standard", "high": "hd"},
    constants={"rewrite": True, "safe": 1},
    optimized={"rewrite": False},
)


def fit(model: ImageModel = PLAIN, prompt: str = "A cat", **fields: Any) -> FittedRequest:
    """Fit a request."""
    return fitted(ImageRequest(prompt, **fields), model, "its-name")


def refusal(model: ImageModel = PLAIN, prompt: str = "A cat", **fields: Any) -> InvalidRequest:
    """Fit a request, and return the error that must come."""
    with pytest.raises(InvalidRequest) as refused:
        fit(model, prompt, **fields)
    return refused.value


def said(request: FittedRequest) -> list[tuple[str, str]]:
    """Return fields and codes of the notices."""
    return [(notice.field, notice.code) for notice in request.notices]


@each(
    ("n", "each", "parts"),
    [(1, 1, (1,)), (4, 1, (1, 1, 1, 1)), (4, 4, (4,)), (6, 4, (4, 2)), (10, 4, (4, 4, 2))],
)
def test_pictures_are_divided_into_calls(n: int, each: int, parts: tuple[int, ...]) -> None:
    assert fit(replace(RICH, n_per_call=each), n=n).parts == parts


def test_seeds_go_on_from_part_to_part() -> None:
    request = fit(RICH, n=6, seed=7)

    assert [request.seed_of(part) for part in range(2)] == [7, 11]


def test_edits_may_make_fewer_at_once() -> None:
    model = replace(RICH, n_per_edit=1)

    assert fit(model, n=2).parts == (2,)
    assert fit(model, n=2, references=(square(),)).parts == (1, 1)


@each("field", ["seed", "quality", "user"])
def test_what_a_model_does_not_take_is_refused_by_its_name(field: str) -> None:
    value = {"seed": 7, "quality": "high", "user": "u"}[field]

    error = refusal(**{field: value})

    assert (error.status, error.reason, error.fields[0].field) == (400, "not_supported", field)


@each("field", ["seed", "quality", "user"])
def test_openai_s_clients_are_told_what_was_left_out(field: str) -> None:
    value = {"seed": 7, "quality": "high", "user": "u"}[field]

    request = fit(size_policy=NEAREST, **{field: value})

    assert said(request) == [(field, "dropped")]
    assert field not in request.fields


@each("policy", list(SizePolicy))
@each(
    ("field", "fields"),
    [
        ("background", {"background": "transparent"}),
        ("negative_prompt", {"negative_prompt": "dogs"}),
        ("images", {"references": (square(),)}),
        ("mask", {"references": (square(),), "mask": square("m")}),
    ],
)
def test_what_would_make_another_picture_is_refused_to_all(
    policy: SizePolicy, field: str, fields: dict[str, Any]
) -> None:
    model = replace(PLAIN, max_references=int(field == "mask"))

    error = refusal(model, size_policy=policy, **fields)

    assert (error.reason, error.fields[0].field) == ("not_supported", field)


def test_what_a_profile_drops_is_named_to_all() -> None:
    assert said(fit(replace(PLAIN, drops=frozenset(["seed"])), seed=7)) == [("seed", "dropped")]


def test_opaque_is_what_every_model_makes() -> None:
    request = fit(background="opaque")

    assert (request.fields, request.notices) == ({}, ())


def test_a_watermark_is_always_decided() -> None:
    assert fit(RICH).fields["watermark"] is False
    assert fit(RICH, watermark=True).fields["watermark"] is True


def test_a_vendor_that_marks_pictures_anyway_is_no_secret() -> None:
    request = fit(replace(RICH, always_marks=True))

    assert said(request) == [("watermark", "adapted")]


@each(
    ("asked", "sent", "codes"),
    [
        ("low", "standard", [("quality", "adapted")]),
        ("hd", "hd", []),
        ("auto", None, []),
    ],
)
def test_qualities_have_the_vendor_s_words(
    asked: str, sent: str | None, codes: list[tuple[str, str]]
) -> None:
    request = fit(RICH, quality=asked)

    assert (request.fields.get("quality"), said(request)) == (sent, codes)


def test_an_unknown_quality_is_refused_with_those_that_are_known() -> None:
    assert "standard, hd, low, high, auto" in refusal(RICH, quality="best").message


def test_our_optimizer_switches_the_vendor_s_off() -> None:
    assert fit(RICH).constants == {"rewrite": True, "safe": 1}
    assert fit(RICH, is_optimized=True).constants == {"rewrite": False, "safe": 1}


# --- prompts -------------------------------------------------------------------------------------


def test_the_length_of_a_prompt_is_checked_with_the_added_sentence() -> None:
    model = replace(PLAIN, max_prompt=60, emulates=frozenset(["negative_prompt"]))

    assert fit(model, "a" * 60).prompt == "a" * 60
    assert refusal(model, "a" * 61).fields[0].field == "prompt"
    error = refusal(model, "a" * 30, negative_prompt="dogs and cars")
    assert (error.reason, error.fields[0].field) == ("out_of_range", "prompt")


def test_a_long_negative_prompt_is_refused() -> None:
    error = refusal(replace(RICH, max_negative=3), negative_prompt="dogs")

    assert error.fields[0].field == "negative_prompt"


def test_a_prompt_of_commands_alone_is_refused() -> None:
    model = replace(PLAIN, filters=("networks",))

    assert refusal(model, "<lora:evil:1>").fields[0].field == "prompt"


def test_what_was_cut_is_told() -> None:
    request = fit(replace(PLAIN, filters=("networks",)), "A <lora:evil:1>cat")

    assert request.prompt == "A cat"
    assert said(request) == [("prompt", "cut")]
    assert "<lora:evil:1>" in request.notices[0].message


# --- sizes ---------------------------------------------------------------------------------------

RANGE = replace(PLAIN, size=SizeRule(multiple=16, max_side=2048, default=Size(1024, 1024)))
TABLE = replace(RANGE, resolutions={"1K": {"16:9": Size(1280, 720)}, "2K": {}})
LISTED = replace(PLAIN, size=SizeRule(listed=(Size(1024, 1024), Size(1536, 1024))))


@each(
    ("model", "fields", "expected"),
    [
        (PLAIN, {}, None),
        (RANGE, {}, "1024x1024"),
        (RANGE, {"aspect_ratio": "auto"}, "1024x1024"),
        (RANGE, {"aspect_ratio": "1:1"}, "1024x1024"),
        (RANGE, {"aspect_ratio": "16:9"}, "1376x768"),
        (TABLE, {"aspect_ratio": "16:9"}, "1280x720"),
        (TABLE, {"aspect_ratio": "9:16", "resolution": "1K"}, "720x1280"),
        (TABLE, {"resolution": "2K"}, "2048x2048"),
        (TABLE, {"resolution": "1K", "aspect_ratio": "auto"}, "1024x1024"),
        (LISTED, {"aspect_ratio": "3:2"}, "1536x1024"),
        (LISTED, {"size": Size(1536, 1024)}, "1536x1024"),
    ],
)
def test_sizes_that_are_made(
    model: ImageModel, fields: dict[str, Any], expected: str | None
) -> None:
    request = fit(model, **fields)

    assert request.size == (None if expected is None else size(expected))
    assert request.notices == ()


@each(
    ("model", "fields", "field", "hint"),
    [
        (RANGE, {"size": Size(1000, 1000)}, "size", "1008x1008 or 992x992"),
        (LISTED, {"size": Size(1792, 1024)}, "size", "1536x1024 or 1024x1024"),
        (LISTED, {"aspect_ratio": "16:9"}, "aspect_ratio", "1536x1024 or 1024x1024"),
    ],
)
def test_a_size_that_is_not_made_is_refused_with_those_that_are(
    model: ImageModel, fields: dict[str, Any], field: str, hint: str
) -> None:
    error = refusal(model, **fields)

    assert (error.status, error.reason, error.fields[0].field) == (400, "invalid_size", field)
    assert error.hint == f"The nearest sizes that it makes: {hint}."


@each(
    ("model", "fields", "expected"),
    [
        (RANGE, {"size": Size(1000, 1000)}, "1008x1008"),
        (LISTED, {"size": Size(1792, 1024)}, "1536x1024"),
        (LISTED, {"aspect_ratio": "16:9"}, "1536x1024"),
    ],
)
def test_the_nearest_size_is_made_where_that_is_the_policy(
    model: ImageModel, fields: dict[str, Any], expected: str
) -> None:
    request = fit(model, size_policy=NEAREST, **fields)

    assert str(request.size) == expected
    assert [notice.code for notice in request.notices] == ["adapted"]
    assert expected in request.notices[0].message


def test_a_model_without_resolutions_is_asked_for_none() -> None:
    assert refusal(RANGE, resolution="2K").fields[0].field == "resolution"
    assert said(fit(RANGE, resolution="2K", size_policy=NEAREST)) == [("resolution", "dropped")]


def test_a_resolution_that_a_model_has_not_is_refused_with_those_it_has() -> None:
    error = refusal(TABLE, resolution="4K")

    assert (error.reason, error.fields[0].field) == ("invalid_size", "resolution")
    assert "1K, 2K" in error.message


def test_a_ratio_that_is_none_is_refused() -> None:
    assert refusal(RANGE, aspect_ratio="wide").fields[0].field == "aspect_ratio"


def test_an_edit_has_the_shape_of_its_picture_where_no_other_is_asked_for() -> None:
    model = replace(TABLE, max_references=1)

    request = fit(model, references=(square("a", 640, height=360),), resolution="1K")

    assert str(request.size) == "1280x720"


def test_an_edit_has_the_size_of_its_picture_where_the_server_would_take_its_own() -> None:
    rule = replace(RANGE.size, follows_input=True)
    model = replace(RANGE, max_references=1, size=rule)

    assert str(fit(model, references=(square("a", 800, height=600),)).size) == "800x608"
    assert str(fit(model).size) == "1024x1024"


def test_a_model_that_cannot_be_asked_for_a_size_says_so() -> None:
    model = replace(PLAIN, size=SizeRule(is_asked=False))

    assert refusal(model, size=Size(64, 64)).reason == "not_supported"
    assert said(fit(model, size=Size(64, 64), size_policy=NEAREST)) == [("size", "dropped")]


# --- pictures ------------------------------------------------------------------------------------


def test_a_model_that_edits_alone_needs_a_picture() -> None:
    assert refusal(replace(RICH, min_references=1)).fields[0].field == "images"


def test_a_mask_has_the_size_of_the_picture() -> None:
    error = refusal(RICH, references=(square("a", 64),), mask=square("m", 32))

    assert (error.reason, error.fields[0].field) == ("invalid_image", "mask")


# --- formats -------------------------------------------------------------------------------------

WRITES = replace(
    PLAIN,
    sends=frozenset(["output_format", "output_compression"]),
    formats=frozenset(["png", "jpeg"]),
)


@each(
    ("model", "wanted", "compression", "sent", "convert_to"),
    [
        (WRITES, "jpeg", 80, {"output_format": "jpeg", "output_compression": 80}, None),
        (WRITES, "png", None, {"output_format": "png"}, None),
        (WRITES, "webp", 80, {}, "webp"),
        (PLAIN, "jpeg", None, {}, "jpeg"),
        (PLAIN, "png", None, {}, None),
        (replace(PLAIN, makes=None), "png", None, {}, "png"),
        (PLAIN, None, None, {}, None),
    ],
)
def test_formats_that_the_vendor_does_not_write_are_written_here(
    model: ImageModel,
    wanted: str | None,
    compression: int | None,
    sent: dict[str, Any],
    convert_to: str | None,
) -> None:
    request = fit(model, output_format=wanted, output_compression=compression)

    assert (request.fields, request.convert_to) == (sent, convert_to)
    assert said(request) == ([("output_format", "emulated")] if convert_to else [])


def test_compression_of_a_png_is_named_as_lost() -> None:
    assert said(fit(WRITES, output_format="png", output_compression=80)) == [
        ("output_compression", "dropped")
    ]


def test_the_last_seed_of_several_pictures_is_a_seed_too() -> None:
    highest = 2**31 - 1

    assert fit(RICH, seed=highest).fields["seed"] == highest
    assert refusal(RICH, seed=highest, n=2).fields[0].field == "seed"


def test_the_time_of_the_model_is_that_of_the_call() -> None:
    assert fit(replace(PLAIN, seconds=600)).seconds == 600
    assert min(model.seconds for one in PROFILES.values() for model in one.models.values()) >= 60
