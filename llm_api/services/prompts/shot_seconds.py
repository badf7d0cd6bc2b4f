"""Shares out the seconds of a storyboard: numbers that a target can make, and an exact sum."""

from collections.abc import Sequence
from functools import reduce

from llm_api.domain.prompts import STORYBOARD, PromptRequest, Target
from llm_api.domain.storyboards import MAX_SHOTS, MAX_TOTAL_SECONDS
from llm_api.errors import InvalidRequest

_ANY = tuple(range(1, 31))  # where nothing is known of the target
_NEAREST = 2  # totals on each side that an error names


def require_storyboard(request: PromptRequest, target: Target) -> None:
    """Raise InvalidRequest for a storyboard whose seconds cannot add up for a target."""
    if request.type == STORYBOARD:
        require_sum(request, allowed_seconds(request, target), target)


def allowed_seconds(request: PromptRequest, target: Target) -> Sequence[int]:
    """Return the seconds that a shot may have, ascending; raises InvalidRequest if there are none.

    They are those that the target makes, within the request's bounds.
    """
    made = target.durations or _ANY
    low, high = request.min_shot_seconds or 1, request.max_shot_seconds or made[-1]
    allowed = [seconds for seconds in made if low <= seconds <= high]
    if allowed:
        return allowed
    field = "min_shot_seconds" if low > made[-1] else "max_shot_seconds"
    problem = f"must leave {target.name} one of the lengths that it makes: {named(made)} seconds."
    raise InvalidRequest.of_field(field, problem, reason="seconds_do_not_add_up")


def feasible_counts(total: int, allowed: Sequence[int]) -> Sequence[int]:
    """Return how many shots can have `total` seconds together, ascending; at most `MAX_SHOTS`."""
    reached = 1  # bit n: so many shots can have n seconds
    counts = []
    for count in range(1, MAX_SHOTS + 1):
        reached = _with_one_more(reached, allowed) & _up_to(total)
        if reached >> total & 1:
            counts.append(count)
    return counts


def require_sum(request: PromptRequest, allowed: Sequence[int], target: Target) -> Sequence[int]:
    """Return the numbers of shots that add up to what a request wants, ascending.

    Args:
        request: has `total_seconds`, and may say how many shots.
        allowed: the seconds that a shot may have.
        target: the model that makes them, for the error.

    Raises:
        InvalidRequest: nothing adds up; it says which totals or numbers of shots would.
    """
    total = request.total_seconds or 0
    counts = feasible_counts(total, allowed)
    made = f"shots of {named(allowed)} seconds"
    if not counts:
        problem = (
            f"must be a sum of {made} for {target.name}, such as {_totals_near(total, allowed)}."
        )
        raise InvalidRequest.of_field("total_seconds", problem, reason="seconds_do_not_add_up")
    if request.shots is None:
        return counts
    if request.shots not in counts:
        problem = f"must be {named(counts)} for {total} seconds of {made}."
        raise InvalidRequest.of_field("shots", problem, reason="seconds_do_not_add_up")
    return [request.shots]


def share(total: int, weights: Sequence[float], allowed: Sequence[int]) -> Sequence[int]:
    """Return seconds for shots that add up to `total` exactly, as near to their weights as can be.

    Where all numbers are allowed that is the method of largest remainders: of all exact sums, the
    one whose squares of differences from the proportional shares are least.

    Args:
        total: in seconds; a sum of as many allowed ones as there are weights.
        weights: of the shots, of any scale; none is negative.
        allowed: the seconds that a shot may have.
    """
    sum_of_weights = sum(weights) or 1
    ideals = [total * weight / sum_of_weights for weight in weights]
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}
    for at, ideal in enumerate(ideals, 1):
        left = len(ideals) - at
        low, high = total - left * allowed[-1], total - left * allowed[0]
        longer: dict[int, tuple[float, tuple[int, ...]]] = {}
        for reached, (cost, chosen) in best.items():
            for seconds in allowed:
                end = reached + seconds
                if not low <= end <= high:
                    continue
                dearer = cost + (seconds - ideal) ** 2
                if end not in longer or dearer < longer[end][0]:
                    longer[end] = (dearer, (*chosen, seconds))
        best = longer
    return best[total][1]


def named(numbers: Sequence[int]) -> str:
    """Write ascending numbers for a sentence: `4 to 12`, or `4, 6 or 8`."""
    first, last = numbers[0], numbers[-1]
    if len(numbers) > 2 and last - first == len(numbers) - 1:
        return f"{first} to {last}"
    head = ", ".join(map(str, numbers[:-1]))
    return f"{head} or {last}" if head else str(last)


def _with_one_more(reached: int, allowed: Sequence[int]) -> int:
    return reduce(lambda found, seconds: found | reached << seconds, allowed, 0)


def _up_to(total: int) -> int:
    return (1 << total + 1) - 1


def _totals_near(total: int, allowed: Sequence[int]) -> str:
    reached = found = 1
    for _ in range(MAX_SHOTS):
        reached = _with_one_more(reached, allowed) & _up_to(MAX_TOTAL_SECONDS)
        found |= reached
    sums = [seconds for seconds in range(1, MAX_TOTAL_SECONDS + 1) if found >> seconds & 1]
    below = [seconds for seconds in sums if seconds < total][-_NEAREST:]
    above = [seconds for seconds in sums if seconds > total][:_NEAREST]
    return named([*below, *above])
