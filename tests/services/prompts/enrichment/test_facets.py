"""Phrases are offered where they are right, and every example is one that could be chosen."""

import itertools
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.prompts.rows import OWN_SET
from llm_api.services.prompts.enrichment.composition import composed, scenes_of
from llm_api.services.prompts.enrichment.facets import Facets, Phrase, all_facets
from llm_api.services.prompts.strategies.instructions import InstructedStrategy
from llm_api.services.prompts.task import Task
from llm_api.services.prompts.validation import RewriteValidator
from tests.services.prompts.asking import KINDS, task_of

FACETS = all_facets()
VALIDATOR = RewriteValidator(InstructedStrategy().instructions)


def offered(task: Task) -> dict[str, list[Phrase]]:
    """Return the phrases that a prompt is offered, by the names of their facets."""
    facets = FACETS.open_for(task.request.type, task.source, scenes_of(task))
    return {facet.name: list(facet.phrases) for facet in facets}


def all_phrases(kind: str) -> Iterator[tuple[str, Phrase]]:
    for facet in FACETS.of_kind[kind]:
        for row in facet.rows:
            yield from ((facet.name, phrase) for phrase in row.phrases)


@pytest.mark.parametrize("kind", KINDS)
def test_no_phrase_breaks_a_check(kind: str) -> None:
    broken = []
    for prompt in ("a thing", "一样东西"):
        task = task_of(prompt, kind)
        for name, phrase in all_phrases(kind):
            violations = VALIDATOR.validate_composed(task, composed(task, [phrase])).violations
            codes = {violation.code for violation in violations} - {"too_short"}
            broken += [(name, phrase, codes)] if codes else []

    assert broken == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_phrase_brings_in_no_thing(kind: str) -> None:
    # Light, framing, color, surface, movement and camera only, in words that are no animals,
    # people, numbers or names of places.
    words = re.compile(
        r"\b(man|woman|people|person|child\w*|cat|dog|bird|car|tree|house|table|window|flower|lamp"
        r"|two|three|candle|star|moon|fog machine|crowd)s?\b"
    )
    brought = [phrase.en for _, phrase in all_phrases(kind) if words.search(phrase.en)]

    assert brought == []


def test_what_was_enriched_once_has_nothing_open() -> None:
    # So that it is not asked about again; whichever phrases were chosen.
    rows = [json.loads(line) for line in Path(OWN_SET).read_text("utf-8").splitlines()]
    chance = random.Random(1)  # noqa: S311  # no secret
    left = []
    for row, at_sentence in itertools.product(rows, (False, True)):
        prompt = row["prompt"] + ("。" if at_sentence and row["language"] == "zh" else "")
        task = task_of(prompt, row["type"])
        once = composed(task, [chance.choice(each) for each in offered(task).values()])
        again = offered(task_of(once, row["type"]))
        left += [(once, again)] if again else []

    assert left == []


# Nothing of this is a matter of taste: the phrase would be wrong.
# prompt, kind, what is never offered, what is
FITTING = [
    ("a cyberpunk street vendor", "image", "earthy|daylight|sunlight|natural", "neon"),
    (
        "line art of a fox",
        "image",
        "focus|lens|light|fur|depth of field",
        "line work|black on white",
    ),
    ("app screenshot of a bank", "image", "light|lens|focus|depth", "grid|hierarchy"),
    ("a logo for a bakery", "image", "daylight|lens|focus|appetizing", "margins|small"),
    ("pixel art of a castle", "image", "lens|focus|brush", "pixel"),
    ("a company logo in red", "image", "few flat colors|restrained", "solid colors"),
    ("a detective, film noir", "image", "tones|colors|palette", "framing"),
    ("a city square at night", "image", "daylight|sunlight|studio", "shadows"),
    ("rain on a street at noon", "image", "sunlight|warm|sun", "wet|overcast"),
    ("a whale underwater", "image", "daylight|studio|window|overcast", "water"),
    ("an astronaut in orbit", "image", "daylight|trees|water|overcast", "black|shadows"),
    ("an astronaut in the forest", "image", "deep black|vast", "leaves|trees"),
    ("snow on the mountains", "image", "warm|leaves|green", "cold|cool|winter"),
    ("a forest in autumn", "image", "green", "amber|autumn"),
    ("a subway platform", "image", "daylight|sun", "artificial"),
    ("a cat to the left of a dog", "image", "centered|expression,|single", "clear"),
    ("three red apples", "image", "centered|single|warm|cool", "close"),
    ("a red car", "image", "restrained palette|earthy", "view"),
    ("a mountain valley", "image", "close|studio|window|centered", "panoramic|wide"),
    ("a castle in watercolor", "image", "lens|focus|material", "washes|tones"),
    ("a glass vase on a beach", "image", "seamless|studio", "water|coastal|daylight"),
    ("a rocket launching", "video", "still|motionless|calm|drifting|sway", "accelerat|climbing"),
    ("a car racing", "video", "still|static|slow|calm|gently", "tracking"),
    ("a cat sleeping", "video", "lively|quick|fast|strides|leap", "breathing"),
    (
        "a man stands at a wall",
        "video",
        "strides|walk|quick|fast|leap",
        "natural movements|still|less",
    ),
    ("a woman dancing", "video", "motionless|still", "rhythmic"),
    ("leaves falling", "video", "rising|upward|accelerat|still", "drifting down"),
    ("a balloon rises", "video", "falling|down|strides", "rising|drift"),
    ("a river", "video", "still|strides|breathing", "flowing"),
    ("a chair", "video", "strides|breathing|natural movements|lively", "camera"),
    ("a boat on a lake, pan left", "video", "push-in|static|orbit", "shot"),
    ("a candle in the dark", "video", "daylight|sun|wide|fast", "flicker"),
    ("slow motion of a runner", "video", "quick|fast|speed", "shot"),
    ("a motorcycle chase", "video", "strides|breathing|slow", "streaming|full speed"),
    ("fog rolling over a forest", "video", "lively|handheld|quick", "drifting"),
    ("a stream running over stones", "video", "strides|lively|tracking", "stream"),
    ("an octopus swimming over the sea floor", "video", "coastal|sun", "water"),
    ("a breakdancer spinning", "video", "slow, constant", "rhythmic"),
    ("a pair of headphones on a stand", "video", "wide", "close-up"),
    ("a jar of face cream", "image", "skin|expression|portrait", "studio"),
    ("an eagle catching a fish", "video", "playful", "shot"),
    ("a monk meditating", "video", "controlled movement|quick", "unhurried|motionless"),
    ("a lighthouse under the stars", "image", "street", "night"),
    ("rolling hills", "image", "shutter|freezing", "panoramic|wide"),
    ("a gymnast on a beam", "image", "mid-length|half-length|shallow", "full-body|dynamic"),
    ("汽车飞驰", "video", "静|缓|轻柔", "高速|全速"),
    ("火箭升空", "video", "静置|停住|飘落|轻柔", "上升|直冲"),
    ("一只猫在睡觉", "video", "高速|迅捷|有力|蓄力", "呼吸"),
    ("樱花飘落", "video", "上升|高速|静止", "飘落"),
    ("深夜的城市", "image", "自然光|窗光|棚拍|天光|日光", "光|影"),
    ("赛博朋克街头", "image", "大地|自然光|日光", "霓虹"),
    ("线稿风格的小猫", "image", "毛发|景深|对焦|光", "黑白|留白"),
    ("水墨山水", "image", "画布|对焦|景深", "墨|留白|笔触"),
    ("登录界面截图", "image", "光线|对焦|景深|棚拍", "网格|层级"),
    ("雪山", "image", "温暖|暖|绿意", "冷|清冽|冬日"),
]


