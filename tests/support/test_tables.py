"""A table of cases is one test that names every case that failed."""

import inspect
from pathlib import Path

import pytest

from tests.support.tables import each


def test_all_cases_are_tried_and_those_that_failed_are_named() -> None:
    tried = []

    @each("letter", "ab")
    @each(("number", "square"), [(2, 4), (3, 8), (4, 1)])
    def check(letter: str, number: int, square: int) -> None:
        tried.append((letter, number))
        assert number**2 == square, f"{number}!"

    with pytest.raises(AssertionError) as raised:
        check()

    assert tried == [(letter, number) for letter in "ab" for number in (2, 3, 4)]
    said = str(raised.value)
    assert said.count("2 of 3 cases failed") == 2
    assert said.count("{'number': 3, 'square': 8}: AssertionError: 3!") == 2
    assert "'square': 4}" not in said


def test_a_case_fails_by_whatever_it_raises() -> None:
    @each("one", ["a"])
    def check(one: str) -> None:
        raise KeyError(one)

    with pytest.raises(AssertionError, match=r"{'one': 'a'}: KeyError"):
        check()


def test_a_table_without_cases_proves_nothing() -> None:
    with pytest.raises(AssertionError, match="no case"):
        each("one", [])


@each("number", [1, 2])
def test_fixtures_are_lent_to_all_cases(number: int, tmp_path: Path) -> None:
    written = tmp_path / str(number)
    written.touch()

    assert written.exists()


def test_a_test_keeps_its_name_and_asks_for_fixtures_alone() -> None:
    test = test_fixtures_are_lent_to_all_cases

    assert test.__name__ == "test_fixtures_are_lent_to_all_cases"
    assert list(inspect.signature(test).parameters) == ["tmp_path"]
