"""What the service says in English, in Chinese: by patterns that scripts and pages read alike."""

import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from llm_api.errors import InvalidRequest
from llm_api.services.measured_judge.detectable import COCO
from llm_api.settings.settings import PROJECT_ROOT
from llm_api.upstream.vendors.error_body import VendorError
from llm_api.upstream.vendors.error_meanings import REASONS, Refusal
from llm_api.web.console import assets
from llm_api.web.console.service_sentences import catalogue_from, catalogue_of, said
from tests.support.tables import each
from tests.upstream.asker import PROFILES
from tests.web.console.scripts import evaluated
from tests.web.console.sentence_sources import PLACE, Module, filled, modules

FILE = assets.FOLDER / "sentences" / "zh.json"
PROMPTS = PROJECT_ROOT / "llm_api/services/prompts"
# Where sentences come from that pages show, beside notices, which are found wherever they are made.
ROOMS = (
    *("services/prompts/", "services/judge/", "services/measured_judge/", "services/loop/"),
    *(
        "services/images/",
        "services/videos/",
        "services/keys/service.py",
        "upstream/media/fitting/",
    ),
)
# Where errors come from that notices of judging have in them.
OF_JUDGING = (
    *("services/files.py", "services/judge/", "services/quotas/budgets.py"),
    *("services/quotas/exceeded.py", "upstream/faults.py", "upstream/vendors/"),
)
# What pages say by the reason of an error, or what is said to a model, drawn, or cannot be.
FOR_NOBODY = {
    'Reads "⟨1⟩", .',
    "Nothing of the prompt could be drawn.",
    "The ⟨1⟩ must not show: ⟨2⟩.",
    *("Most important: ⟨1⟩.", "⟨1⟩. Most important: ⟨2⟩."),
    *("⟨1⟩.", "⟨1⟩. ⟨2⟩.", "⟨1⟩。 ⟨2⟩."),
    *("Wide shot.", "Medium shot.", "Low angle."),
}
# Beginnings of others.
FOR_MODELS = ("You choose the framing", "You add words for light", "Write the JSON object again")
BY_REASON = ("No image model is configured on this service.",)
# Pages send no such requests.
ELSEWHERE = ("cli/", "settings/", "web/anthropic/", "web/openai/responses/")
# Beginnings of what is no sentence: how to get something, and what a sketch does not draw.
PARTS = ("run ", "this picture ", "the color ", "the text ")
# What stands in their places is found by another test.
OPEN = {
    *("must be ⟨1⟩.", "must be left out ⟨1⟩.", "must be ⟨1⟩ of the catalogue."),
    "must be ⟨1⟩ ⟨2⟩⟨3⟩⟨4⟩ ⟨5⟩.",
}
BEHIND_ANOTHER = re.compile(rf"^{PLACE} (?=[A-Z{PLACE}])")
SIGN = re.compile(r"⟨\d+⟩")
ENGLISH = re.compile(r"\b[a-z]+ [a-z]+ [a-z]+\b")
COMMANDS = re.compile(r"(make \w+|make run|requirements/vision\.txt)")

ROOM_OF_TESTS = {
    "words": {
        "the {axis}": "{axis}轴",
        "red": "红",
        "{first:number} to {last:number}": "{first}～{last}",
    },
    "names": {"things": {"cat": "猫"}},
    "some": {
        'Reads "{text}".': "读到“{text}”。",
        "{name} is {color:said}.": "{name} 是{color}。",
        "{name} is {color:said}, as asked.": "{name} 如所要求，是{color}。",
        "must be {what:known}.": "必须是{what}。",
        "Seen: {what:list}.": "看到：{what}。",
        "There is a {thing:things}.": "有{thing}。",
        "Why: {why:said}": "原因：{why}",
        "One sees a {thing:things}": "看到{thing}",
    },
}
ALL_OF = """(sentences, rooms) => {
  const catalogue = module.catalogueOf(rooms);
  return sentences.map((one) => module.translated(one, catalogue));
}"""
CASES = (
    ('Reads "a. B".', "读到“a. B”。"),
    ('Reads "a". Reads "b".', "读到“a”。读到“b”。"),
    ('Reads "a "b".', None),
    ("It is red.", "It 是红。"),
    ("It is red, as asked.", "It 如所要求，是红。"),
    ("It is mauve.", "It 是mauve。"),
    ("One. It is red.", None),
    ("must be the width.", "必须是width轴。"),
    ("must be 4, 5 to 6.", "必须是4, 5～6。"),
    ("must be something else.", None),
    ('Seen: "a, b", red, “c, d”, x.', '看到："a, b"、红、“c, d”、x。'),
    ("There is a cat.", "有猫。"),
    ("Why: It is red. It is red.", "原因：It 是红。It 是红。"),
    ("Nobody knows this.", None),
    ("There is a toString.", "有toString。"),
    ("There is a cat. " * 11, None),
    (f"There is a {'cat' * 500}.", None),
    ("There is a cat. " * 10 + "There is a cat.", "有猫。" * 11),
    ("Seen: a. " * 10 + "Nobody knows", None),
    ("Seen: red. It is red.", "看到：红。It 是红。"),
    ("Seen: red. it is red.", "看到：红。it 是红。"),
    ("Seen: red. Nobody knows this, red.", None),
    ("Seen: red. nobody knows this.", None),
    ("Seen: red. Nobody knows this. Seen: red.", None),
    ('Seen: "a. B", “c? d”, red.', '看到："a. B"、“c? d”、红。'),
    ("Nobody knows this. it is red.", None),
    ("must be the width. Nobody knows this.", None),
    ("Why: mauve", "原因：mauve"),
    ("Why: Nobody knows this.", None),
    ("Why: It is red. Nobody knows this.", None),
    ("One sees a cat. nobody knows this", None),
)


