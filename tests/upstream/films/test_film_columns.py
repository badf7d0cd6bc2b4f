"""The table of fields of films by vendor, cell by cell: what is sent, made up for, or refused."""

import base64
from typing import Any

import pytest

from llm_api.domain.videos import AUTO_RATIO, AUTO_SECONDS, VideoRequest
from llm_api.upstream.media.fitting.video_fitting import fitted_video
from llm_api.upstream.media.video_profiles import VideoModel
from tests.support.multipart import Part
from tests.support.pictures import picture
from tests.support.tables import each
from tests.upstream.field_tables import (
    FieldCells,
    NoticedCells,
    Sent,
    SentCells,
    assert_not_sent,
    assert_refused,
    assert_sent,
    assert_told,
    cell_name,
)
from tests.upstream.films.conftest import FilmAskerOf
from tests.upstream.films.film_asker import FIRST, LAST, SHOWN

URI = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"
NEGATED = "A cat. The film must not show: dogs."
FRAMES = (FIRST, LAST)
CLIP, SONG = "https://example.com/clip.mp4", "https://example.com/song.mp3"


def _ark(kind: str, url: str, role: str) -> dict[str, Any]:
    return {"type": f"{kind}_url", f"{kind}_url": {"url": url}, "role": role}


SENT: SentCells = [
    ("prompt", "ark", {}, {"content": [{"type": "text", "text": "A cat"}]}),
    ("prompt", "wan", {}, {"input.prompt": "A cat"}),
    ("prompt", "wan2.7", {}, {"input.prompt": "A cat"}),
    ("prompt", "zhipu", {}, {"prompt": "A cat"}),
    ("prompt", "siliconflow", {}, {"prompt": "A cat"}),
    ("prompt", "vllm-omni", {}, {"prompt": "A cat"}),
    ("prompt", "sglang", {}, {"prompt": "A cat"}),
    ("negative", "ark", {"negative_prompt": "dogs"}, {"content.0.text": NEGATED}),
    ("negative", "wan", {"negative_prompt": "dogs"}, {"input.negative_prompt": "dogs"}),
    ("negative", "wan2.7", {"negative_prompt": "dogs"}, {"input.negative_prompt": "dogs"}),
    ("negative", "zhipu", {"negative_prompt": "dogs"}, {"prompt": NEGATED}),
    ("negative", "siliconflow", {"negative_prompt": "dogs"}, {"negative_prompt": "dogs"}),
    ("negative", "vllm-omni", {"negative_prompt": "dogs"}, {"negative_prompt": "dogs"}),
    ("negative", "sglang", {"negative_prompt": "dogs"}, {"negative_prompt": "dogs"}),
    ("duration", "ark", {"duration": 12}, {"duration": 12}),
    ("duration", "ark", {}, {"duration": 5}),
    ("duration", "ark 2.5", {"duration": AUTO_SECONDS}, {"duration": -1}),
    ("duration", "wan", {"duration": 15}, {"parameters.duration": 15}),
    ("duration", "wan2.7", {"duration": 2}, {"parameters.duration": 2}),
    ("duration", "wan3.0", {"duration": AUTO_SECONDS}, {"parameters.duration": -1}),
    ("duration", "zhipu", {"duration": 10}, {"duration": 10}),
    ("duration", "vllm-omni", {"duration": 8}, {"seconds": "8"}),
    ("duration", "sglang", {"duration": 8}, {"seconds": 8}),
    ("shape", "ark", {}, {"resolution": "720p", "ratio": "16:9"}),
    ("shape", "ark 1.0", {}, {"resolution": "720p", "ratio": "16:9"}),
    (
        "shape",
        "ark",
        {"resolution": "4k", "aspect_ratio": "21:9"},
        {"resolution": "4k", "ratio": "21:9"},
    ),
    ("shape", "ark", {"aspect_ratio": AUTO_RATIO}, {"ratio": "adaptive"}),
    ("shape", "wan", {}, {"parameters.size": "1280*720"}),
    ("shape", "wan", {"resolution": "1080p"}, {"parameters.size": "1920*1080"}),
    ("shape", "wan", {"aspect_ratio": "9:16"}, {"parameters.size": "720*1280"}),
    ("shape", "wan", {"aspect_ratio": "1:1"}, {"parameters.size": "960*960"}),
    ("shape", "wan", {"aspect_ratio": "4:3"}, {"parameters.size": "1088*832"}),
    ("shape", "wan", {"aspect_ratio": "3:4"}, {"parameters.size": "832*1088"}),
    (
        "shape",
        "wan",
        {"resolution": "1080p", "aspect_ratio": "1:1"},
        {"parameters.size": "1440*1440"},
    ),
    (
        "shape",
        "wan",
        {"resolution": "1080p", "aspect_ratio": "4:3"},
        {"parameters.size": "1632*1248"},
    ),
    ("shape", "wan2.2", {"resolution": "480p"}, {"parameters.size": "832*480"}),
    (
        "shape",
        "wan2.2",
        {"resolution": "480p", "aspect_ratio": "1:1"},
        {"parameters.size": "624*624"},
    ),
    ("shape", "wan i2v", {"pictures": (FIRST,)}, {"parameters.resolution": "720P"}),
    ("shape", "wan2.7", {}, {"parameters.resolution": "720P", "parameters.ratio": "16:9"}),
    (
        "shape",
        "wan3.0",
        {"resolution": "480p", "aspect_ratio": AUTO_RATIO},
        {"parameters.resolution": "480P", "parameters.ratio": "adaptive"},
    ),
    ("shape", "zhipu", {}, {"size": "1280x720"}),
    ("shape", "zhipu", {"resolution": "4k"}, {"size": "3840x2160"}),
    ("shape", "siliconflow", {}, {"image_size": "1280x720"}),
    ("shape", "siliconflow", {"aspect_ratio": "9:16"}, {"image_size": "720x1280"}),
    ("shape", "siliconflow", {"aspect_ratio": "1:1"}, {"image_size": "960x960"}),
    ("shape", "vllm-omni", {}, {"size": "1280x720"}),
    ("shape", "sglang", {"aspect_ratio": "9:16"}, {"size": "720x1280"}),
    (
        "first",
        "ark",
        {"pictures": (FIRST,)},
        {"content.1": _ark("image", URI, "first_frame"), "ratio": "adaptive"},
    ),
    ("first", "ark", {"prompt": "", "pictures": (FIRST,)}, {"content.0.role": "first_frame"}),
    ("first", "wan i2v", {"pictures": (FIRST,)}, {"input.img_url": URI}),
    (
        "first",
        "wan2.7 i2v",
        {"pictures": (FIRST,)},
        {"input.media": [{"type": "first_frame", "url": URI}]},
    ),
    ("first", "zhipu", {"pictures": (FIRST,)}, {"image_url": URI}),
    ("first", "siliconflow i2v", {"pictures": (FIRST,)}, {"image": URI}),
    ("first", "sglang", {"pictures": (FIRST,)}, {"input_reference": URI}),
    ("last", "ark", {"pictures": FRAMES}, {"content.2": _ark("image", URI, "last_frame")}),
    (
        "last",
        "wan kf2v",
        {"pictures": FRAMES},
        {"input.first_frame_url": URI, "input.last_frame_url": URI},
    ),
    (
        "last",
        "wan3.0",
        {"pictures": FRAMES},
        {
            "input.media": [
                {"type": "first_frame", "url": URI},
                {"type": "last_frame", "url": URI},
            ]
        },
    ),
    ("last", "zhipu", {"pictures": (LAST, FIRST)}, {"image_url": [URI, URI]}),
    (
        "references",
        "ark",
        {"pictures": (SHOWN,), "reference_videos": (CLIP,), "reference_audios": (SONG,)},
        {
            "content.1": _ark("image", URI, "reference_image"),
            "content.2": _ark("video", CLIP, "reference_video"),
            "content.3": _ark("audio", SONG, "reference_audio"),
        },
    ),
    (
        "references",
        "wan r2v",
        {"pictures": (SHOWN,), "reference_videos": (CLIP,)},
        {"input.reference_urls": [URI, CLIP]},
    ),
    (
        "references",
        "wan3.0",
        {"pictures": (SHOWN,), "reference_videos": (CLIP,), "reference_audios": (SONG,)},
        {
            "input.media": [
                {"type": "reference_image", "url": URI},
                {"type": "reference_video", "url": CLIP},
                {"type": "reference_audio", "url": SONG},
            ]
        },
    ),
    (
        "references",
        "wan2.7 r2v",
        {"pictures": (SHOWN,), "reference_videos": (CLIP,)},
        {
            "input.media": [
                {"type": "reference_image", "url": URI},
                {"type": "reference_video", "url": CLIP},
            ]
        },
    ),
    ("audio", "ark", {}, {"generate_audio": False}),
    ("audio", "ark", {"audio": True}, {"generate_audio": True}),
    ("audio", "ark 1.5", {"audio": True}, {"generate_audio": True}),
    ("audio", "ark endpoint", {}, {"generate_audio": False}),
    ("audio", "wan", {}, {"parameters.audio": False}),
    ("audio", "wan", {"audio": True}, {"parameters.audio": True}),
    (
        "audio",
        "wan",
        {"reference_audios": (SONG,)},
        {"input.audio_url": SONG, "parameters.audio": True},
    ),
    ("audio", "wan3.0", {}, {"parameters.audio": False}),
    ("audio", "wan3.0", {"audio": True}, {"parameters.audio": True}),
    ("audio", "zhipu", {}, {"with_audio": False}),
    ("audio", "zhipu", {"audio": True}, {"with_audio": True}),
    ("seed", "ark", {"seed": 7}, {"seed": 7}),
    ("seed", "wan", {"seed": 7}, {"parameters.seed": 7}),
    ("seed", "wan2.7", {"seed": 7}, {"parameters.seed": 7}),
    ("seed", "siliconflow", {"seed": 7}, {"seed": 7}),
    ("seed", "vllm-omni", {"seed": 7}, {"seed": "7"}),
    ("seed", "sglang", {"seed": 7}, {"seed": 7}),
    ("watermark", "ark", {}, {"watermark": False}),
    ("watermark", "ark", {"watermark": True}, {"watermark": True}),
    ("watermark", "wan", {}, {"parameters.watermark": False}),
    ("watermark", "wan2.7", {}, {"parameters.watermark": False}),
    ("watermark", "zhipu", {}, {"watermark_enabled": False}),
    ("rewriting", "wan", {}, {"parameters.prompt_extend": True}),
    ("rewriting", "wan", {"is_optimized": True}, {"parameters.prompt_extend": False}),
    ("rewriting", "wan2.7", {"is_optimized": True}, {"parameters.prompt_extend": False}),
    ("rewriting", "vllm-omni", {"is_optimized": True}, {"enhance_prompt": "false"}),
    ("rewriting", "sglang", {"is_optimized": True}, {"enhance_prompt": False}),
    ("camera", "ark 1.0", {"camera_fixed": True}, {"camera_fixed": True}),
    ("last picture", "ark", {"return_last_frame": True}, {"return_last_frame": True}),
    # As long as anybody waits, within what the vendor takes.
    ("expiry", "ark", {}, {"execution_expires_after": 3600}),
    ("expiry", "ark 1.0", {}, {"execution_expires_after": 3600}),
    ("expiry", "ark 1.0 i2v", {"pictures": (FIRST,)}, {"execution_expires_after": 3600}),
    ("expiry", "ark 1.5", {}, {"execution_expires_after": 3600}),
    ("expiry", "ark 2.0 fast", {}, {"execution_expires_after": 3600}),
    ("fps", "zhipu", {"fps": 60}, {"fps": 60}),
    ("fps", "sglang", {"fps": 24}, {"fps": 24}),
    ("quality", "zhipu", {}, {"quality": "speed"}),
    ("user", "zhipu", {"user": "a1b2c3d4"}, {"user_id": "a1b2c3d4"}),
    ("model", "ark", {}, {"model": "doubao-seedance-2-0-260128"}),
    ("model", "siliconflow", {}, {"model": "Wan-AI/Wan2.2-T2V-A14B"}),
]
# Fields of which nothing is in the body, although it is asked for what could make one.
ABSENT: FieldCells = [
    ("negative_prompt", "ark", {"negative_prompt": "dogs"}),
    ("negative_prompt", "zhipu", {"negative_prompt": "dogs"}),
    ("duration", "siliconflow", {"duration": 5}),
    ("seconds", "siliconflow", {"duration": 5}),
    ("aspect_ratio", "ark", {}),
    ("aspect_ratio", "zhipu", {}),
    ("resolution", "zhipu", {}),
    ("resolution", "wan", {}),
    ("size", "wan i2v", {"pictures": (FIRST,)}),
    ("size", "wan2.7", {}),
    ("ratio", "wan2.7 i2v", {"pictures": (FIRST,)}),
    ("audio", "wan2.7", {}),
    ("audio", "wan2.2", {}),
    ("generate_audio", "ark 1.0", {}),
    ("seed", "zhipu", {"seed": 7}),
    ("watermark", "vllm-omni", {}),
    ("watermark", "siliconflow", {}),
    ("enhance_prompt", "sglang", {}),
    ("fps", "ark", {"fps": 24}),
    ("execution_expires_after", "ark 2.5", {}),
    ("execution_expires_after", "ark endpoint", {}),
    ("execution_expires_after", "wan", {}),
    ("camera_fixed", "ark", {"camera_fixed": False}),
]
REFUSED: FieldCells = [
    ("duration", "ark", {"duration": 3}),
    ("duration", "ark 2.0 fast", {"duration": AUTO_SECONDS}),
    ("duration", "wan", {"duration": AUTO_SECONDS}),
    ("duration", "zhipu", {"duration": 6}),
    ("duration", "siliconflow", {"duration": 10}),
    ("resolution", "ark 2.0 fast", {"resolution": "1080p"}),
    ("resolution", "ark 1.0", {"resolution": "4k"}),
    ("resolution", "wan2.7", {"resolution": "480p"}),
    ("resolution", "siliconflow", {"resolution": "1080p"}),
    ("aspect_ratio", "wan", {"aspect_ratio": "21:9"}),
    ("aspect_ratio", "wan", {"aspect_ratio": AUTO_RATIO}),
    ("aspect_ratio", "wan2.2", {"resolution": "480p", "aspect_ratio": "4:3"}),
    ("aspect_ratio", "zhipu", {"resolution": "4k", "aspect_ratio": "9:16"}),
    ("aspect_ratio", "ark 2.5", {"aspect_ratio": "16:9", "pictures": (FIRST,)}),
    ("first_frame", "wan", {"pictures": (FIRST,)}),
    ("first_frame", "siliconflow", {"pictures": (FIRST,)}),
    ("first_frame", "wan i2v", {}),
    ("last_frame", "siliconflow i2v", {"pictures": FRAMES}),
    ("last_frame", "vllm-omni", {"pictures": FRAMES}),
    ("last_frame", "wan i2v", {"pictures": FRAMES}),
    ("last_frame", "ark", {"pictures": (LAST,)}),
    ("last_frame", "wan kf2v", {"pictures": (FIRST,)}),
    ("reference_images", "ark", {"pictures": (FIRST, SHOWN)}),
    ("reference_videos", "ark", {"pictures": (FIRST,), "reference_videos": (CLIP,)}),
    ("reference_images", "ark", {"pictures": (SHOWN,) * 10}),
    ("reference_images", "zhipu", {"pictures": (SHOWN,)}),
    ("reference_images", "siliconflow", {"pictures": (SHOWN,)}),
    ("reference_images", "vllm-omni", {"pictures": (SHOWN,)}),
    ("reference_videos", "zhipu", {"reference_videos": (CLIP,)}),
    ("reference_audios", "zhipu", {"reference_audios": (SONG,)}),
    ("reference_images", "wan r2v", {}),
    ("audio", "siliconflow", {"audio": True}),
    ("audio", "vllm-omni", {"audio": True}),
    ("audio", "ark 1.0", {"audio": True}),
    ("watermark", "siliconflow", {"watermark": True}),
    ("seed", "ark", {"seed": 2**31}),
    ("fps", "zhipu", {"fps": 25}),
    ("prompt", "zhipu", {"prompt": "A" * 513}),
    ("prompt", "ark", {"prompt": ""}),
    ("prompt", "siliconflow i2v", {"prompt": "", "pictures": (FIRST,)}),
]
NOTICED: NoticedCells = [
    ("ark", {"negative_prompt": "dogs"}, ("negative_prompt", "emulated")),
    ("ark", {"user": "a1b2c3d4"}, ("user", "dropped")),
    ("ark", {"camera_fixed": True}, ("camera_fixed", "dropped")),
    ("wan2.7", {}, ("audio", "adapted")),
    ("zhipu", {}, ("watermark", "adapted")),
    ("zhipu", {"seed": 7}, ("seed", "dropped")),
    ("zhipu", {"adapts": True, "duration": 8}, ("duration", "adapted")),
    ("siliconflow", {"adapts": True, "resolution": "1080p"}, ("resolution", "adapted")),
    ("siliconflow", {"adapts": True, "aspect_ratio": "4:3"}, ("aspect_ratio", "adapted")),
    (
        "ark 2.5",
        {"adapts": True, "aspect_ratio": "16:9", "pictures": (FIRST,)},
        ("aspect_ratio", "adapted"),
    ),
    ("siliconflow", {"adapts": True, "audio": True}, ("audio", "dropped")),
]
PATHS = {
    "ark": "/api/v3/contents/generations/tasks",
    "wan": "/api/v1/services/aigc/video-generation/video-synthesis",
    "wan2.7": "/api/v1/services/aigc/video-generation/video-synthesis",
    "zhipu": "/api/paas/v4/videos/generations",
    "siliconflow": "/v1/video/submit",
    "vllm-omni": "/v1/videos",
    "sglang": "/v1/videos",
}
COMMANDS = [
    "--dur 12",
    "--duration 12",
    "--rs 1080p",
    "--resolution 1080p",
    "--rt 9:16",
    "--seed 7",
    "--wm true",
    "--cf true",
    "--framespersecond 24",
    "--DUR 12",
]


