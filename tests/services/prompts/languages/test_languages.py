"""Prompts in thirty and more languages are rewritten, and what drifts is noticed."""

from functools import cache

import pytest

from llm_api.domain.prompts import RewriteRequirements
from llm_api.services.prompts.checks.all_checks import find_violations
from llm_api.services.prompts.language import is_written_in, language_of
from llm_api.services.prompts.languages.tags import canonical, name_of
from llm_api.services.prompts.repair.repairer import Repairer
from llm_api.services.prompts.strategies.instructions import InstructedStrategy
from llm_api.services.prompts.task import Task
from llm_api.services.prompts.validation import RewriteValidator, ValidationResult
from tests.services.prompts.asking import task_of
from tests.services.prompts.languages.bench import (
    Row,
    drifts,
    fluent,
    fluent_drifts,
    held_out,
    rows,
)
from tests.support.tables import each

# The languages of the bench are told apart, except for neighbors that a few words do not tell.
NEIGHBORS = (
    {"da", "no", "sv"},
    {"id", "ms", "it"},
    {"es", "ca"},
    {"ru", "bg", "sr", "uk"},
    {"hi", "mr"},
)
MIN_DELIVERED = 0.97


@cache
def validator() -> RewriteValidator:
    return RewriteValidator(InstructedStrategy().instructions)


def delivered(task: Task, rewrite: str) -> ValidationResult:
    """Return a rewrite as its caller gets it."""
    result = validator().validate(task, rewrite)
    return result if result.is_usable else Repairer(validator()).thoroughly(task, result)


def is_delivered(row: Row) -> bool:
    """Whether a good rewrite reaches its caller word for word."""
    result = delivered(task_of(row.prompt), row.rewrite)
    return result.is_usable and result.rewrite == row.rewrite


def test_the_bench_has_twelve_prompts_in_each_of_thirty_languages() -> None:
    found = list(rows())

    languages = {row.language for row in found}
    assert len(languages) >= 30
    assert all(
        len({row.prompt for row in found if row.language == language}) >= 12
        for language in languages
    )


def test_good_rewrites_are_delivered_word_for_word() -> None:
    refused = [str(row) for row in rows() if not is_delivered(row)]

    assert refused == []


def test_good_rewrites_that_were_written_after_the_checks_are_delivered() -> None:
    found = list(held_out())
    refused = [str(row) for row in found if not is_delivered(row)]

    assert len(refused) <= (1 - MIN_DELIVERED) * len(found), refused


def test_rewrites_that_drift_are_noticed() -> None:
    passed = [
        f"{code}: {text}"
        for row in rows()
        for code, text in drifts(row)
        if code not in validator().validate(task_of(row.prompt), text).codes
    ]

    assert passed == []


def test_the_language_of_a_prompt_is_told() -> None:
    wrong = {
        row.prompt: language_of(row.prompt)
        for row in [*rows(), *held_out()]
        if language_of(row.prompt) != row.language
        and not any({language_of(row.prompt), row.language} <= like for like in NEIGHBORS)
    }

    assert wrong == {}


@pytest.mark.parametrize(
    "prompt",
    [
        "two red foxes in the snow",
        "masterpiece, best quality, 1girl, neon lights",
        "ramen shop in Shibuya, 赛博朋克 style",
        "Frida Kahlo painting a self portrait in Coyoacán",
        "a wman with a hat",
        "Pikachu",
        "café terrace, Provence, golden hour",
    ],
)
def test_english_stays_english_with_foreign_names(prompt: str) -> None:
    assert language_of(prompt) == "en"


@pytest.mark.parametrize(
    ("prompt", "language"),
    [
        ("東京駅、夜桜、雨", "ja"),
        ("四個漁夫坐在結冰的湖面上", "zh-Hant"),
        ("四个渔夫坐在结冰的湖面上", "zh"),
        ("赛博朋克城市, neon, best quality", "zh"),
        ("氷の上の四人の漁師", "ja"),
    ],
)
def test_kanji_do_not_pass_for_chinese(prompt: str, language: str) -> None:
    assert language_of(prompt) == language


