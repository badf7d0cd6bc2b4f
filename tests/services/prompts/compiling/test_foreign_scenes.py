"""A scene for a prompt that our vocabulary cannot read, and what of it nobody could miss."""

import json
import re
from typing import Any

import pytest

from llm_api.domain.prompts import OptimizedPrompt, PromptRequest
from tests.services.calls import CALLER, ListSink
from tests.services.prompts.asking import optimizer_of
from tests.services.prompts.dialects.scenes import FOX_SCENE, FOXES
from tests.support import replies
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream

SPANISH = 'Los pescadores en el hielo al amanecer, un cartel que dice "ABIERTO", acuarela'
SCENE: dict[str, Any] = {
    "summary": 'Fishermen sit on the ice beside a sign that says "ABIERTO"',
    "style": "watercolor",
    "things": [{"what": "fishermen sitting on the ice"}, {"what": "a wooden sign"}],
    "texts": [{"text": "ABIERTO", "look": "red letters"}],
    "setting": "a frozen lake",
    "light": "pale dawn light",
    "camera": "wide shot",
}
TRADITIONAL = {
    "summary": "兩隻紅色狐狸站在雪地裡",
    "things": [{"what": "兩隻紅色狐狸", "look": "毛皮厚實"}],
    "texts": [{"text": "營業中", "look": "白色大字"}],
    "light": "晨光",
    "beats": ["狐狸抬頭", "狐狸跑開"],
    "camera": "中景",
}


class Asker:
    """Asks an optimizer before a scripted upstream."""

    def __init__(self, upstream: ScriptedUpstream) -> None:
        """Ask before an upstream."""
        self.upstream = upstream

    def optimize(
        self, prompt: str, kind: str = "image", *, scene: dict[str, Any], **fields: Any
    ) -> OptimizedPrompt:
        """Return the answer where the model plans this scene, whatever it is called."""
        names = ("scene_en", "scene_zh", "scene_zh-Hant")
        reply = replies.completion(json.dumps(dict.fromkeys(names, scene)))
        self.upstream.script(reply, reply)
        optimizer = optimizer_of(self.upstream, ListSink())
        return optimizer.optimize(PromptRequest(prompt, kind, **fields), CALLER).answer

    def made(self, prompt: str, kind: str = "image", **fields: Any) -> list[str]:
        """Return the prompt of each target."""
        return [
            one.optimized_prompt for one in self.optimize(prompt, kind, **fields).rewrites or ()
        ]


@pytest.fixture
def asker(upstream: ScriptedUpstream) -> Asker:
    return Asker(upstream)


def test_a_style_that_cannot_be_read_is_kept_in_the_models_words(asker: Asker) -> None:
    targets = ("sdxl", "midjourney", "ideogram-4", "fibo")

    made = asker.made(SPANISH, scene=SCENE, targets=targets)

    assert [("watercolor" in one, '"photograph"' in one) for one in made] == [(True, False)] * 4


def test_a_style_in_another_language_is_translated_by_the_model(asker: Asker) -> None:
    scene = {"things": ["two red foxes in the snow"], "light": "neon light", "style": "cyberpunk"}

    for fields in ({"style": "赛博朋克"}, {}):
        prompt = "two red foxes in the snow" + ("" if fields else ", 赛博朋克")
        [made] = asker.made(prompt, scene=scene, targets=("midjourney",), **fields)
        assert made == "two red foxes in the snow, neon light, cyberpunk"


def test_a_style_in_the_language_of_the_rewrite_is_the_users(asker: Asker) -> None:
    [made] = asker.made(SPANISH, scene=SCENE, targets=("midjourney",), style="gouache")

    assert made.endswith(", gouache")


def test_the_subject_is_not_cut_out_of_a_scene_that_cannot_be_compared(asker: Asker) -> None:
    things = [{"what": 'fishermen beside a sign "CERRADO"'}, {"what": "a wooden sign"}]

    made = asker.made(
        SPANISH, scene={**SCENE, "things": things}, targets=("midjourney", "sdxl", "fibo")
    )

    assert made == [SPANISH] * 3


def test_things_that_the_summary_does_not_name_are_checked_in_json(asker: Asker) -> None:
    things = [*FOX_SCENE["things"], {"what": "a man with a camera"}]

    made = asker.made(FOXES, scene={**FOX_SCENE, "things": things}, targets=("ideogram-4", "fibo"))

    assert [("camera" in one.replace("camera_", ""), "birches" in one) for one in made] == [
        (False, True)
    ] * 2


