"""What a form asks of a model of films, without a browser."""

from typing import Any

from llm_api.upstream.media.video_profiles import VideoModel
from llm_api.web.console.film_offers import film_offer
from tests.support.tables import each
from tests.web.console.scripts import called

FORM = {
    "prompt": "A kite",
    "model": "m",
    "optimizes": False,
    "style": "",
    "negative": "",
    "seed": "",
    "seconds": "5",
    "resolution": "720p",
    "ratio": "16:9",
    "audio": False,
    "retriesSilent": True,
    "isFixed": False,
    "keepsLast": False,
    "films": "",
    "sounds": "",
}
NOTHING: dict[str, Any] = {"first": None, "last": None, "references": []}
ORDER = {
    "prompt": "A kite",
    "model": "m",
    "duration": 5,
    "resolution": "720p",
    "aspect_ratio": "16:9",
    "wait_ms": 0,
}
EVERYTHING = frozenset(["seed", "negative_prompt", "camera_fixed", "return_last_frame"])
LINK = "/api/v1/files/file_1"
CLIP, SONG = "https://example.com/clip.mp4", "https://example.com/song.mp3"


def offer(**traits: Any) -> dict[str, Any]:
    """Return what the page is told of a model."""
    return dict(film_offer("m", VideoModel("m", "ark", "ark", **traits), "seedance"))


@each(
    ("traits", "form", "differs"),
    [
        ({}, {}, {}),
        # What the model does not take is not sent, whatever the form still has.
        ({}, {"seed": "7", "negative": "rain", "isFixed": True, "keepsLast": True}, {}),
        (
            {"sends": EVERYTHING},
            {"seed": "0", "negative": " rain ", "isFixed": True, "keepsLast": True},
            {
                "seed": 0,
                "negative_prompt": "rain",
                "camera_fixed": True,
                "return_last_frame": True,
            },
        ),
        ({"audio": "asked"}, {"audio": True}, {"audio": True, "retry_without_audio": True}),
        ({"audio": "never"}, {"audio": True}, {}),
        ({}, {"seconds": "auto", "ratio": "auto"}, {"duration": "auto", "aspect_ratio": "auto"}),
        (
            {},
            {"optimizes": True, "style": " ink "},
            {"optimize_prompt": True, "optimize_options": {"style": "ink"}},
        ),
    ],
)
def test_a_form_becomes_what_the_model_takes(
    traits: dict[str, Any], form: dict[str, Any], differs: dict[str, Any]
) -> None:
    (found,) = called("film_order.js", "orderOf", [FORM | form, offer(**traits), NOTHING])

    assert found == ORDER | differs


def test_a_first_frame_needs_no_prompt_and_gives_the_film_its_shape() -> None:
    form = FORM | {"prompt": " ", "ratio": "", "optimizes": True}
    frames = NOTHING | {"first": LINK}

    (found,) = called("film_order.js", "orderOf", [form, offer(has_first_frame=True), frames])

    asked = {"model": "m", "duration": 5, "resolution": "720p", "first_frame": LINK, "wait_ms": 0}
    assert found == asked


REFERRED = {"max_reference_images": 2, "max_reference_videos": 1, "max_reference_audios": 1}
CLIPS = {"films": f"{CLIP}\n", "sounds": f" {SONG} "}


@each(
    ("traits", "references"),
    [
        # What the model does not take is not sent, whatever the form still has.
        ({}, {}),
        (
            REFERRED,
            {
                "reference_images": [LINK, LINK],
                "reference_videos": [CLIP],
                "reference_audios": [SONG],
            },
        ),
        ({"max_reference_images": 1}, {"reference_images": [LINK]}),
        ({"max_reference_audios": 9}, {"reference_audios": [SONG]}),
    ],
)
def test_references_are_those_that_the_model_takes(
    traits: dict[str, Any], references: dict[str, Any]
) -> None:
    inputs = NOTHING | {"references": [LINK, LINK]}

    (found,) = called("film_order.js", "orderOf", [FORM | CLIPS, offer(**traits), inputs])

    assert found == ORDER | references


@each(
    ("most", "offered"),
    [
        (("reference_images", 30), 9),
        (("reference_images", 4), 4),
        (("reference_videos", 5), 3),
        (("reference_audios", 1), 1),
    ],
)
def test_no_more_references_are_offered_than_a_request_has(
    most: tuple[str, int], offered: int
) -> None:
    kind, count = most

    assert offer(**{f"max_{kind}": count})[kind] == offered


@each(
    ("traits", "has_first", "form", "choices"),
    [
        ({}, False, {}, ("5", "720p", "16:9")),
        ({"durations": (5, 10)}, False, {"seconds": "8"}, ("5", "720p", "16:9")),
        ({"can_choose_seconds": True}, False, {"seconds": "auto"}, ("auto", "720p", "16:9")),
        ({"can_choose_ratio": True}, False, {"ratio": "auto"}, ("5", "720p", "auto")),
        ({"resolutions": ("480p", "1080p")}, False, {}, ("5", "480p", "16:9")),
        ({"ratios": ("9:16",)}, False, {}, ("5", "720p", "9:16")),
        ({}, True, {"ratio": ""}, ("5", "720p", "")),
        ({}, True, {"ratio": "1:1"}, ("5", "720p", "1:1")),
        ({"frame_ratio": False}, True, {"ratio": "1:1"}, ("5", "720p", "")),
        ({}, False, {"ratio": ""}, ("5", "720p", "16:9")),
    ],
)
def test_choices_that_a_model_does_not_have_become_its_usual_ones(
    traits: dict[str, Any], *, has_first: bool, form: dict[str, Any], choices: tuple[str, str, str]
) -> None:
    (found,) = called("film_order.js", "fitted", [FORM | form, offer(**traits), has_first])

    assert (found["seconds"], found["resolution"], found["ratio"]) == choices