STYLES = {
    ("a samurai in the rain", "赛博朋克"): "Cyberpunk samurai in the rain, neon light",
    ("a samurai in the rain, neon", "赛博朋克"): "赛博朋克 style samurai in the rain, neon light",
    ("a samurai on a hill", "吉卜力风"): "Studio Ghibli style samurai on a hill",
    ("a samurai", "acuarela"): "Watercolor of a samurai",
    ("un gato", "acuarela"): "Watercolor of a cat",
    ("一只猫", "acuarela"): "一只猫，水彩风格",
    ("a cat, primer plano", None): "Close-up of a cat, soft light",
    ("a cat, 特写", None): "Close-up of a cat, soft light",
    ("一只猫，vaporwave", None): "一只猫，蒸汽波风格，柔和的光线",
}


def test_style_and_camera_may_be_worded_in_another_language() -> None:
    wrong = {}
    for (prompt, style), rewrite in STYLES.items():
        language = "en" if rewrite[0].isascii() or rewrite.startswith("赛") else "zh"
        wanted = RewriteRequirements("image", language, style=style)
        wrong[prompt, style] = [found.code for found in find_violations(prompt, rewrite, wanted)]

    assert {key: codes for key, codes in wrong.items() if codes} == {}


def test_the_fishermen_stay_in_the_picture() -> None:
    task = task_of("Cuatro pescadores sentados sobre el hielo de un lago helado al amanecer")
    with_a_fault = (
        'Four fishermen sit on the ice of a frozen lake at dawn beside a sign "FISH".'
        " Pale dawn light spreads over the frozen surface."
    )

    result = delivered(task, with_a_fault)

    assert result.codes == {"quote_added"}
    assert result.rewrite == with_a_fault


@pytest.mark.parametrize(
    ("prompt", "refusal"),
    [
        ("Un gato en la ventana", "Lo siento, no puedo ayudar con eso en este momento, de verdad."),
        ("Кот сидит на окне", "Извините, я не могу помочь с этой просьбой прямо сейчас."),
        ("窓辺の猫が眠っている", "申し訳ありませんが、窓辺の猫のご依頼にはお応えできません。"),
        ("Eine Katze am Fenster", "Es tut mir leid, dabei kann ich mit der Katze nicht helfen."),
    ],
)
def test_a_refusal_in_the_language_of_the_prompt_is_one(prompt: str, refusal: str) -> None:
    assert "refusal" in validator().validate(task_of(prompt), refusal).codes


@pytest.mark.parametrize(
    ("prompt", "rewrite"),
    [
        ("Dos gatos en la ventana", "OK"),
        ("Dos gatos en la ventana", "Dos gatos en la ventana"),
        ("Dos gatos en la ventana", "Please tell me what you would like me to draw."),
        ("قطتان على النافذة", "قطتان على النافذة, soft light, warm tones"),
        (
            "Dos gatos en la ventana",
            "Aquí está el prompt mejorado: dos gatos en la ventana.",
        ),
    ],
)
def test_what_is_no_rewrite_is_not_delivered(prompt: str, rewrite: str) -> None:
    assert not delivered(task_of(prompt), rewrite).is_usable


@pytest.mark.parametrize(
    ("prompt", "rewrite", "language", "is_right"),
    [
        ("a cat on a sill", "Un gato descansa en el alféizar con luz suave.", "es", True),
        ("a cat on a sill", "A cat rests on the sill in soft morning light.", "es", False),
        ("a cat on a sill", "窓辺で眠る猫、柔らかな朝の光。", "ja", True),
        ("a cat on a sill", "一只猫睡在窗台上，晨光柔和。", "ja", False),
        ("Eine Katze", "A cat rests on the sill in soft morning light.", "en", True),
        ("Eine Katze", "Eine Katze liegt im weichen Licht auf der Fensterbank.", "en", False),
    ],
)
def test_a_rewrite_is_in_the_language_that_was_asked_for(
    prompt: str, rewrite: str, language: str, *, is_right: bool
) -> None:
    assert is_written_in(rewrite, language, prompt) is is_right


