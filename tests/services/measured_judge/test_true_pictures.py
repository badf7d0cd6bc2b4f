"""The measured judge with its true meter: sketches, whose layout is known, and posters."""

import pytest
from PIL import Image

from llm_api.domain.judging import CheckpointVerdict, Outcome
from llm_api.domain.making import Size
from llm_api.pictures.pictures import Pictures
from llm_api.services.measured_judge import MeasuredJudge, verdict_of_measured
from llm_api.services.prompts import requirements_of
from tests.pictures import making, texts
from tests.pictures.measuring import judged, needs_packages, needs_samples
from tests.services.images.layout_sketch.asking import files, sketch

pytestmark = needs_packages

# What is drawn, by what was wanted.
MISSPELT = {
    "Grand Opening": "Grand Openinng",
    "COFFEE HOUSE": "COFFE HOUSR",
    "Happy Birthday": "Happy Brithday",
    "Welcome": "Welcom",
    "RESTAURANT": "RESTARAUNT",
    "No Parking": "No Parkking",
    "Summer Festival": "Summer Festval",
    "Limited Edition": "Limitted Edition",
    "Fresh Bread": "Fresh Braed",
    "Thank You": "Thnak You",
    "OPEN 24 HOURS": "OPEN 24 HUORS",
    "SALE 50% OFF": "SALE 60% OFF",
    "EXIT": "EXTI",
    "生日快乐": "生日快了",
    "欢迎光临": "欢迎光顾临",
    "营业时间": "营业间时",
    "春江水暖鸭先知": "春江水暖鸦先知",
    "请勿触摸展品": "请勿触模展品",
    "手工咖啡": "手工加啡",
    "新年快乐": "新年快樂",
    "禁止停车": "禁止亭车",
    "今日特价": "今日待价",
    "中秋团圆": "中秋团园",
    "安全出口": "安全出日",
}
PASSED, FAILED = Outcome.PASSED, Outcome.FAILED
SIZE = Size(1024, 1024)


def drawn(pictures: Pictures, prompt: str, size: Size = SIZE) -> Image.Image:
    """Return the sketch of a prompt."""
    return making.opened(files(sketch(pictures, prompt, size=size))[0])


def verdicts(judge: MeasuredJudge, image: Image.Image, prompt: str) -> list[CheckpointVerdict]:
    """Hold a picture against a prompt."""
    return list(judge.judge(judged(image), requirements_of(prompt), [])[1])


@pytest.mark.parametrize(
    ("text", "size"),
    [("OPEN 24 HOURS", SIZE), ("Fresh Bread", Size(1280, 720)), ("Thank You!", Size(512, 512))],
)
def test_a_text_that_a_sketch_writes_is_read(
    judge: MeasuredJudge, pictures: Pictures, text: str, size: Size
) -> None:
    prompt = f'A red cat left of a blue dog, with a sign that says "{text}"'

    found = verdicts(judge, drawn(pictures, prompt, size), prompt)

    assert [one.outcome for one in found if one.kind == "text"] == [PASSED]


@pytest.mark.parametrize(
    "prompt",
    [
        '"SALE" at the top, a red car',
        'a red car, and at the bottom it says "SALE"',
        "车，顶部写着“SALE”",
    ],
)
def test_a_sketch_has_its_text_where_the_prompt_wants_it(
    judge: MeasuredJudge, pictures: Pictures, prompt: str
) -> None:
    found = verdicts(judge, drawn(pictures, prompt), prompt)

    assert {one.outcome for one in found if one.kind in {"text", "position"}} == {PASSED}


def test_a_sketch_of_a_misspelt_text_fails(judge: MeasuredJudge, pictures: Pictures) -> None:
    image = drawn(pictures, 'a sign that says "OPEN 24 HUORS"')

    measured, found = judge.judge(judged(image), requirements_of('"OPEN 24 HOURS"'), [])

    assert [one.outcome for one in found] == [FAILED]
    assert verdict_of_measured(measured, found).passed is False


def test_of_a_sketch_s_shapes_nothing_is_claimed(judge: MeasuredJudge, pictures: Pictures) -> None:
    prompt = "three red cats left of a blue dog"

    found = verdicts(judge, drawn(pictures, prompt), prompt)

    assert FAILED not in {one.outcome for one in found}


@needs_samples
def test_right_texts_pass_in_both_languages(judge: MeasuredJudge) -> None:
    outcomes = [
        one.outcome
        for poster in texts.posters()
        for one in verdicts(judge, poster.image, " ".join(f"“{text}”" for text in poster.texts))
        if one.kind == "text"
    ]

    assert len(outcomes) == 36
    assert outcomes.count(PASSED) >= 0.85 * len(outcomes)
    assert FAILED not in outcomes


@needs_samples
def test_every_misspelling_is_reported(judge: MeasuredJudge) -> None:
    wanted = {drawn: right for right, drawn in MISSPELT.items()}

    missed = [
        one.text
        for poster in texts.posters(tuple(wanted))
        for one in verdicts(
            judge, poster.image, " ".join(f"“{wanted[text]}”" for text in poster.texts)
        )
        if one.outcome is not FAILED
    ]

    assert missed == []
