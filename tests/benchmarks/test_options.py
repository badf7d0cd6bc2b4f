"""The command line of `make bench`."""

import pytest

from benchmarks.options import NUMBERS, parse_arguments


def test_a_quick_run_is_the_default() -> None:
    choices = parse_arguments([])

    assert (choices.rounds, choices.stream_rounds, choices.streams) == (5, 3, 200)
    assert (choices.many_rounds, choices.start_rounds, choices.scale_tries) == (0, 0, 0)
    assert (choices.peers, choices.compare) == ("with", None)


def test_full_measures_every_part_with_seven_rounds_of_calls_and_streams() -> None:
    choices = parse_arguments(["--full", "--compare", "main"])

    assert (choices.rounds, choices.stream_rounds, choices.many_rounds) == (7, 7, 7)
    assert choices.compare == "main"
    assert all(number.full > 0 for number in NUMBERS.values())


def test_a_number_that_is_named_goes_before_full() -> None:
    choices = parse_arguments(["--full", "--rounds", "9", "--prompt-rounds", "0"])

    assert (choices.rounds, choices.prompt_rounds, choices.many_rounds) == (9, 0, 7)


@pytest.mark.parametrize(
    "arguments", [["--rounds", "0"], ["--streams", "-1"], ["--seconds", "0"], ["--peers", "some"]]
)
def test_what_cannot_be_measured_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(arguments)
