"""The order in which models are tried, and the model for long conversations."""

from collections.abc import Sequence

import pytest

from llm_api.domain.calls import Fallback, Model
from llm_api.errors import ApiError, InvalidRequest, Unavailable
from llm_api.services.routing.catalogue import Catalogue, Destination, call_with_fallbacks
from llm_api.upstream.behavior import UpstreamBehavior
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.faults import ClientGone
from tests.services.calls import client_of

MODELS = [
    Model("small", "fast", fallback=("other", "judge"), longer_context="long"),
    Model("long", "fast", longer_context="longest"),
    Model("longest", "judge"),
    Model("other", "judge"),
    Model("lonely", "fast", fallback=("absent",)),
    Model("absent", "nowhere"),
]
OVERFLOW = "context_length_exceeded"


@pytest.fixture
def catalogue() -> Catalogue:
    """Know two upstreams, and what their models name."""
    fast = client_of(model="small")
    judge = client_of(model="seer", behavior=UpstreamBehavior("judge"))
    return Catalogue(
        MODELS,
        {"fast": fast, "judge": judge},
        fast,
        fallbacks={"judge": ["fast"], "fast": ["seer"]},
    )


def away(reason: str = "upstream_unavailable") -> ApiError:
    """Make an error that another upstream may not have."""
    return Unavailable("Away.", reason=reason).replaced(allows_failover=True)


def tried(
    destination: Destination, errors: Sequence[ApiError], *, attempts_each: int = 0
) -> tuple[list[str], Fallback | None, ApiError | None]:
    """Ask, failing with one error after the other; return the models that were asked."""
    call, asked, coming = UpstreamCall(total=60), list[str](), iter(errors)

    def ask(at: Destination) -> str:
        asked.append(at.model)
        for _ in range(attempts_each):
            with call.attempt(at.upstream.name, at.upstream.name, at.model):
                pass
        if (error := next(coming, None)) is not None:
            raise error
        return "answer"

    try:
        _, fallback = call_with_fallbacks(destination, call, ask)
    except ApiError as error:
        return asked, None, error
    return asked, fallback, None


def test_a_models_own_fallbacks_come_in_their_order(catalogue: Catalogue) -> None:
    asked, fallback, error = tried(catalogue.route(None), [away(), away("circuit_open")])

    assert asked == ["small", "other", "seer"]
    assert error is None
    assert fallback is not None
    assert (fallback.used_model, fallback.reason) == ("seer", "upstream_unavailable")


@pytest.mark.parametrize(
    ("name", "models"), [("longest", ["longest", "small"]), ("unknown", ["unknown", "seer"])]
)
def test_a_model_without_fallbacks_has_those_of_its_upstream(
    catalogue: Catalogue, name: str, models: list[str]
) -> None:
    assert tried(catalogue.route(name), [away()])[0] == models


def test_a_fallback_that_is_not_configured_is_passed_over(catalogue: Catalogue) -> None:
    first = away()

    asked, _, error = tried(catalogue.route("lonely"), [first])

    assert asked == ["lonely"]
    assert error is not None
    assert (error.reason, error.message) == (first.reason, first.message)


def test_a_long_conversation_goes_to_the_longer_context_only(catalogue: Catalogue) -> None:
    overflow = InvalidRequest("Too long.", reason=OVERFLOW)

    asked, fallback, error = tried(catalogue.route("small"), [overflow])

    assert (asked, error) == (["small", "long"], None)
    assert fallback is not None
    assert fallback.reason == OVERFLOW


def test_a_conversation_that_no_model_can_hold_is_told_so(catalogue: Catalogue) -> None:
    overflows = [InvalidRequest("Too long.", reason=OVERFLOW) for _ in range(2)]

    asked, _, error = tried(catalogue.route("small"), overflows)

    assert asked == ["small", "long"]
    assert error is not None
    assert (error.reason, error.message) == (overflows[0].reason, overflows[0].message)


def test_a_long_conversation_can_overflow_a_fallback_as_well(catalogue: Catalogue) -> None:
    errors = [away(), InvalidRequest("Too long.", reason=OVERFLOW)]

    asked, _, error = tried(catalogue.route("small"), errors)

    assert asked == ["small", "other"]
    assert error is not None
    assert (error.reason, error.message) == (errors[0].reason, errors[0].message)


def test_a_client_that_left_is_told_nothing_else(catalogue: Catalogue) -> None:
    gone = ClientGone()

    asked, _, error = tried(catalogue.route(None), [away(), gone])

    assert (asked, error) == (["small", "other"], gone)


def test_spent_attempts_leave_none_for_a_fallback(catalogue: Catalogue) -> None:
    first = away()

    asked, _, error = tried(catalogue.route(None), [first], attempts_each=3)

    assert asked == ["small"]
    assert error is not None
    assert (error.reason, error.message) == (first.reason, first.message)


def test_an_error_after_attempts_is_spent(catalogue: Catalogue) -> None:
    _, _, error = tried(catalogue.route("longest"), [away(), away()], attempts_each=1)

    assert error is not None
    assert error.retries_exhausted


def test_a_fallback_is_not_the_callers_choice(catalogue: Catalogue) -> None:
    destination = catalogue.route("small")

    assert destination.requested_model == "small"
    assert [other.requested_model for other in destination.fallbacks] == [None, None]


@pytest.mark.parametrize(("name", "models"), [("unknown", []), ("small", ["other", "seer"])])
def test_an_exact_route_has_the_models_own_fallbacks_only(
    catalogue: Catalogue, name: str, models: list[str]
) -> None:
    """The vectors of another model are of no use unless somebody has said so."""
    destination = catalogue.route(name, is_exact=True)

    assert [other.model for other in destination.fallbacks] == models
