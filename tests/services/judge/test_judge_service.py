"""A judge never makes up a score, whatever its model answers."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from threading import Event
from typing import Any, cast

import pytest

from llm_api.domain.calls import CallReport
from llm_api.domain.judging import (
    JudgedPicture,
    Measurements,
    Outcome,
    PromptRequirement,
    ReadText,
    Verdict,
)
from llm_api.errors import ApiError, ContentFiltered, InvalidRequest, UpstreamFault
from llm_api.pictures.facts import PicturesUnavailable
from llm_api.services.judge import Measuring
from llm_api.services.judge.judge_service import NOT_MEASURED
from llm_api.services.judge.picture_parts import NOT_SEEN
from llm_api.services.judge.questions import quality_question
from llm_api.services.measured_judge import MeasuredJudge
from llm_api.services.routing.catalogue import Destination
from llm_api.upstream.behavior import BUNDLED_MODEL
from tests.services.judge.courtroom import (
    CALLER,
    PROFILES,
    QUIET,
    RUBRICS,
    Answer,
    Blind,
    Court,
    Parameters,
    Seer,
    asked_of,
    court_of,
    picture_of,
    pictures_of,
    request_of,
)
from tests.support.judge import alignment, preference, quality

ALIGNED, FINE = json.dumps(alignment("good")), json.dumps(quality("good"))
GOOD = {"alignment": ALIGNED, "quality": FINE}


def answering(first: Answer, then: Answer | None = None) -> Callable[[Parameters], Answer]:
    """Return a model that answers the question of alignment so, and once more when it is asked."""

    def answer(parameters: Parameters) -> Answer:
        if asked_of(parameters) != "alignment":
            return Answer(GOOD[asked_of(parameters)])
        return first if then is None or len(parameters["messages"]) == 2 else then

    return answer


def score(court: Court, **more: Any) -> Verdict:
    """Score a picture with a prompt."""
    return court.judge.score(request_of(**{"prompt": QUIET, **more}), CALLER).answer


def refused(court: Court, **more: Any) -> ApiError:
    """Return the error of a picture that cannot be scored."""
    with pytest.raises(ApiError) as caught:
        score(court, **more)
    return caught.value


UNREADABLE: Mapping[str, Answer] = {
    "prose": Answer("The picture is good."),
    "empty": Answer(""),
    "a refusal in words": Answer("I'm sorry, I can't judge this picture; it is bad."),
    "a level that is none": Answer(ALIGNED.replace("good", "great")),
    "a missing dimension": Answer('{"dimensions": {}}'),
    "cut off": Answer(ALIGNED[:-30]),
    "whole, and cut off all the same": Answer(ALIGNED, "length"),
    "whole, and ended for a reason that is a number": Answer(ALIGNED, 2),
    "interrupted": Answer(ALIGNED, "insufficient_system_resource"),
    "two that differ": Answer(ALIGNED + ALIGNED.replace("good", "bad")),
    "a number": Answer("75"),
    "null": Answer("null"),
}
READABLE: Mapping[str, Answer] = {
    "fenced": Answer(f"```json\n{ALIGNED}\n```"),
    "single quotes": Answer(repr(alignment("good"))),
    "trailing commas": Answer(ALIGNED.replace('"}', '",}')),
    "thinking around it": Answer(f"<think>bad?</think>{ALIGNED}"),
    "without a reason for the end": Answer(ALIGNED, None),
}


@pytest.mark.parametrize("fault", UNREADABLE)
def test_what_cannot_be_read_is_asked_for_once_more_and_then_refused(fault: str) -> None:
    court = court_of(answering(UNREADABLE[fault]))

    error = refused(court)

    assert (error.status, error.reason) == (502, "judge_unparsable")
    assert isinstance(error, UpstreamFault)
    assert [len(asked["messages"]) for asked in court.seer.asked] == [2, 4]
    assert not [n for n in ("25", "50", "75", "100") if n in error.message]


@pytest.mark.parametrize("fault", UNREADABLE)
def test_a_repaired_answer_is_used_as_it_is(fault: str) -> None:
    court = court_of(answering(UNREADABLE[fault], Answer(json.dumps(alignment("poor")))))

    verdict = score(court)

    assert verdict.scores["alignment"].score == 25
    assert [len(asked["messages"]) for asked in court.seer.asked] == [2, 4, 2]


@pytest.mark.parametrize("form", READABLE)
def test_forms_that_say_the_same_need_no_second_call(form: str) -> None:
    court = court_of(answering(READABLE[form]))

    verdict = score(court)

    assert verdict.scores["alignment"].score == 75
    assert len(court.seer.asked) == 2


FILTERED: Mapping[str, Answer] = {
    "by its reason": Answer("", "content_filter"),
    "with a score in it": Answer(ALIGNED, "content_filter"),
    "a refusal of its own": Answer("", message={"refusal": "I cannot look at this."}),
    "Ark's sign": Answer(ALIGNED, choice={"moderation_hit_type": "violence"}),
}


@pytest.mark.parametrize("form", FILTERED)
def test_a_content_filter_is_never_a_low_score(form: str) -> None:
    court = court_of(answering(FILTERED[form]))

    error = refused(court)

    assert isinstance(error, ContentFiltered)
    assert (error.status, error.reason, len(court.seer.asked)) == (400, "content_filtered", 1)


def test_a_filter_that_refuses_the_repair_is_one_too() -> None:
    court = court_of(answering(Answer("?"), Answer("", "content_filter")))

    assert isinstance(refused(court), ContentFiltered)


def test_a_sample_that_cannot_be_read_does_not_count() -> None:
    replies = iter(["?", "?", ALIGNED, ALIGNED])

    def answer(parameters: Parameters) -> Answer:
        is_alignment = asked_of(parameters) == "alignment"
        return Answer(next(replies) if is_alignment else FINE)

    verdict = score(court_of(answer), samples=3)

    assert verdict.samples_used == 2
    assert verdict.scores["alignment"].score == 75
    assert verdict.warnings == ("1 answers of the model could not be read and do not count.",)


def test_a_model_that_takes_no_pictures_is_refused_by_its_name() -> None:
    def answer(parameters: Parameters) -> Answer:
        BUNDLED_MODEL.check(parameters)
        return Answer(ALIGNED)

    error = refused(court_of(answer))

    assert isinstance(error, InvalidRequest)
    assert (error.reason, error.fields[0].field) == ("not_supported", "model")
    assert error.message == "model: must be a model that takes pictures."


def test_pictures_that_are_refused_are_named_as_they_were_sent() -> None:
    def answer(_: Parameters) -> Answer:
        raise InvalidRequest.of_field("messages", "must be smaller.", reason="upstream_rejected")

    court = court_of(answer)
    with pytest.raises(InvalidRequest) as of_pair:
        court.judge.compare(request_of(picture_of(1), picture_of(2)), CALLER)

    assert refused(court).message == "image: must be smaller."
    assert of_pair.value.message == "images: must be smaller."


def test_a_large_picture_is_sent_whole() -> None:
    data = bytes(range(256)) * 20_000
    picture = JudgedPicture(data, "image/png", 1_024, 1_024, data)
    court = court_of(lambda p: Answer(GOOD[asked_of(p)]))

    court.judge.score(request_of(picture), CALLER)

    (sent,) = pictures_of(court.seer.asked[0])
    assert base64.b64decode(sent.removeprefix("data:image/png;base64,"), validate=True) == data


def test_an_error_has_the_report_of_all_calls_before_it() -> None:
    def answer(parameters: Parameters) -> Answer:
        if asked_of(parameters) == "quality":
            raise InvalidRequest("No.", reason="upstream_rejected")
        return Answer(ALIGNED, tokens=2_000)

    error = refused(court_of(answer))

    assert error.reason == "upstream_rejected"
    assert error.report is not None
    assert len(error.report.attempts) == 2
    assert error.report.usage.prompt_tokens == 2_000


def test_a_call_is_a_row_and_the_rows_share_a_lineage() -> None:
    court = court_of(answering(Answer("?"), Answer(ALIGNED)))

    score(court)

    rows = court.sink.ended
    assert [row.request_id for row in rows] == ["request-1", "request-1-2"]
    assert {row.lineage_id for row in rows} == {"request-1"}
    assert [row.attempts for row in rows] == [2, 1]


def test_what_the_prompt_requires_is_asked_as_a_checkpoint() -> None:
    court = court_of(lambda p: Answer(GOOD[asked_of(p)]))

    refused(court, prompt="Three red cats on a sofa")

    told = court.seer.asked[0]["messages"][1]["content"][-1]["text"]
    assert "Are there exactly 3 cats?" in told


def test_requirements_that_the_request_has_take_the_place_of_those_read() -> None:
    wanted = PromptRequirement("object", "Is there a cat?", thing="cat")
    said = json.dumps(alignment("good", ["no", "yes"]))
    court = court_of(answering(Answer(said)))

    verdict = score(court, prompt="Three dogs", requirements=(wanted,), checkpoints=["Is it dark?"])

    outcomes = {one.text: one.outcome for one in verdict.checkpoints if one.source == "vision"}
    assert outcomes == {"Is it dark?": Outcome.FAILED, "Is there a cat?": Outcome.PASSED}
    assert verdict.passed is False


# --- pairs ---


def preferring(choose: Callable[[Sequence[str]], str]) -> Callable[[Parameters], Answer]:
    """Return a model that prefers the picture that a function chooses."""
    return lambda parameters: Answer(json.dumps(preference(choose(pictures_of(parameters)))))


def darker(pictures: Sequence[str]) -> str:
    """Prefer the picture with the smaller shade."""
    first, second = pictures
    if first == second:
        return "tie"
    return "first" if first < second else "second"


@pytest.mark.parametrize("word", ["first", "second"])
def test_a_judge_that_prefers_a_place_decides_nothing(word: str) -> None:
    court = court_of(preferring(lambda _: word))

    found = court.judge.compare(request_of(picture_of(1), picture_of(2)), CALLER).answer

    assert (found.winner, found.is_consistent, found.confidence) == (None, False, "low")
    assert set(found.votes) == {0, 1}


@pytest.mark.parametrize(("shades", "winner"), [((1, 2), 0), ((2, 1), 1), ((1, 1), None)])
def test_a_judge_that_looks_finds_the_same_winner_in_either_place(
    shades: tuple[int, int], winner: int | None
) -> None:
    court = court_of(preferring(darker))

    found = court.judge.compare(request_of(*map(picture_of, shades)), CALLER).answer

    assert (found.winner, found.is_consistent, found.confidence) == (winner, True, "high")
    assert found.votes == (winner, winner)


def test_a_pair_is_shown_in_both_orders() -> None:
    court = court_of(preferring(darker))

    court.judge.compare(request_of(picture_of(1), picture_of(2)), CALLER)

    first, second = map(pictures_of, court.seer.asked)
    assert first == second[::-1]


def test_more_samples_of_a_pair_outvote_one_that_disagrees() -> None:
    said = iter(["first", "second", "first", "first", "first", "second"])
    court = court_of(preferring(lambda _: next(said)))

    found = court.judge.compare(request_of(picture_of(1), picture_of(2), samples=3), CALLER).answer

    assert found.votes == (0, 0, 0, 1, 0, 0)
    assert (found.winner, found.is_consistent) == (0, False)


def test_a_pair_of_which_one_answer_cannot_be_read_has_no_winner() -> None:
    said = iter(["first", "both", "both"])
    court = court_of(preferring(lambda _: next(said)))

    with pytest.raises(UpstreamFault, match="no score"):
        court.judge.compare(request_of(picture_of(1), picture_of(2)), CALLER)


def test_a_ranking_does_not_depend_on_the_order_of_the_request() -> None:
    for shades in permutations((1, 2, 3, 4)):
        court = court_of(preferring(darker))

        found = court.judge.rank(request_of(*map(picture_of, shades)), CALLER).answer

        assert [shades[place] for place in found.ranking] == [1, 2, 3, 4]
        assert [found.wins[shades.index(shade)] for shade in (1, 2, 3, 4)] == [3, 2, 1, 0]
        assert (found.is_consistent, found.confidence) == (True, "high")


def test_a_judge_that_always_prefers_the_first_ranks_nobody_by_place() -> None:
    orders = set()
    for shades in permutations((1, 2, 3)):
        court = court_of(preferring(lambda _: "first"))

        found = court.judge.rank(request_of(*map(picture_of, shades)), CALLER).answer

        assert found.wins == (1, 1, 1)  # half a win of each pair
        assert (found.is_consistent, found.confidence) == (False, "low")
        orders.add(tuple(shades[place] for place in found.ranking))
    assert len(orders) == 1


def test_pictures_meet_in_an_order_that_their_contents_decide() -> None:
    met = []
    for shades in ((1, 2, 3), (3, 2, 1)):
        court = court_of(preferring(darker))
        court.judge.rank(request_of(*map(picture_of, shades)), CALLER)
        met.append([pictures_of(asked) for asked in court.seer.asked])

    assert met[0] == met[1]
    assert len(met[0]) == 6


def test_eight_pictures_meet_in_56_calls() -> None:
    court = court_of(preferring(darker))

    report = court.judge.rank(request_of(*map(picture_of, range(8))), CALLER).report

    assert len(court.seer.asked) == 56 == len(report.attempts)
    assert len({row.request_id for row in court.sink.ended}) == 56


# --- pictures that may not have been seen ---

ARK = PROFILES["volcengine-ark"].vision


@pytest.mark.parametrize(
    ("tokens", "is_seen"), [(900, False), (1_900, True), (4_000, True), (None, True)]
)
def test_too_few_tokens_for_a_picture_take_the_confidence_away(
    tokens: int | None, *, is_seen: bool
) -> None:
    court = court_of(lambda p: Answer(GOOD[asked_of(p)], tokens=tokens), ARK)

    verdict = score(court)

    assert (verdict.confidence, verdict.passed) == (("high", True) if is_seen else (None, None))
    assert (NOT_SEEN in verdict.warnings) is not is_seen


def test_too_few_tokens_for_a_pair_take_its_confidence_away() -> None:
    court = court_of(lambda _: Answer(json.dumps(preference("tie")), tokens=1_400), ARK)

    found = court.judge.compare(request_of(picture_of(1), picture_of(2)), CALLER).answer

    assert (found.confidence, found.warnings) == (None, (NOT_SEEN,))


def test_nothing_is_said_of_a_vendor_whose_counts_nobody_knows() -> None:
    court = court_of(lambda p: Answer(GOOD[asked_of(p)], tokens=5), PROFILES["vllm"].vision)

    assert score(court).confidence == "high"


# --- detail ---


def details_of(parameters: Parameters) -> list[str | None]:
    """Return the `detail` of each picture."""
    content = parameters["messages"][1]["content"]
    return [part["image_url"].get("detail") for part in content if "image_url" in part]


@pytest.mark.parametrize(
    ("profile", "wanted", "sent"),
    [
        ("volcengine-ark", "auto", [None, "high"]),
        ("volcengine-ark", "low", ["low", "low"]),
        ("openai", "auto", [None, None]),
        ("openai", "high", ["high", "high"]),
        ("dashscope", "high", [None, None]),
        ("vllm", "high", [None, None]),
    ],
)
def test_detail_is_sent_as_the_profile_says(
    profile: str, wanted: str, sent: list[str | None]
) -> None:
    court = court_of(lambda p: Answer(GOOD[asked_of(p)]), PROFILES[profile].vision)

    score(court, detail=wanted)

    assert [details_of(asked)[0] for asked in court.seer.asked] == sent


def test_ark_looks_closely_where_letters_are_to_be_read() -> None:
    said = {**GOOD, "quality": json.dumps(quality(text_rendering="good"))}
    said["alignment"] = json.dumps(alignment("good", ["yes"]))
    court = court_of(lambda p: Answer(said[asked_of(p)]), ARK)

    score(court, prompt='The words "OPEN"')

    assert [details_of(asked) for asked in court.seer.asked] == [["high"], ["high"]]


@pytest.mark.parametrize(
    ("size", "detail", "is_sent"),
    [
        ((1536, 1536), "auto", True),
        ((1024, 1024), "auto", False),
        ((1024, 1024), "high", True),
        ((1536, 1536), "low", False),
    ],
)
def test_qwen_is_told_to_keep_the_details_of_large_pictures(
    size: tuple[int, int], detail: str, *, is_sent: bool
) -> None:
    court = court_of(lambda p: Answer(GOOD[asked_of(p)]), PROFILES["dashscope"].vision)

    court.judge.score(request_of(picture_of(0, size), prompt=QUIET, detail=detail), CALLER)

    sent = [asked.get("vl_high_resolution_images") for asked in court.seer.asked]
    assert sent == [True if is_sent else None] * 2


def test_ark_s_model_is_told_not_to_think() -> None:
    court = court_of(lambda p: Answer(GOOD[asked_of(p)]), ARK)

    score(court)

    assert {str(asked["thinking"]) for asked in court.seer.asked} == {"{'type': 'disabled'}"}


@pytest.mark.parametrize("has_json_mode", [True, False])
def test_json_is_asked_for_where_the_model_has_a_mode_for_it(*, has_json_mode: bool) -> None:
    at = Destination(cast("Any", Seer(lambda _: Answer(""))), "seer", None)
    question = quality_question(RUBRICS["en"], request_of(), 0)

    parameters = question.parameters(replace(at, has_json_mode=has_json_mode))

    assert parameters["temperature"] == 0
    assert ("response_format" in parameters) is has_json_mode


# --- before it is asked ---


def test_needs_are_the_most_that_a_score_takes() -> None:
    court = court_of(lambda p: Answer(GOOD[asked_of(p)]), ARK)

    needs = court.judge.needs(request_of(prompt=QUIET), None)
    unmade = court.judge.needs(replace(request_of(prompt=QUIET), pictures=()), None)
    thrice = court.judge.needs(request_of(prompt=QUIET, samples=3), None)

    assert needs is not None
    assert unmade is not None
    assert thrice is not None
    assert needs[0].prompt_tokens > 4 * 1337  # two questions, each asked twice
    assert unmade[0].prompt_tokens > 4 * 3009
    assert thrice[0].completion_tokens == 3 * needs[0].completion_tokens == 3 * 2 * 3_200
    assert needs[1].upstream.name == "judge"


def test_a_report_sums_up_all_calls() -> None:
    court = court_of(lambda p: Answer(GOOD[asked_of(p)], tokens=2_000))

    report: CallReport = court.judge.score(request_of(prompt=QUIET), CALLER).report

    assert (report.usage.prompt_tokens, report.usage.completion_tokens) == (4_000, 200)
    assert (len(report.attempts), report.answer_count) == (2, 2)


# --- beside measurements ---


class Meters(Blind):
    """A meter that does something first."""

    def __init__(self, first: Callable[[], object]) -> None:
        """Do this first."""
        self._first = first

    def measure(self, picture: JudgedPicture, **_: Any) -> Measurements:
        """Do it, and return a picture's size and a text."""
        self._first()
        return Measurements(
            picture.width, picture.height, texts=(ReadText("OPEM", 0.99, (0, 0, 1, 1)),)
        )