@pytest.mark.parametrize(
    ("tag", "known", "name"),
    [
        ("pt-BR", "pt", "Portuguese (pt-BR)"),
        ("ZH-tw", "zh-Hant", "Traditional Chinese (ZH-tw)"),
        ("zh-Hant", "zh-Hant", "Traditional Chinese"),
        ("iw", "he", "Hebrew"),
        ("mi", "mi", "Maori"),
        ("qaa", "qaa", "the language with the tag qaa"),
    ],
)
def test_a_language_is_called_by_its_name(tag: str, known: str, name: str) -> None:
    assert canonical(tag) == known
    assert name_of(tag) == name


NEON = "A fox stands in a city at night, cyberpunk style, neon light reflecting on its fur, medium"
NEON += " shot, wet street behind it, soft haze between tall buildings"
SNOW = (
    "狐狸站在雪地里，赛博朋克风格，电影感光线从左侧照来，毛皮纹理清晰，背景是白桦林，中景，宁静。"
)
MIXED = [
    ("A fox in a city, 赛博朋克", NEON, "en"),
    ("fox in city, 赛博朋克", NEON, "en"),
    ("狐狸在雪地里，cyberpunk style, cinematic lighting", SNOW, "zh"),
]


@each(("prompt", "rewrite", "language"), MIXED)
def test_a_prompt_in_two_languages_may_be_answered_in_either(
    prompt: str, rewrite: str, language: str
) -> None:
    result = delivered(task_of(prompt), rewrite)

    assert (result.is_usable, result.rewrite) == (True, rewrite)
    assert task_of(prompt).answered_in(rewrite).language == language


def test_a_prompt_in_one_language_may_not() -> None:
    asked = task_of("A fox in a city, 赛博朋克", language="en")

    assert not delivered(asked, SNOW).is_usable
    assert not delivered(task_of("A fox in a city"), SNOW).is_usable


@each(
    ("prompt", "language"),
    [
        ("A fox in a city, 赛博朋克", "en"),
        ("A fox in a city, مائي", "en"),
        ("iPhone 手机在桌子上", "zh"),
        ("一张海报写着 The End of the World", "zh"),
    ],
)
def test_words_of_another_script_do_not_turn_a_prompt(prompt: str, language: str) -> None:
    assert language_of(prompt) == language


def test_simplified_signs_are_not_what_taiwan_writes() -> None:
    task = task_of("雪地里的两只红色狐狸", language="zh-TW")
    mainland = (
        "雪地里站着两只红色狐狸，柔和的晨光从左侧照来，毛皮纹理清晰，背景是白桦林，中景，宁静。"
    )
    taiwan = (
        "雪地裡站著兩隻紅色狐狸，柔和的晨光從左側照來，毛皮紋理清晰，背景是白樺林，中景，寧靜。"
    )

    assert [delivered(task, text).is_usable for text in (mainland, taiwan)] == [False, True]


def test_fluent_rewrites_in_the_language_of_the_prompt_are_delivered_word_for_word() -> None:
    found = list(fluent())
    refused = [str(row) for row in found if not is_delivered(row)]

    assert len({row.language for row in found}) >= 12
    assert len(found) >= 12 * 12
    assert refused == []


def test_a_fluent_rewrite_that_changes_a_number_a_text_a_person_or_a_denial_is_noticed() -> None:
    found = list(fluent_drifts())
    passed = [
        f"{row.language} {code}: {text}"
        for row, text, code in found
        if code not in validator().validate(task_of(row.prompt), text).codes
    ]

    assert len(found) >= 90
    assert passed == []