@each(("english", "chinese"), CASES)
def test_a_sentence_is_said_by_its_pattern(english: str, chinese: str | None) -> None:
    assert catalogue_from(ROOM_OF_TESTS).translated(english) == chinese


class CountedPattern:
    """A pattern that counts how often it is asked."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        """Ask `pattern`."""
        self._pattern = pattern
        self.asked = 0

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """Ask the pattern."""
        self.asked += 1
        return self._pattern.fullmatch(text)


def test_the_work_does_not_double_with_each_sentence() -> None:
    catalogue = catalogue_from(ROOM_OF_TESTS)
    [form] = [one for one in catalogue.sentences if one.english == "Seen: {what:list}."]
    pattern = CountedPattern(form.pattern)
    counted = replace(catalogue, sentences=[replace(form, pattern=pattern)])

    counted.translated("Seen: a. " * 10 + "Nobody knows")

    assert pattern.asked < 200


def test_scripts_find_the_same() -> None:
    rooms = json.loads(FILE.read_text("utf-8"))
    mine, whole = [english for english, _ in CASES], [*every_sentence(), *every_hint()]

    found = evaluated("service_sentences.js", ALL_OF, [mine, ROOM_OF_TESTS], [whole, rooms])

    assert found[0] == [chinese for _, chinese in CASES]
    assert found[1] == [said("zh", one) for one in whole]


def test_a_page_in_english_says_what_the_service_says() -> None:
    assert said("en", "Nobody knows this.") == "Nobody knows this."


def test_each_sentence_stands_in_the_file_once_with_the_same_places() -> None:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    json.loads(FILE.read_text("utf-8"), object_pairs_hook=once)
    catalogue = catalogue_of("zh")

    for form in (*catalogue.sentences, *catalogue.words):
        places = re.findall(r"\{(\w+)\}", form.said)
        assert sorted(places) == sorted(form.kinds), form.english
    english = [form.english for form in catalogue.sentences]
    assert len(set(english)) == len(english)


@cache
def every_sentence() -> Sequence[str]:
    """Return what the service says in sentences, with signs in their places."""
    found = {text for module in modules() for text in module.notices() | _of_rooms(module)}
    fields = {
        text
        for module in modules()
        if not module.name.startswith(ELSEWHERE)
        for text in module.field_errors()
    }
    texts = {filled(BEHIND_ANOTHER.sub("", text))[0] for text in found | fields}
    left = texts - FOR_NOBODY - OPEN
    return sorted(one for one in left if not one.startswith((*FOR_MODELS, *BY_REASON)))


def _of_rooms(module: Module) -> set[str]:
    if module.name.startswith(OF_JUDGING):
        return module.sentences(with_errors=True)
    return module.sentences() if module.name.startswith(ROOMS) else set()


def doubts_on(sentences: Sequence[str]) -> Iterator[str]:
    """Yield the sentences that are not in Chinese, or not with all that stands in their places."""
    for english in sentences:
        chinese = said("zh", english)
        signs = SIGN.findall(english)
        if chinese is None or not re.search(r"[\u4e00-\u9fff]", chinese):
            yield english
        elif {*signs} - {*SIGN.findall(chinese)} or ENGLISH.search(COMMANDS.sub("", chinese)):
            yield f"{english} => {chinese}"


def test_all_that_the_source_says_is_said_in_chinese() -> None:
    sentences = every_sentence()

    assert len(sentences) > 250
    assert list(doubts_on(sentences)) == []


def test_no_pattern_is_left_of_what_nobody_says() -> None:
    texts = [*every_sentence(), *problems_of_rewrites(), *notes_on_targets(), *every_hint()]
    sentences = {*texts, *(part for text in texts for part in re.split(r"(?<=\.) ", text))}
    patterns = [form for form in catalogue_of("zh").sentences if not form.english.startswith(PARTS)]

    unsaid = [form.english for form in patterns if not any(map(form.pattern.fullmatch, sentences))]

    assert unsaid == []


def test_what_a_field_must_be_is_said_in_chinese() -> None:
    given = ("messages_for", "wrong_type", "_out_of_range", "TextFormat")
    found = {
        text
        for module in modules()
        if not module.name.startswith((*ELSEWHERE, "diagnostics/"))
        for text in module.arguments(given)
        | module.constants("expected", "_EXPECTED_MOMENT", "_EXPECTED_CURSOR")
        if text.strip(f"{PLACE} ")
    }
    nouns = ("an image model", "a video model")
    ranges = ("an integer", "a number")

    assert len(found) > 20
    assert list(doubts_on([f"must be {filled(text)[0]}." for text in sorted(found)])) == []
    assert list(doubts_on([f"must be {noun} of the catalogue." for noun in nouns])) == []
    for between in ("from ⟨1⟩ to ⟨2⟩", "over ⟨1⟩, at most ⟨2⟩"):
        assert list(doubts_on([f"must be {noun} {between}." for noun in ranges])) == []


def violations() -> dict[str, Any]:
    """Return what can be wrong with a rewrite, by its code."""
    return tomllib.loads((PROMPTS / "checks" / "violations.toml").read_text("utf-8"))


def problems_of_rewrites() -> Sequence[str]:
    """Return what is said of it, with signs in the places."""
    return [filled(row["message"].replace("{}", PLACE))[0] for row in violations().values()]


def test_what_can_be_wrong_with_a_rewrite_is_said_in_chinese() -> None:
    codes = {code.replace("_", " ") for code in (*violations(), "control_arm")}

    assert list(doubts_on(problems_of_rewrites())) == []
    assert codes == set(catalogue_of("zh").names["problems"])


def notes_on_targets() -> Sequence[str]:
    """Return what is known of target models."""
    table = tomllib.loads((PROJECT_ROOT / "config" / "targets.toml").read_text("utf-8"))
    return [row["note"] for row in table["targets"].values() if "note" in row]


def test_what_is_known_of_target_models_is_said_in_chinese() -> None:
    assert len(notes_on_targets()) > 10
    assert list(doubts_on(notes_on_targets())) == []


def refusal(sentence: str) -> Refusal:
    """Return what a vendor may have refused with a sentence."""
    return Refusal(403, VendorError(("AccessDenied",), (sentence,)))


def hints_of_vendors() -> set[str]:
    """Return the hints of the rules of vendors' errors that callers get: others are for the log."""
    rules = [rule for one in PROFILES.values() for rule in one.rules if rule.hint]
    kinds = [refusal(sentence) for sentence in ("", "No such model")]
    return {
        rule.hint
        for rule in rules
        for kind in kinds
        if isinstance(REASONS[rule.reason](kind), InvalidRequest)
    }


