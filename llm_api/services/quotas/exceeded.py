"""The errors of callers who have exceeded a limit or budget."""

import math

from llm_api.domain.access import LimitState
from llm_api.domain.budget_periods import TOTAL
from llm_api.errors import RateLimited

_MAX_RETRY_AFTER = 60  # SDKs ignore a longer one: they are told not to repeat by themselves


def over_rate(state: LimitState, scope: str) -> RateLimited:
    """Return the error of a rate limit, such as requests a minute; `scope` names whose it is."""
    wait = math.ceil(state.reset_in)
    error = RateLimited(
        f"The limit is {state.text}; try again later.",
        reason="rate_limited",
        retry_after=max(wait, 1),
        scope=scope,
    )
    # An SDK's own repeats would come too early.
    return error.replaced(retries_exhausted=wait > _MAX_RETRY_AFTER)


def over_tokens(needed: int, state: LimitState, scope: str) -> RateLimited:
    """Return the error of a call that needs more tokens than are left, or than ever are at once.

    Args:
        needed: tokens that the call may take.
        state: the limit, and what is left of it.
        scope: whose limit it is, such as `key.tokens`.
    """
    if needed <= state.limit:
        return over_rate(state, scope)
    return RateLimited(
        f"The call needs about {needed} tokens, and the limit is {state.text}; make the prompt"
        " shorter, or the most tokens of the answer fewer.",
        reason="rate_limited",
        retryable=False,
        scope=scope,
    )


def over_images(wanted: int, state: LimitState, scope: str) -> RateLimited:
    """Return the error of more pictures than are left, or than ever are at once."""
    if wanted <= state.limit:
        return over_rate(state, scope)
    return RateLimited(
        f"The call is for {wanted} pictures, and the limit is {state.text}; ask for fewer.",
        reason="rate_limited",
        retryable=False,
        scope=scope,
    )


def over_prompts(wanted: int, state: LimitState, scope: str) -> RateLimited:
    """Return the error of more prompts in one request than are left, or than ever are at once."""
    if wanted <= state.limit:
        return over_rate(state, scope)
    return RateLimited(
        f"The request has {wanted} prompts, which count as so many requests, and the limit is"
        f" {state.text}; send fewer.",
        reason="rate_limited",
        retryable=False,
        scope=scope,
    )


def over_concurrency(limit: int, scope: str) -> RateLimited:
    """Return the error of one call too many at the same time; `scope` names whose `limit` it is."""
    what = "streams" if scope.endswith("streams") else "calls"
    return RateLimited(
        f"At most {limit} {what} may run at the same time; try again when one has ended.",
        reason="too_many_at_once",
        retry_after=1,
        scope=scope,
    )


def over_budget(period: str, unit: str, scope: str = "key") -> RateLimited:
    """Return the error of a call that a budget does not cover; only the operator can help.

    Args:
        period: one of `budget_periods.PERIODS`.
        unit: `tokens` or a currency.
        scope: whose budget it is, `key` or `group`.
    """
    whose = "key" if scope == "key" else "key's group"
    when = "" if period == TOTAL else f" for this {period}"
    return RateLimited(
        f"The {whose}'s {unit}{when} are used up, or this call could use more than is left;"
        " ask the operator of this service.",
        reason="insufficient_quota",
        retryable=False,
        scope=f"{scope}.budget.{period}",
    )
