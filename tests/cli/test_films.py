"""`flask --app wsgi videos …`: films from the command line, with the configuration at hand."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from llm_api.cli.film_jobs import FILMS
from llm_api.cli.new_files import OutFile
from tests.conftest import AppOf
from tests.support.film_upstream import FilmVendor, write_quick_config
from tests.support.films import film
from tests.support.image_scene import Scene
from tests.support.pictures import noise
from tests.support.replies import Reply, json_reply
from tests.support.tables import each

Film = Callable[..., Result]
MODEL = "doubao-seedance-1-0-pro-250528"
SHOTS = [
    {"number": 1, "seconds": 4, "prompt": "Mara walks.", "negative_prompt": ""},
    {"number": 2, "seconds": 5, "prompt": "Mara stops.", "negative_prompt": "rain"},
    {"number": 3, "seconds": 3, "prompt": "Tom calls.", "negative_prompt": None},
]
SENSITIVE = {"code": "InputTextSensitiveContentDetected", "message": "It is refused."}


@pytest.fixture
def vendor() -> Iterator[FilmVendor]:
    """Run Ark, whose films are done at the first look."""
    with FilmVendor("ark") as running:
        running.studio.polls_needed = 0
        yield running


@pytest.fixture
def films(app_of: AppOf, vendor: FilmVendor, tmp_path: Path) -> Film:
    """Run `videos` with arguments, in an application of that vendor, and in a folder of its own."""
    config = tmp_path / "root" / "config"
    config.unlink()
    write_quick_config(config)
    env = {
        "VIDEO_LLM_API_URL": vendor.url,
        "VIDEO_LLM_API_KEY": "sk-canary",
        "VIDEO_LLM_MODEL": MODEL,
        "VIDEO_LLM_PROFILE": "volcengine-ark",
        "FILES_URL": (tmp_path / "files").as_uri(),
    }
    app = app_of(env)

    def run(*arguments: str, text: str | None = None) -> Result:
        return app.test_cli_runner().invoke(args=["videos", *arguments], input=text)

    return run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a picture and a storyboard."""
    path = tmp_path / "work"
    path.mkdir()
    (path / "kite.png").write_bytes(noise((64, 64), "PNG"))
    (path / "pier.json").write_text(json.dumps({"storyboard": {"shots": SHOTS}}))
    monkeypatch.chdir(path)
    return path


def written(folder: Path) -> list[str]:
    """Return the names of the films in a folder."""
    return sorted(path.name for path in folder.iterdir() if path.suffix in FILMS.types)


def test_a_film_is_written_as_the_vendor_has_made_it(
    films: Film, vendor: FilmVendor, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = film(width=128, height=72, seconds=2)
    vendor.serve(data, "video/mp4")

    ran = films("generate", "A kite", "--out", "kite.mp4", "--seconds", "3", "--ratio", "9:16")

    assert (ran.exit_code, ran.stdout) == (0, "kite.mp4\n"), ran.output
    assert (folder / "kite.mp4").read_bytes() == data
    asked = vendor.creates[0].json
    assert (asked["duration"], asked["ratio"], asked["resolution"]) == (3, "9:16", "720p")
    assert f"{MODEL} makes video_" in ran.stderr
    assert "call" not in caplog.messages
    assert re.search(r": succeeded, \d+ s$", ran.stderr, re.MULTILINE)


def test_every_option_reaches_the_vendor(films: Film, vendor: FilmVendor, folder: Path) -> None:
    options = "--resolution 1080p --seed 0 --camera-fixed --watermark --return-last-frame"
    frames = "--first-frame kite.png --last-frame kite.png --out kite.mp4 --json"

    ran = films("generate", *options.split(), *frames.split())

    document = json.loads(ran.stdout)
    asked = vendor.creates[0].json
    roles = [one["role"] for one in asked["content"] if one["type"] != "text"]
    assert roles == ["first_frame", "last_frame"]
    wanted = {"resolution": "1080p", "seed": 0, "watermark": True, "camera_fixed": True}
    assert {name: asked[name] for name in wanted} == wanted
    assert document["files"] == ["kite.mp4"]
    assert f"last frame: {document['result']['last_frame_url']}" in ran.stderr
    assert written(folder) == ["kite.mp4"]


def test_a_film_of_another_format_has_its_own_ending(
    films: Film, vendor: FilmVendor, folder: Path
) -> None:
    vendor.serve(film(brand=b"qt  "), "video/quicktime")

    assert films("generate", "A kite", "--out", "kite.mp4").stdout == "kite.mov\n"
    assert written(folder) == ["kite.mov"]


def test_a_download_that_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"half"
        message = "away"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="away"):
        OutFile(tmp_path / "a.mp4", FILMS.types, is_forced=False).write(pieces(), "video/mp4", None)

    assert written(tmp_path) == []


