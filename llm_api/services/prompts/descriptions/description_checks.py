"""Checks what a vision model wrote about a picture: by the form that every rewrite must have."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from llm_api.domain.calls import Completion
from llm_api.services.prompts.checks.comparison import compare
from llm_api.services.prompts.checks.formatting import (
    find_form_violations,
    has_markup,
)
from llm_api.services.prompts.checks.violations import Violation, violation_of
from llm_api.services.prompts.repair.removal import fitted
from llm_api.services.prompts.repair.sentences import sentences
from llm_api.services.prompts.repair.token_cuts import MANY_TOKENS, read_whole
from llm_api.services.prompts.strategies import reply_parser
from llm_api.services.prompts.strategies.instructions import is_whole
from llm_api.services.prompts.task import Task
from llm_api.services.prompts.text import SENTENCE_STOPS, has_sentences, without_quotes, words_of
from llm_api.services.prompts.validation import LeakFinder, ValidationResult

_MAX_WORDS_OF_TAG = 12
_MIN_TAGS = 3
# What the table has of rewrites in other words than that.
_MESSAGES = {"refusal": "The model refused to describe the picture."}
_MIN_WORDS = 3  # "A red square."; less is an answer to something else
_WITHOUT_STOPS = frozenset({"th", "lo"})  # a gap ends a sentence there
_WORD = re.compile(r"\w+")
_SIGNS_OF_WORD = 4  # at most, in a script without gaps between words
_TAG_CUT = re.compile(r"[,，、;；]")
# Of one who has no picture, or speaks of the task; "World War I" is of neither.
_SPEAKS = re.compile(
    r"\bI(?:['’](?:m|ll|ve|d)\b| (?:am|can|could|do|don|see|need|will|would|have|notice|apolog)\w*)"
    r"|(?i:\bplease (?:provide|upload|share|send|attach|note|let)\b"
    r"|\bno (?:image|picture|photo)\b.{0,30}\b(?:attached|provided|given|uploaded)\b)"
    r"|(?:没有|未)(?:看到|收到|提供|上传)(?:任何)?(?:图|照)|请(?:您|上传|提供|重新|发送)|我(?:看|无法|可以|没有|能)|您"
)
_OPENING = re.compile(
    r"(?:(?:the|this) (?:image|picture|photo|photograph|illustration|video|scene) "
    r"(?:shows|depicts|features|portrays|captures|presents|displays)"
    r"|in (?:the|this) (?:image|picture|photo), (?:there (?:is|are)|we see))\s+"
    # The same in the languages in which a picture is most often described otherwise.
    r"|(?:(?:la |esta )?imagen muestra|l['’]image (?:montre|représente)|(?:das|dieses) bild zeigt"
    r"|l['’]immagine mostra|a imagem mostra|(?:de|deze) afbeelding toont"
    r"|(?:obraz|zdjęcie) pokazuje)\s+"
    r"|на (?:картинке|изображении|фото) (?:изображен\w*|показан\w*|видн\w)\s+"
    r"|(?:この)?画像(?:に)?は、?|(?:이|이 )?(?:이미지|사진)(?:는|은|에는)\s+"
    r"|(?:这|该|此)?(?:张|幅)?(?:图片|图像|照片|画面|图)(?:中|里|上)?(?:展示了|显示了|描绘了|呈现了|展现了|是|有)\s*",
    re.IGNORECASE,
)


class DescriptionChecks:
    """Reads replies, corrects by code what can be corrected so, and finds what is wrong."""

    def __init__(self, instructions: Sequence[str]) -> None:
        """Keep what is said to models and must not come back."""
        self._leaks = LeakFinder(instructions)

    def read(self, task: Task, completion: Completion) -> Sequence[ValidationResult]:
        """Return the descriptions in a reply, the usable ones first; at least one result."""
        results = [ValidationResult("", [violation_of("truncated")])]
        if is_whole(completion):
            results = [
                self._repaired(task, text) for text in reply_parser.find_prompts(completion.text)
            ]
            results = results or [ValidationResult("", [violation_of("empty")])]
        results.sort(key=lambda result: not result.is_usable)
        return [
            replace(result, violations=[_of_description(one) for one in result.violations])
            for result in results
        ]

    def _repaired(self, task: Task, text: str) -> ValidationResult:
        repairs = []
        if (bare := _without_opening(text)) != text:
            text, repairs = bare, ["opening_removed"]
        if task.wanted.is_tags and (tags := _as_tags(text)) != text:
            text, repairs = tags, [*repairs, "joined_as_tags"]
        result = self._checked(task, text)
        shorter = _shortened(task, result)
        if shorter != text:
            result, repairs = self._checked(task, shorter), [*repairs, "shortened"]
        return replace(result, repairs=tuple(repairs))

    def _checked(self, task: Task, text: str) -> ValidationResult:
        if _word_count(text) < _MIN_WORDS:
            return ValidationResult(text, [violation_of("empty")])
        found = [*self._foreign(task, text), *_form(task, text)]
        found.sort(key=lambda violation: not violation.is_hard)
        return ValidationResult(text, list(dict.fromkeys(found)))

    def _foreign(self, task: Task, text: str) -> Iterator[Violation]:
        """Find what cannot come from looking at a picture."""
        if self._leaks.is_leaked(text, task.source):
            yield violation_of("instructions_leaked")
        if has_markup(text, task.source):
            yield violation_of("markup")
        # Who sees no picture asks for one.
        if spoken := _SPEAKS.search(without_quotes(text)):
            yield violation_of("preamble", spoken[0])


def _of_description(violation: Violation) -> Violation:
    """Return a violation whose sentence for the caller is about a description."""
    message = _MESSAGES.get(violation.code) or violation.message.replace("rewrite", "description")
    return replace(violation, message=message)


def _form(task: Task, text: str) -> Iterator[Violation]:
    yield from find_form_violations(compare(task.source, text, task.wanted, task.constraints))
    if task.tokens.is_passed_by(text):
        yield violation_of(MANY_TOKENS, task.tokens.limit)
    if not task.wanted.is_tags:
        if not has_sentences(text) and task.language not in _WITHOUT_STOPS:
            yield violation_of("not_sentences")
        return
    tags = _TAG_CUT.split(without_quotes(text))
    if len(tags) < _MIN_TAGS or any(len(tag.split()) > _MAX_WORDS_OF_TAG for tag in tags):
        yield violation_of("not_tags")


def _word_count(text: str) -> int:
    """Return how many words a text has at least, in any script."""
    if text.isascii():
        return len(words_of(text))
    counts = (len(words_of(text)), len(_WORD.findall(text)), len(text) // _SIGNS_OF_WORD)
    return max(counts)


def _without_opening(text: str) -> str:
    """Return a text without "The picture shows"."""
    found = _OPENING.match(text)
    if found is None:
        return text
    rest = text[found.end() :]
    return f"{rest[:1].upper()}{rest[1:]}"


def _as_tags(text: str) -> str:
    """Return sentences as phrases with commas between them; what is quoted stays."""
    parts = (part.rstrip(f"{SENTENCE_STOPS} ,") for part in sentences(text))
    return ", ".join(part for part in parts if part)


def _shortened(task: Task, result: ValidationResult) -> str:
    """Return a description without the end that is too long or cut off."""
    text = _within_length(task, result)
    return read_whole(task, text) if MANY_TOKENS in result.codes else text


def _within_length(task: Task, result: ValidationResult) -> str:
    text, limit = result.rewrite, task.wanted.max_length
    if limit is None or not result.codes & {"too_long", "truncated"}:
        return text
    if not task.wanted.is_tags:
        return fitted(task, text, result.codes)
    while len(text) > limit and "," in text:
        text = text.rpartition(",")[0].rstrip(" ,")
    return text
