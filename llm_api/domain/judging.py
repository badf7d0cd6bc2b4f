"""The nouns of judging pictures: what is asked, what was measured, and verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

VISION, MEASURED = "vision", "measured"  # methods, and sources of a finding


class Outcome(StrEnum):
    """Whether a picture satisfies one requirement; `unknown` where nobody can say."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Level(StrEnum):
    """The words in which a model judges; only we turn them into numbers."""

    BAD = "bad"
    POOR = "poor"
    FAIR = "fair"
    GOOD = "good"
    EXCELLENT = "excellent"

    @property
    def score(self) -> int:
        """The number of the word, from 0 to 100."""
        return 25 * list(Level).index(self)


@dataclass(frozen=True, slots=True)
class JudgedPicture:
    """A picture as a judge gets it: turned, without metadata, written anew as PNG or JPEG.

    `original` are the bytes that came in: traces of compression are measured there. `file_id` and
    `job_id` are of a picture that this service has made.
    """

    data: bytes = field(repr=False)
    media_type: str
    width: int
    height: int
    original: bytes = field(repr=False)
    file_id: str | None = None
    job_id: str | None = None


@dataclass(frozen=True, slots=True)
class PromptRequirement:
    """One thing that a prompt asks for, and that a picture can be held against.

    Attributes:
        kind: `text`, `count`, `object`, `color`, `position`, or `other`.
        words: the requirement as a sentence that can be answered with yes or no.
        source: the words of the prompt that it comes from.
        thing: an English noun in the singular, for `count`, `object`, `color`, `position`.
        count: how many of it; `color`: an English word; `text`: what must be read.
        relation: `left_of`, `right_of`, `above`, `below`, and `other` the second noun.
    """

    kind: str
    words: str
    source: str = ""
    thing: str | None = None
    count: int | None = None
    color: str | None = None
    text: str | None = None
    relation: str | None = None
    other: str | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """A technical flaw: its number, from where on it is one, and whether it is one here."""

    name: str
    value: float
    threshold: float
    is_set: bool


@dataclass(frozen=True, slots=True)
class ReadText:
    """A line of text in a picture; `box` is left, top, right, bottom, each from 0 to 1."""

    text: str
    confidence: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class SeenObject:
    """An object in a picture, by its English name in COCO; `box` as in `ReadText`."""

    label: str
    confidence: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Measurements:
    """What was measured in a picture, without a model that understands it.

    `texts` and `objects` are None where they were not looked for. `unavailable` says of each part
    that is not installed how to get it. `versions` are those of the models that were used.
    """

    width: int
    height: int
    flags: tuple[Flag, ...] = ()
    texts: tuple[ReadText, ...] | None = None
    objects: tuple[SeenObject, ...] | None = None
    unavailable: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class CheckpointVerdict:
    """Whether a picture passes a checkpoint; `source` is `vision` or `measured`."""

    text: str
    outcome: Outcome
    evidence: str | None = None
    source: str = VISION
    kind: str = "other"


@dataclass(frozen=True, slots=True)
class DimensionScore:
    """The score of one dimension, from 0 to 100; `spread` is over the samples."""

    score: float
    level: Level
    evidence: str | None = None
    spread: float = 0.0


@dataclass(frozen=True, slots=True)
class PictureIssue:
    """A flaw that a model has named, such as `anatomy`, `minor`, `left hand`."""

    type: str
    severity: str | None = None
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one picture.

    Attributes:
        method: `vision`, or `measured` without a vision model: no overall and no scores then.
        passed: whether the picture is accepted; None where nobody can say.
        overall: from 0 to 100.
        coverage: the share of checkpoints whose outcome is known, from 0 to 1.
        confidence: `high`, `medium`, `low`; None where the picture may not have been seen.
        safety_note: what a careful publisher should know of the content; None for nothing.
        rubric_language: `en` or `zh`.
        cost_micro: millionths of `currency`, 0 for what was only measured; None: not known.
    """

    method: str
    passed: bool | None = None
    overall: float | None = None
    scores: Mapping[str, DimensionScore] = field(default_factory=dict)
    checkpoints: tuple[CheckpointVerdict, ...] = ()
    issues: tuple[PictureIssue, ...] = ()
    coverage: float | None = None
    confidence: str | None = None
    samples_used: int = 0
    summary: str | None = None
    model: str | None = None
    rubric_version: str | None = None
    rubric_language: str | None = None
    safety_note: str | None = None
    measurements: Measurements | None = None
    warnings: tuple[str, ...] = ()
    cost_micro: int | None = None
    currency: str | None = None

    @property
    def may_be_unseen(self) -> bool:
        """Whether the vision model may not have seen it: what it says then decides nothing."""
        return self.method == VISION and self.confidence is None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which of two pictures is the better one.

    Attributes:
        winner: its place in the request, 0 or 1; None for a tie.
        votes: of every call, in the order of the calls: a place, or None for a tie.
        is_consistent: whether all votes are the same, whichever picture came first.
        confidence: as in `Verdict`.
        summary: why, in the model's words.
    """

    winner: int | None
    votes: tuple[int | None, ...]
    is_consistent: bool
    confidence: str | None = None
    samples_used: int = 0
    summary: str | None = None
    model: str | None = None
    rubric_version: str | None = None
    rubric_language: str | None = None
    warnings: tuple[str, ...] = ()
    cost_micro: int | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    """Pictures in their order, by a tournament in which each meets each other.

    Attributes:
        ranking: their places in the request, the best first.
        wins: of each picture, in the order of the request, the pairs it has won; a tie is a half.
        is_consistent: whether no pair was decided by the order of its pictures.
        confidence: as in `Verdict`.
    """

    ranking: tuple[int, ...]
    wins: tuple[float, ...]
    is_consistent: bool
    confidence: str | None = None
    samples_used: int = 0
    model: str | None = None
    rubric_version: str | None = None
    rubric_language: str | None = None
    warnings: tuple[str, ...] = ()
    cost_micro: int | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """A request for a verdict.

    Attributes:
        pictures: one to score, two to compare, up to eight to rank.
        prompt: what the picture was to show; None for its quality alone.
        dimensions: names of the rubric; empty for all that apply.
        checkpoints: sentences that can be answered with yes or no, of the caller.
        requirements: those that were read from the prompt.
        samples: how often the model is asked.
        detail: `auto`, `low` or `high`.
        language: of the rubric and the reasoning: `en`, `zh`, or `auto` for the prompt's.
        threshold: from which `overall` on a picture passes.
    """

    pictures: tuple[JudgedPicture, ...]
    prompt: str | None = None
    dimensions: tuple[str, ...] = ()
    checkpoints: tuple[str, ...] = ()
    requirements: tuple[PromptRequirement, ...] = ()
    reference: JudgedPicture | None = None
    samples: int = 1
    detail: str = "auto"
    language: str = "auto"
    threshold: float = 60.0
    includes_reasoning: bool = True
    model: str | None = None