@cache
def every_hint() -> Sequence[str]:
    """Return all hints that callers get, with signs in their places; of sizes there are up to 3."""
    found = {text for module in modules() for text in module.hints()}
    sizes = {text for text in found if text.startswith("The nearest sizes") and PLACE in text}
    several = {text.replace(PLACE, " or ".join([PLACE] * n)) for text in sizes for n in (2, 3)}
    return sorted(filled(text)[0] for text in found | several | hints_of_vendors())


def test_what_would_help_is_said_in_chinese() -> None:
    assert len(every_hint()) > 35
    assert list(doubts_on(every_hint())) == []


def test_names_are_said_in_chinese() -> None:
    names = catalogue_of("zh").names

    assert set(names["things"]) == set(COCO)
    assert [kind for kind, all_of in names.items() if len({*all_of.values()}) < len(all_of)] == []


@each(
    ("english", "chinese"),
    [
        ("is not a picture. Send PNG.", "不是图片。请发送 PNG。"),
        ("is a web page, not a picture. Send PNG.", "是网页，不是图片。请发送 PNG。"),
    ],
)
def test_what_is_no_picture_reads_well(english: str, chinese: str) -> None:
    assert said("zh", english) == chinese


def test_how_to_get_what_cannot_be_measured_is_said_in_chinese() -> None:
    pictures = [module for module in modules() if module.name.startswith("pictures/")]
    reasons = [
        text
        for module in pictures
        for text in sorted(module.constants("_HOW_TO_GET", "_TOO_MUCH_TEXT"))
    ]

    assert len(reasons) == 3
    assert list(doubts_on(reasons)) == []
    assert list(doubts_on([f"Unavailable: {how}." for how in reasons])) == []