def test_traditional_chinese_has_chinese_marks(asker: Asker) -> None:
    prompt = "雪地裡的兩隻紅色狐狸，招牌寫著「營業中」"

    made = asker.made(
        prompt, "video", scene=TRADITIONAL, targets=("kling", "veo", "minimax-h3"), language="zh-TW"
    )

    assert made[0] == (
        "兩隻紅色狐狸站在雪地裡。兩隻紅色狐狸，毛皮厚實。文字“營業中”，白色大字。晨光。中景。\n"
        "0-2秒：狐狸抬頭。\n2-5秒：狐狸跑開。"
    )
    assert not any("the text" in one or ". " in one for one in made)


def test_chinese_tags_have_no_english_words(asker: Asker) -> None:
    [made] = asker.made(
        SPANISH,
        scene={"things": ["冰上的渔夫", "木牌"], "texts": ["ABIERTO"], "light": "晨光"},
        targets=("midjourney",),
        language="zh",
    )

    assert made == "冰上的渔夫, 木牌, 文字“ABIERTO”, 晨光"


def test_a_picture_has_no_sequence_of_moments(asker: Asker) -> None:
    scene = {**FOX_SCENE, "beats": ["they look up", "they run away"]}

    made = asker.made(FOXES, scene=scene, targets=("midjourney", "sdxl"))

    assert not any("run away" in one for one in made)
    assert all("birches" in one for one in made)


def test_what_chinese_flags_exclude_is_said_once(asker: Asker) -> None:
    scene = {"things": ["a fox in the snow"], "light": "soft light"}

    [made] = asker.made(
        "雪地里的狐狸 --no 人，文字 --ar 16:9", scene=scene, targets=("midjourney",)
    )

    assert made == "a fox in the snow, soft light --ar 16:9 --no 人, 文字"


def test_tags_that_load_something_are_no_length_that_a_translation_must_exceed(
    asker: Asker,
) -> None:
    prompt = "dos zorros rojos, <lora:snow_and_more_snow:0.8>, nieve"
    scene = {"things": ["two red foxes", "deep fresh snow"], "light": "soft light from the left"}

    made, _ = asker.made(prompt, scene=scene, targets=("sdxl", "midjourney"))

    assert made.startswith("two red foxes, deep fresh snow, soft light from the left")
    assert "<lora:snow_and_more_snow:0.8>" in made


ASTRAY = [
    {"light": "suave luz dorada del atardecer"},
    {"setting": "заснеженный лес вдали"},
    {"camera": "低角度の広い構図"},
    {
        "things": [
            *FOX_SCENE["things"],
            {"what": "a wooden sign", "look": "verwittertes dunkles Holz"},
        ]
    },
]


@each("piece", ASTRAY)
def test_a_piece_in_another_language_is_left_out_of_a_scene(
    asker: Asker, piece: dict[str, Any]
) -> None:
    asker.upstream.clear()

    made = asker.made(
        FOXES, scene={**FOX_SCENE, **piece}, targets=("midjourney", "ideogram-4", "sdxl")
    )

    text = json.dumps(piece, ensure_ascii=False)
    astray = re.search(r"suave luz|заснеженный|低角度|verwittertes", text)
    assert astray
    assert len(asker.upstream.requests) == 1
    assert [astray[0] in one for one in made] == [False] * 3
    assert all("birches" in one or "setting" in piece for one in made)


def test_a_thing_in_another_language_is_named_again_or_the_prompt_comes_back(asker: Asker) -> None:
    things = [{"what": "pescadores sentados sobre el hielo"}, {"what": "a wooden sign"}]

    made = asker.made(SPANISH, scene={**SCENE, "things": things}, targets=("midjourney", "fibo"))

    assert made == [SPANISH] * 2
    assert len(asker.upstream.requests) == 2
    told = asker.upstream.requests[1].json["messages"][-1]["content"]
    assert "The prompt must be written in English throughout." in told


def test_names_and_terms_of_other_languages_stay(asker: Asker) -> None:
    scene = {**FOX_SCENE, "light": "chiaroscuro", "camera": "shot on Kodak Portra 400, bokeh"}

    [made] = asker.made(FOXES, scene=scene, targets=("midjourney",))

    assert "chiaroscuro" in made
    assert "Kodak Portra 400" in made