def test_a_picture_is_measured_while_the_model_looks() -> None:
    has_looked, has_measured = Event(), Event()

    def answer(parameters: Parameters) -> Answer:
        has_looked.set()
        assert has_measured.wait(30)
        return Answer(GOOD[asked_of(parameters)])

    def first() -> None:
        assert has_looked.wait(30)
        has_measured.set()

    verdict = score(court_of(answer, meter=Meters(first)))

    assert verdict.measurements is not None
    assert verdict.warnings == ()


def test_a_text_that_was_read_overrules_the_model() -> None:
    said = {"alignment": json.dumps(alignment("excellent", ["yes"]))}
    said["quality"] = json.dumps(quality("excellent", text_rendering="excellent"))
    court = court_of(lambda p: Answer(said[asked_of(p)]), meter=Meters(lambda: None))

    verdict = score(court, prompt='The words "OPEN"')

    (checkpoint,) = verdict.checkpoints
    assert (checkpoint.outcome, checkpoint.source) == (Outcome.FAILED, "measured")
    assert (verdict.overall, verdict.passed) == (100, False)


def fails() -> None:
    """Fail as a meter does that has no process."""
    raise PicturesUnavailable("No process.")


def test_a_verdict_does_not_fail_with_what_measures() -> None:
    court = court_of(lambda p: Answer(GOOD[asked_of(p)]), meter=Meters(fails))

    verdict = score(court)

    assert (verdict.overall, verdict.warnings) == (75, (NOT_MEASURED,))


def test_a_verdict_does_not_wait_long_for_what_measures() -> None:
    ending = Event()
    court = court_of(
        lambda p: Answer(GOOD[asked_of(p)]), meter=Meters(lambda: ending.wait(60)), wait=0.01
    )

    verdicts = [score(court) for _ in range(6)]
    ending.set()

    assert {(one.overall, one.warnings) for one in verdicts} == {(75, (NOT_MEASURED,))}


def test_beside_models_only_some_pictures_are_measured_at_once() -> None:
    ending, begun = Event(), []

    def first() -> None:
        begun.append(1)
        ending.wait(60)

    court = court_of(lambda p: Answer(GOOD[asked_of(p)]), meter=Meters(first), wait=0.01)

    for _ in range(6):
        score(court)
    ending.set()

    assert len(begun) == 4


def test_what_is_measured_for_a_call_that_failed_is_over_when_all_is_closed() -> None:
    has_begun, ended = Event(), []

    def first() -> None:
        has_begun.set()
        ended.append(1)

    measuring = Measuring(MeasuredJudge(Meters(first)))

    measuring.beside(request_of())  # and nobody asks for the result
    assert has_begun.wait(30)
    measuring.close()

    assert ended == [1]
    assert measuring.beside(request_of())() is not None
