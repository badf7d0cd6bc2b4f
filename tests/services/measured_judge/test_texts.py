"""Texts: what was read decides, with the letters that differ; what was not read stays unknown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.domain.judging import Measurements, Outcome, ReadText
from llm_api.services.measured_judge.text_distance import differences, distance, plain
from tests.services.measured_judge.measuring import checked, judged, line, measured, outcome

PASSED, FAILED, UNKNOWN = Outcome.PASSED, Outcome.FAILED, Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("wanted", "read"),
    [
        ("OPEN", ["OPEN"]),
        ("OPEN", ["open"]),
        ("OPEN 24 HOURS", ["OPEN24HOURS"]),
        ("OPEN 24 HOURS", ["OPEN", "24 HOURS"]),
        ("OPEN", ["WE ARE OPEN TODAY"]),
        ("OPEN", ["CLOSED", "OPEN"]),
        ("OPEN", ["ＯＰＥＮ"]),
        ("Straße 5", ["STRASSE 5"]),
        ("春天", ["春天"]),
        ("春天", ["欢迎来到春天花园"]),
        ("欢迎光临", ["欢迎", "光临"]),
        ("24小时营业", ["24 小时营业"]),
        ("Hello, World", ["HELLO, WORLD"]),
        ("SALE 50%", ["SALE 50%"]),
    ],
)
def test_a_text_that_was_read_passes(wanted: str, read: list[str]) -> None:
    assert outcome(f'"{wanted}"', measured(*read), "text") is PASSED


@pytest.mark.parametrize(
    ("wanted", "read", "differences"),
    [
        ("OPEN", ["OPAN"], '"a" instead of "e"'),
        ("OPEN", ["OPN"], '"e" is missing'),
        ("OPEN", ["OPENN"], '"n" is too much'),
        ("OPEN", ["OEPN"], '"ep" instead of "pe"'),
        ("OPEN 24 HOURS", ["OPEN 24 HUORS"], '"uo" instead of "ou"'),
        ("OPEN 24 HOURS", ["OPEN 25 HOURS"], '"5" instead of "4"'),
        ("GRAND OPENING", ["GRAND", "OPENNING"], '"n" is too much'),
        ("HAPPY BIRTHDAY", ["HAPPY BRITHDAY"], '"ri" instead of "ir"'),
        ("春天", ["春夭"], '"夭" instead of "天"'),
        ("春天", ["春天天"], '"天" is too much'),
        ("欢迎光临", ["欢迎光监"], '"监" instead of "临"'),
        ("欢迎光临", ["欢光临"], '"迎" is missing'),
        ("营业时间", ["营业间时"], '"间时" instead of "时间"'),
        ("生日快乐", ["生日快东"], '"东" instead of "乐"'),
        ("24", ["25"], '"5" instead of "4"'),
    ],
)
def test_a_misspelling_is_told_with_its_letters(
    wanted: str, read: list[str], differences: str
) -> None:
    [verdict] = [one for one in judged(f'"{wanted}"', measured(*read)) if one.kind == "text"]

    assert verdict.outcome is FAILED
    assert differences in (verdict.evidence or "")
    assert all(one in (verdict.evidence or "") for one in read)


@pytest.mark.parametrize(
    ("wanted", "read"),
    [
        ("OPEN", []),
        ("OPEN", ["BAKERY"]),
        ("OPEN", [line("OPEN", 0.6)]),
        ("OPEN", [line("OPAN", 0.6)]),
        ("OPEN", [line("OPAN", height=0.009)]),
        ("OPEN", ["REOPENING"]),
        ("OPEN", ["OPENTODAY"]),
        ("It's OPEN", ["ITS OPEN"]),
        ("A", ["B"]),
        ("ОТКРЫТО", ["OTKPbITO"]),
        ("영업중", ["영업"]),
    ],
)
def test_what_cannot_be_said_for_sure_is_unknown(wanted: str, read: list[str | ReadText]) -> None:
    assert outcome(f'"{wanted}"', measured(*read), "text") is UNKNOWN


def test_a_text_that_was_not_found_is_not_called_absent() -> None:
    [verdict] = judged('"OPEN"', measured("BAKERY"))

    assert "does not mean that it is not there" in (verdict.evidence or "")
    assert '"BAKERY"' in (verdict.evidence or "")


def test_one_wanted_text_is_no_misspelling_of_another() -> None:
    verdicts = judged('"OPEN" and "OVEN"', measured("OVEN"))

    assert [one.outcome for one in verdicts] == [UNKNOWN, PASSED]


def test_a_right_text_beside_a_misspelt_one_passes() -> None:
    assert outcome('"OPEN"', measured("OPAN", "OPEN"), "text") is PASSED


@pytest.mark.parametrize(
    ("prompt", "top", "wanted"),
    [
        ('"SALE" at the top', 0.1, PASSED),
        ('"SALE" at the top', 0.8, FAILED),
        ('"SALE" at the bottom', 0.8, PASSED),
        ('"SALE" at the bottom', 0.45, UNKNOWN),
    ],
)
def test_the_place_of_a_text_is_where_it_was_read(prompt: str, top: float, wanted: Outcome) -> None:
    assert outcome(prompt, measured(line("SALE", top=top)), "position") is wanted


def test_the_place_of_a_text_that_was_not_read_is_unknown() -> None:
    assert outcome('"SALE" at the top', measured("BAKERY"), "position") is UNKNOWN


@pytest.mark.parametrize(
    ("read", "wanted"), [(["HELLO"], FAILED), ([], UNKNOWN), ([line("HELLO", 0.5)], UNKNOWN)]
)
def test_text_that_is_not_wanted_fails_where_it_was_read(
    read: list[str | ReadText], wanted: Outcome
) -> None:
    assert outcome("a cat, no text", measured(*read), "count") is wanted


def test_where_text_cannot_be_read_it_says_how_to_get_that() -> None:
    result = Measurements(9, 9, unavailable={"texts": "run make run"})

    assert checked('sign reads "OPEN"', result).evidence == "Unavailable: run make run."


def test_a_long_text_is_not_right_by_its_beginning() -> None:
    wanted = "very long " * 30

    assert outcome(f'"{wanted}end"', measured(f"{wanted}and"), "text") is FAILED


@given(st.text("abc春", max_size=12), st.text("abc春", max_size=12))
def test_the_distance_is_one_of_letters(left: str, right: str) -> None:
    wanted, read = plain(left), plain(right)
    found = distance(wanted, read)

    assert abs(len(wanted) - len(read)) <= found <= max(len(wanted), len(read))
    assert (found == 0) is (wanted == read)
    assert len(differences(wanted, read)) == found == distance(read, wanted)


@given(st.text(min_size=1, max_size=20), st.lists(st.text(max_size=20), max_size=5))
def test_no_text_and_no_reading_is_too_much(wanted: str, read: list[str]) -> None:
    for verdict in judged(f'"{wanted}"', measured(*read)):
        if verdict.outcome is PASSED and verdict.kind == "text":
            assert plain(wanted.strip()) in plain("".join(read))