@pytest.mark.parametrize(("row", "column", "asked", "expected"), SENT, ids=cell_name)
def test_a_field_is_sent(
    film_asker: FilmAskerOf, row: str, column: str, asked: Sent, expected: Sent
) -> None:
    assert_sent(film_asker(column), row, asked, expected)


@pytest.mark.parametrize(("name", "column", "asked"), ABSENT, ids=cell_name)
def test_a_field_is_not_sent(film_asker: FilmAskerOf, name: str, column: str, asked: Sent) -> None:
    assert_not_sent(film_asker(column), name, asked)


@pytest.mark.parametrize(("field", "column", "asked"), REFUSED, ids=cell_name)
def test_a_field_is_refused_by_its_name(
    film_asker: FilmAskerOf, field: str, column: str, asked: Sent
) -> None:
    assert_refused(film_asker(column), field, asked)


@pytest.mark.parametrize(("column", "asked", "notice"), NOTICED, ids=cell_name)
def test_the_caller_is_told(
    film_asker: FilmAskerOf, column: str, asked: Sent, notice: tuple[str, str]
) -> None:
    assert_told(film_asker(column), asked, notice)


@pytest.mark.parametrize("column", sorted(PATHS))
def test_each_protocol_has_its_path_and_key(film_asker: FilmAskerOf, column: str) -> None:
    asker = film_asker(column)

    asker.submit()

    assert asker.vendor.creates[0].path == PATHS[column]
    assert asker.vendor.creates[0].header("Authorization") == "Bearer sk-canary-of-the-key"