@each(
    ("arguments", "said"),
    [
        (["A kite", "--out", "kite.png"], "--out must end in one of .mp4"),
        (["A kite", "--out", "none/kite.mp4"], "folder that exists"),
        (["A kite", "--out", "there.mp4"], "there.mp4 is there already"),
        (["A kite", "--out", "a.mp4", "--seconds", "long"], "must be a number of seconds, or auto"),
        (["A kite", "--out", "a.mp4", "--seconds", "13"], "must be 2 to 12 seconds"),
        (["A kite", "--out", "a.mp4", "--ratio", "2:1"], "Invalid value for '--ratio'"),
        (["A kite", "--out", "a.mp4", "--last-frame", "kite.png"], "without first_frame"),
        (["A kite", "--out", "a.mp4", "--first-frame", "none.png"], "none.png cannot be read"),
        (["A", "--out", "a.mp4", "--first-frame", "/api/v1/files/file_none"], "a file of yours"),
        (["A kite", "--out", "a.mp4", "--audio"], "audio: is not taken by this model"),
        (["A kite", "--out", "a.mp4", "--max-cost", "0.5"], "max_cost_micros"),
        (["--out", "a.mp4"], "prompt: is required"),
        (["A kite"], "Missing option '--out'"),
    ],
)
def test_a_wrong_argument_costs_nothing(
    films: Film, vendor: FilmVendor, folder: Path, arguments: list[str], said: str
) -> None:
    (folder / "there.mp4").write_bytes(b"")

    ran = films("generate", *arguments)

    assert ran.exit_code == 2, ran.output
    assert said in ran.stderr
    assert vendor.requests == []


def test_a_refusal_says_why_and_writes_nothing(
    films: Film, vendor: FilmVendor, folder: Path
) -> None:
    vendor.on("create", json_reply(400, {"error": SENSITIVE}))

    ran = films("generate", "A kite", "--out", "kite.mp4", "--json")

    assert ran.exit_code == 1
    assert json.loads(ran.stdout)["error"]["details"]["reason"] == "content_filtered"
    assert "sk-canary" not in ran.output
    assert written(folder) == []


def test_a_film_that_has_expired_is_a_failure(
    films: Film, vendor: FilmVendor, folder: Path
) -> None:
    vendor.says("expired")

    ran = films("generate", "A kite", "--out", "kite.mp4")

    assert (ran.exit_code, ran.stdout, written(folder)) == (1, "", [])
    assert "Error: " in ran.stderr


def test_a_film_that_is_late_is_named(films: Film, vendor: FilmVendor, folder: Path) -> None:
    vendor.studio.polls_needed = 100_000

    ran = films("generate", "A kite", "--out", "kite.mp4", "--wait", "0.3")

    assert (ran.exit_code, ran.stdout, written(folder)) == (3, "", [])
    assert "`videos show video_" in ran.stderr


def test_each_shot_becomes_a_numbered_file(films: Film, vendor: FilmVendor, folder: Path) -> None:
    ran = films("storyboard", "pier.json", "--out", "pier.mp4", "--first-frame", "kite.png")

    assert (ran.exit_code, ran.stdout) == (0, "pier-1.mp4\npier-2.mp4\npier-3.mp4\n"), ran.output
    assert written(folder) == ["pier-1.mp4", "pier-2.mp4", "pier-3.mp4"]
    asked = {call.json["duration"]: call.json["content"] for call in vendor.creates}
    assert {seconds: len(content) for seconds, content in asked.items()} == {4: 2, 5: 1, 3: 1}
    assert asked[4][0]["text"] == "Mara walks."
    assert "rain" in asked[5][0]["text"]