def test_what_is_offered_fits_the_prompt() -> None:
    wrong = []
    for prompt, kind, never, wanted in FITTING:
        task = task_of(prompt, kind)
        texts = [
            getattr(phrase, "zh" if task.language == "zh" else "en")
            for phrases in offered(task).values()
            for phrase in phrases
        ]
        wrong += [(prompt, text) for text in texts if re.search(never, text)]
        wrong += [] if any(re.search(wanted, text) for text in texts) else [(prompt, wanted)]

    assert wrong == []


@pytest.mark.parametrize("prompt", ["a chart of sales", "a logo of a running horse"])
def test_what_does_not_move_gets_no_motion(prompt: str) -> None:
    assert "motion" not in offered(task_of(prompt, "video"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_examples_are_taken_from_the_phrases(kind: str) -> None:
    wrong = []
    for example in FACETS.examples[kind]:
        can_be = offered(task_of(example.prompt, kind))
        for name, chosen in example.chosen.items():
            if chosen not in [phrase.en for phrase in can_be.get(name, [])]:
                wrong.append((example.prompt, name, chosen))

    assert wrong == []


def test_what_was_added_is_told_by_its_facet() -> None:
    added = FACETS.added("image", "a cat by lamp light", "A cat by lamp light, close-up, 85mm lens")

    assert list(added) == ["composition", "camera"]


SCENES = '[words]\nnight = "night, nights | 夜"\n[implied]\nunlit = "night"\n'
TABLE = """
example = []
[[facet]]
name = "lighting"
kinds = ["image"]
already = "(?i)light|光"
rows = [{{ in = "{scene}", phrases = ["{phrase}"] }}]
"""
BROKEN = {
    "scene": (TABLE.format(scene="nigth", phrase="soft light | 柔光"), SCENES, "unknown scenes"),
    "escape": (TABLE.format(scene="night", phrase="(soft) light | 柔光"), SCENES, "English"),
    "chinese": (TABLE.format(scene="night", phrase="soft light"), SCENES, "Chinese"),
    "evidence": (TABLE.format(scene="night", phrase="soft shade | 柔光"), SCENES, "already"),
    "implied": (TABLE, SCENES.replace('"night"', '"nigth"'), "not known"),
    "verb": (TABLE, SCENES.replace("nights", "fall~ asleep"), "single verb"),
}


def test_the_table_of_the_tests_can_be_read() -> None:
    facets = Facets(TABLE.format(scene="night", phrase="soft light | 柔光"), SCENES)

    assert facets.scenes.find("a cat at night") == {"night", "unlit"}
    assert [facet.name for facet in facets.open_for("image", "", frozenset({"night"}))] == [
        "lighting"
    ]


@pytest.mark.parametrize("name", BROKEN)
def test_a_table_that_breaks_its_rules_is_refused(name: str) -> None:
    text, scenes, reason = BROKEN[name]
    text = text.format(scene="night", phrase="soft light | 柔光") if text is TABLE else text

    with pytest.raises(ValueError, match=reason):
        Facets(text, scenes)
