"""Seconds of shots are lengths that the target makes, and add up exactly."""

from hypothesis import given
from hypothesis import strategies as st

from llm_api.domain.prompts import PromptRequest
from llm_api.domain.storyboards import MAX_SHOTS, MAX_TOTAL_SECONDS
from llm_api.errors import InvalidRequest
from llm_api.services.prompts.shot_seconds import (
    allowed_seconds,
    feasible_counts,
    require_sum,
    share,
)
from tests.services.prompts.asking import TARGETS
from tests.support.tables import each

FILMING = [target for target in TARGETS.values() if "video" in target.types]
TOTALS = st.integers(1, MAX_TOTAL_SECONDS)
WEIGHTS = st.lists(st.floats(0, 1_000), min_size=MAX_SHOTS, max_size=MAX_SHOTS)


def board(**fields: object) -> PromptRequest:
    """Ask for a storyboard."""
    return PromptRequest(**{"prompt": "A fox runs.", "type": "storyboard"} | fields)


def refusal(target: str, **fields: object) -> tuple[str, str | None]:
    """Return the message and the reason for which a storyboard is refused."""
    request = board(**fields)
    try:
        require_sum(request, allowed_seconds(request, TARGETS[target]), TARGETS[target])
    except InvalidRequest as error:
        return error.message, error.reason
    return "", None


@given(total=TOTALS, weights=WEIGHTS, data=st.data())
def test_shares_are_lengths_of_the_target_and_add_up(
    total: int, weights: list[float], data: st.DataObject
) -> None:
    target = data.draw(st.sampled_from(FILMING), label="target")
    allowed = allowed_seconds(board(), target)
    counts = feasible_counts(total, allowed)
    if not counts:
        return

    count = data.draw(st.sampled_from(counts), label="count")
    shares = share(total, weights[:count], allowed)

    assert sum(shares) == total
    assert len(shares) == count
    assert set(shares) <= set(allowed)


@given(total=TOTALS, data=st.data())
def test_a_number_of_shots_is_feasible_if_there_is_a_sum_of_so_many(
    total: int, data: st.DataObject
) -> None:
    allowed = data.draw(st.sampled_from([(5,), (5, 10), (4, 6, 8), (3, 7, 15)]))
    sums = {0}

    for count in range(1, MAX_SHOTS + 1):
        sums = {one + seconds for one in sums for seconds in allowed}
        assert (count in feasible_counts(total, allowed)) is (total in sums)


@each(
    ("total", "weights", "allowed", "expected"),
    [
        (10, [1, 1, 1], range(1, 31), (3, 3, 4)),  # the largest remainder is the first of three
        (12, [3, 2, 1], range(1, 31), (6, 4, 2)),
        (30, [1, 2, 3], range(4, 13), (6, 12, 12)),  # over the longest: the others get it
        (24, [1, 5, 1, 1], (4, 6, 8), (4, 8, 6, 6)),
        (20, [0, 0], (5, 10), (10, 10)),
        (5, [7], (5,), (5,)),
    ],
)
def test_shares_are_as_near_to_the_weights_as_can_be(
    total: int, weights: list[float], allowed: range, expected: tuple[int, ...]
) -> None:
    shares = share(total, weights, list(allowed))

    assert sorted(shares) == sorted(expected)
    assert len(set(weights)) < len(weights) or tuple(shares) == expected


@each(
    ("target", "fields", "message"),
    [
        (
            "wan",
            {"total_seconds": 7, "max_shot_seconds": 9},
            "total_seconds: must be a sum of shots of 5 seconds for wan, such as 5, 10 or 15.",
        ),
        (
            "veo",
            {"total_seconds": 3},
            "total_seconds: must be a sum of shots of 4, 6 or 8 seconds for veo, such as 4 or 6.",
        ),
        (
            "wan",
            {"total_seconds": 10, "shots": 3},
            "shots: must be 1 or 2 for 10 seconds of shots of 5 or 10 seconds.",
        ),
        (
            "kling",
            {"total_seconds": 30, "min_shot_seconds": 16},
            "min_shot_seconds: must leave kling one of the lengths that it makes: 3 to 15 seconds.",
        ),
        (
            "kling",
            {"total_seconds": 30, "max_shot_seconds": 2},
            "max_shot_seconds: must leave kling one of the lengths that it makes: 3 to 15 seconds.",
        ),
        (
            "veo",
            {"total_seconds": 8, "min_shot_seconds": 6, "max_shot_seconds": 6},
            "total_seconds: must be a sum of shots of 6 seconds for veo, such as 6, 12 or 18.",
        ),
        (
            "hunyuan",
            {"total_seconds": 200},
            "total_seconds: must be a sum of shots of 5 seconds for hunyuan, such as 95 or 100.",
        ),
    ],
)
def test_what_cannot_add_up_is_refused_with_what_would(
    target: str, fields: dict[str, object], message: str
) -> None:
    assert refusal(target, **fields) == (message, "seconds_do_not_add_up")


def test_bounds_narrow_what_the_target_makes() -> None:
    request = board(min_shot_seconds=5, max_shot_seconds=6)

    assert list(allowed_seconds(request, TARGETS["kling"])) == [5, 6]
    assert list(allowed_seconds(request, TARGETS["veo"])) == [6]