def test_connected_shots_begin_with_the_last_picture_of_the_one_before(
    films: Film, vendor: FilmVendor, folder: Path
) -> None:
    # A model that makes nothing from words alone.
    model = ["--model", "doubao-seedance-1-0-lite-i2v-250428", "--first-frame", "kite.png"]
    arguments = ["storyboard", "pier.json", "--out", "pier.mp4", "--connected", "--ratio", "1:1"]

    ran = films(*arguments, *model, "--shot", "2", "--shot", "3", "--json")

    document = json.loads(ran.stdout)
    assert ran.exit_code == 0, ran.output
    assert [one["file"] for one in document["shots"]] == ["pier-2.mp4", "pier-3.mp4"]
    assert written(folder) == ["pier-2.mp4", "pier-3.mp4"]
    first, second = (call.json for call in vendor.creates)
    assert (first["ratio"], second["ratio"]) == ("1:1", "adaptive")
    assert [one.get("role") for one in second["content"]] == [None, "first_frame"]
    assert first["return_last_frame"] is second["return_last_frame"] is True


def refusing(vendor: FilmVendor, words: str) -> None:
    """Have the vendor refuse prompts with some words."""

    def answer(scene: Scene) -> Reply:
        if words in scene.request.json["content"][0]["text"]:
            return json_reply(400, {"error": SENSITIVE})
        return vendor.dialect.create(scene)

    vendor.on("create", *[answer] * 10)


@pytest.mark.parametrize("options", [[], ["--connected"]], ids=["at once", "connected"])
def test_what_is_missing_of_a_storyboard_can_be_filmed_later(
    films: Film, vendor: FilmVendor, folder: Path, options: list[str]
) -> None:
    refusing(vendor, "Mara stops.")

    ran = films("storyboard", "pier.json", "--out", "pier.mp4", *options)

    assert ran.exit_code == 4, ran.output
    assert "Shot 2 was not made: " in ran.stderr
    lost = "--shot 2 --shot 3" if options else "--shot 2"
    assert f"The same command with {lost} films what is missing." in ran.stderr
    assert written(folder) == (["pier-1.mp4"] if options else ["pier-1.mp4", "pier-3.mp4"])


def test_a_storyboard_of_which_nothing_was_made_is_a_failure(
    films: Film, vendor: FilmVendor, folder: Path
) -> None:
    refusing(vendor, "")

    ran = films("storyboard", "pier.json", "--out", "pier.mp4", "--shot", "2", "--json")

    shots = json.loads(ran.stdout)["shots"]
    assert (ran.exit_code, written(folder)) == (1, [])
    assert shots[0]["error"]["details"]["reason"] == "content_filtered"


def test_a_storyboard_that_is_late_is_not_finished(
    films: Film, vendor: FilmVendor, folder: Path
) -> None:
    vendor.studio.polls_needed = 100_000

    ran = films("storyboard", "pier.json", "--out", "pier.mp4", "--wait", "0.1")

    assert (ran.exit_code, ran.stdout, written(folder)) == (3, "", [])
    assert ran.stderr.count("`videos show video_") == 3
    assert "films what is missing" not in ran.stderr


def board(*shots: Any) -> str:
    return json.dumps({"storyboard": {"shots": shots}})


@each(
    ("text", "options", "said"),
    [
        ("[", [], "FILE must be what `optimize --type storyboard --json` has written."),
        ("[]", [], "FILE must be what"),
        (json.dumps({"optimized_prompt": "A cat"}), [], "FILE must be what"),
        (board({"number": 1, "seconds": 4}), [], "FILE must be what"),
        (board(), [], "The storyboard has no shots."),
        (board(*SHOTS), ["--shot", "4"], "The storyboard has 3 shots, and no 4."),
        (board(SHOTS[0], {**SHOTS[1], "seconds": 13}), [], "Shot 2: duration: must be 2 to 12"),
        (board(*SHOTS), ["--connected", "--reference", "kite.png"], "no references stand beside"),
        (board(*SHOTS), ["--resolution", "4k"], "Shot 1: resolution: must be one of"),
        (board(*SHOTS), ["--shot", "2", "--out", "there.mp4"], "there-2.mp4 is there already"),
    ],
)
def test_a_wrong_storyboard_costs_nothing(
    films: Film, vendor: FilmVendor, folder: Path, text: str, options: list[str], said: str
) -> None:
    (folder / "there-2.mp4").write_bytes(b"")

    ran = films("storyboard", "-", "--out", "pier.mp4", *options, text=text)

    assert ran.exit_code == 2, ran.output
    assert said in ran.stderr
    assert vendor.requests == []