@pytest.mark.parametrize(
    ("column", "path"),
    [
        ("wan kf2v", "/api/v1/services/aigc/image2video/video-synthesis"),
        ("wan2.7 i2v", "/api/v1/services/aigc/video-generation/video-synthesis"),
    ],
)
def test_a_first_and_a_last_frame_have_a_path_of_their_own_up_to_wan_2_6(
    film_asker: FilmAskerOf, column: str, path: str
) -> None:
    asker = film_asker(column)

    asker.submit(pictures=FRAMES)

    assert asker.vendor.creates[0].path == path


@each(("seconds", "expiry"), [(600, 3_600), (7_200, 7_200), (400_000, 259_200)])
def test_a_task_ends_when_nobody_waits_for_it_within_what_its_vendor_takes(
    seconds: int, expiry: int
) -> None:
    model = VideoModel("m", "ark", "ark", seconds=seconds, expiry=(3_600, 259_200))

    assert fitted_video(VideoRequest("A cat"), model, "m").fields["expiry"] == expiry


def test_a_form_has_the_frame_as_a_file(film_asker: FilmAskerOf) -> None:
    sent = film_asker("vllm-omni").sent(pictures=(FIRST,))

    expected = Part("input_reference", picture(), "frame.png", "image/png")
    assert sent["input_reference"] == expected


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("column", ["ark 1.0", "ark 1.5", "ark 1.0 i2v", "ark endpoint"])
def test_commands_in_a_prompt_are_made_harmless(
    film_asker: FilmAskerOf, column: str, command: str
) -> None:
    asker = film_asker(column)
    pictures = (FIRST,) if "i2v" in column else ()

    fitted = asker.fit(f"A cat {command} on a wall", pictures=pictures)

    assert fitted.prompt == "A cat  on a wall"
    assert ("prompt", "cut") in asker.notices


def test_later_models_get_the_words_of_a_command(film_asker: FilmAskerOf) -> None:
    assert film_asker("ark").fit("A cat --dur 12").prompt == "A cat --dur 12"