@each(
    ("traits", "prompt", "frames", "word"),
    [
        ({}, "A kite", NOTHING, ""),
        ({}, " ", NOTHING, "prompt"),
        ({"needs_prompt": False}, "", {"first": LINK}, ""),
        ({"needs_prompt": False}, "", NOTHING, "prompt"),
        ({"needs_picture": True, "has_first_frame": True}, "A kite", NOTHING, "first_frame"),
        ({"needs_picture": True} | REFERRED, "A kite", NOTHING, "reference"),
        ({"needs_picture": True} | REFERRED, "A kite", {"references": [LINK]}, ""),
        (REFERRED, " ", {"references": [LINK]}, "prompt"),
        (REFERRED, "A kite", {"references": [LINK], "first": LINK}, "one_kind"),
        ({}, "A kite", {"last": LINK}, "first_frame"),
        ({"needs_last_frame": True}, "A kite", {"first": LINK}, "last_frame"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_sent(
    traits: dict[str, Any], prompt: str, frames: dict[str, Any], word: str
) -> None:
    (found,) = called(
        "film_order.js", "missing", [FORM | {"prompt": prompt}, offer(**traits), NOTHING | frames]
    )

    assert found == word


@each(
    ("form", "word"),
    [
        ({"films": CLIP}, ""),
        ({"films": f"{CLIP}\n{CLIP}"}, "fewer_films"),
        ({"sounds": f"{SONG}\n{SONG}"}, "fewer_sounds"),
    ],
)
def test_more_addresses_than_the_model_takes_are_not_sent(form: dict[str, Any], word: str) -> None:
    (found,) = called("film_order.js", "missing", [FORM | form, offer(**REFERRED), NOTHING])

    assert found == word


@each(
    ("order", "task", "steps"),
    [
        ({"optimize_prompt": True}, None, {"rewrite": "working", "film": "waiting"}),
        ({"optimize_prompt": True}, "running", {"rewrite": "done", "film": "working"}),
        ({"optimize_prompt": True}, "succeeded", {"rewrite": "done", "film": "done"}),
        ({}, None, {"film": "working"}),
        ({}, "cancelled", {"film": "failed"}),
    ],
)
def test_the_steps_of_a_film(
    order: dict[str, Any], task: str | None, steps: dict[str, str]
) -> None:
    (found,) = called("film_order.js", "filmSteps", [order, task and {"status": task}])

    assert {one["name"]: one["state"] for one in found} == steps


BOARD = {"script": "Mara walks.", "cast": "", "total": "12", "shots": ""}


@each(
    ("board", "traits", "differs"),
    [
        ({}, {}, {"min_shot_seconds": 1, "max_shot_seconds": 60}),
        ({}, {"durations": (5, 10)}, {"min_shot_seconds": 5, "max_shot_seconds": 10}),
        (
            {"cast": " Mara: in a coat: yellow \n\n玛拉：穿雨衣", "shots": "3"},
            {"durations": (5,)},
            {
                "cast": [
                    {"name": "Mara", "description": "in a coat: yellow"},
                    {"name": "玛拉", "description": "穿雨衣"},
                ],
                "shots": 3,
                "min_shot_seconds": 5,
                "max_shot_seconds": 5,
            },
        ),
    ],
)
def test_a_script_becomes_a_request_for_shots_that_the_model_makes(
    board: dict[str, Any], traits: dict[str, Any], differs: dict[str, Any]
) -> None:
    (found,) = called("shot_order.js", "planOf", [BOARD | board, offer(**traits)])

    asked = {"type": "storyboard", "prompt": "Mara walks.", "target_model": "seedance"}
    assert found == asked | {"total_seconds": 12} | differs


@each(
    ("links", "differs"),
    [
        (
            {"first": None, "keepsLast": False},
            {"aspect_ratio": "16:9", "reference_images": [LINK], "reference_videos": [CLIP]},
        ),
        (
            {"first": LINK, "keepsLast": True},
            {"first_frame": LINK, "return_last_frame": True},
        ),
    ],
)
def test_a_shot_becomes_a_film_as_it_was_written(
    links: dict[str, Any], differs: dict[str, Any]
) -> None:
    shot = {"prompt": "Mara walks.", "negative": "rain", "seconds": 4}
    model = offer(has_first_frame=True, sends=EVERYTHING, **REFERRED)
    form = FORM | {"optimizes": True, "films": CLIP}
    inputs = links | {"references": [LINK]}

    (found,) = called("shot_order.js", "shotOrder", [form, model, shot, inputs])

    asked = {"prompt": "Mara walks.", "negative_prompt": "rain", "duration": 4, "model": "m"}
    assert found == asked | {"resolution": "720p", "wait_ms": 0} | differs
