"""What a caller can choose stops nobody else: circuits by endpoint, model, kind and caller."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.domain.calls import Caller
from llm_api.errors import InvalidRequest, Unavailable, UpstreamFault
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.faults import Fault
from llm_api.upstream.resilience import model_circuits
from llm_api.upstream.resilience.circuit_breaker import CircuitBreaker, CircuitOpen
from llm_api.upstream.resilience.endpoint_health import EndpointHealth
from llm_api.upstream.resilience.endpoint_pool import Permit

OURS, OTHER = "configured", "other"
TEXT = [{"role": "user", "content": "Hi"}]
PICTURE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]
ODD: list[Mapping[str, Any]] = [
    {"messages": PICTURE},
    {"messages": TEXT, "tools": []},
    {"messages": TEXT, "response_format": {"type": "json_object"}},
    {"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]},
    {"messages": TEXT, "seed": 2**63},
]
OPEN_S = 33.0


def fault(reason: str, *, is_certain: bool = False) -> Fault:
    """Make the fault of an upstream."""
    return Fault(UpstreamFault("It failed.", reason=reason), is_certain=is_certain)


ILL = fault("upstream_error")
LOST = Fault(Unavailable("Away.", reason="upstream_unreachable"))
DEAD_KEY = fault("upstream_auth", is_certain=True)
PERHAPS_A_KEY = fault("upstream_auth")
NO_MONEY = fault("upstream_account", is_certain=True)
REFUSED = Fault(InvalidRequest("No.", reason="upstream_rejected"))


class Place:
    """An endpoint, and a clock that is set by hand."""

    def __init__(self) -> None:
        """Begin well."""
        self.now = 1_000.0
        self.health = EndpointHealth("fast", OURS, self.new_breaker)

    def new_breaker(self) -> CircuitBreaker:
        """Make a circuit with the longest waits that chance can draw."""
        return CircuitBreaker(lambda: self.now, lambda _, high: high)

    def attempt(
        self,
        caller: str,
        ends: Fault | None = None,
        *,
        model: str = OURS,
        during: Callable[[], None] | None = None,
        **body: Any,
    ) -> bool:
        """Make an attempt that ends so; tell whether it was admitted.

        It is a stream that has begun where something happens `during` it.
        """
        call = UpstreamCall(total=60, caller=Caller("1", "/", address=caller))
        try:
            permit = Permit(self.health, {"model": model, "messages": TEXT, **body}, call)
        except CircuitOpen:
            return False
        try:
            with permit:
                if during is not None:
                    permit.succeed()
                    during()
                if ends is not None:
                    raise ends
        except Fault:
            pass
        return True

    def fail(self, caller: str, times: int, ends: Fault = ILL, **request: Any) -> None:
        """Let attempts of a caller fail, as far as they are admitted."""
        for _ in range(times):
            self.attempt(caller, ends, **request)


@pytest.fixture
def place() -> Place:
    """Begin well."""
    return Place()


@pytest.mark.parametrize("ends", [ILL, fault("upstream_timeout"), fault("upstream_unavailable")])
def test_a_model_that_fails_stops_no_other(place: Place, ends: Fault) -> None:
    place.fail("a", 9, ends, model=OTHER)

    assert not place.attempt("a", model=OTHER)
    assert place.attempt("a")
    assert place.attempt("b", model="a third")


@pytest.mark.parametrize("ends", [DEAD_KEY, NO_MONEY, PERHAPS_A_KEY])
def test_a_refusal_for_another_model_says_nothing_of_the_configured_one(
    place: Place, ends: Fault
) -> None:
    place.fail("a", 9, ends, model=OTHER)

    assert not place.attempt("a", model=OTHER)
    assert place.attempt("b")
    assert place.attempt("b", model="a third")


@pytest.mark.parametrize("ends", [DEAD_KEY, NO_MONEY])
def test_the_configured_model_judges_the_key_for_all(place: Place, ends: Fault) -> None:
    place.fail("a", 1, ends)

    assert not place.attempt("b")
    assert not place.attempt("b", model=OTHER)


def test_what_may_be_a_callers_words_is_no_judgement_of_the_key(place: Place) -> None:
    place.fail("a", 9, PERHAPS_A_KEY)

    assert not place.attempt("a")
    assert place.attempt("b")


def test_one_caller_alone_is_stopped_alone(place: Place) -> None:
    place.fail("a", 20)

    assert not place.attempt("a")
    assert all(place.attempt("b") for _ in range(10))


def test_a_single_failure_of_another_does_not_prove_those_of_one(place: Place) -> None:
    place.fail("a", 20)
    place.fail("b", 1)

    assert place.attempt("c")


def test_the_failures_of_several_callers_stop_all(place: Place) -> None:
    for caller in "abcde":
        place.fail(caller, 1)

    assert not place.attempt("f")
    assert place.attempt("f", model=OTHER)


@pytest.mark.parametrize("body", ODD, ids=str)
def test_odd_requests_of_many_stop_no_plain_text(place: Place, body: Mapping[str, Any]) -> None:
    for caller in "abcdefgh":
        place.fail(caller, 3, **body)

    assert not place.attempt("i", **body)
    assert place.attempt("i")


def test_where_plain_text_fails_for_all_nothing_else_is_tried(place: Place) -> None:
    for caller in "abcde":
        place.fail(caller, 1)

    assert [place.attempt("f", **body) for body in ODD] == [False] * len(ODD)


def test_a_lost_connection_is_the_endpoints(place: Place) -> None:
    place.fail("a", 5, LOST, model=OTHER)

    assert not place.attempt("b")


def test_an_old_stream_that_breaks_says_nothing_of_new_connections(place: Place) -> None:
    """A host that goes down breaks its streams while it refuses connections."""
    place.attempt("a", ILL, during=partial(place.fail, "a", 4, LOST, model=OTHER))
    place.fail("a", 1, LOST, model=OTHER)

    assert not place.attempt("b")


def test_refused_requests_stop_nothing(place: Place) -> None:
    place.fail("a", 50, REFUSED)

    assert place.attempt("a")


def test_one_probe_closes_the_circuit_of_a_model(place: Place) -> None:
    for caller in "abcde":
        place.fail(caller, 1)
    place.now += OPEN_S

    assert place.attempt("f")
    assert all(place.attempt(caller) for caller in "abcdef")
    assert not place.health.has_open_circuit


def test_a_probe_that_fails_keeps_the_circuit_open(place: Place) -> None:
    place.fail("a", 5)
    place.now += OPEN_S

    assert place.attempt("a", ILL)
    assert not place.attempt("a")


def test_a_probe_that_is_refused_elsewhere_is_not_lost(place: Place) -> None:
    for caller in "abcde":
        place.fail(caller, 1)
    place.fail("a", 5, LOST, model=OTHER)
    place.now += OPEN_S / 2  # the line opened at the same time; both are probed by one attempt
    assert not place.attempt("a")
    place.now += OPEN_S / 2

    assert place.attempt("a", fault("client_closed"))
    assert place.attempt("a")


def test_names_that_callers_invent_are_forgotten(place: Place) -> None:
    for number in range(2 * model_circuits.MAX_CIRCUITS):
        place.fail("a", 1, model=f"invented-{number}")

    assert len(place.health.models._circuits) == model_circuits.MAX_CIRCUITS
    assert place.attempt("b")


def test_callers_are_forgotten(place: Place) -> None:
    for number in range(2 * model_circuits.MAX_CALLERS):
        place.fail(f"caller-{number}", 1)
        place.attempt("well")
        place.now += 0.01

    circuit = place.health.models.circuit(OURS, is_plain=True)
    assert len(circuit._for_one) <= model_circuits.MAX_CALLERS


def test_what_has_recovered_leaves_nothing_behind(place: Place) -> None:
    place.fail("a", 3)
    place.attempt("a")
    place.now += 31

    place.attempt("a")

    assert not place.health.models
    assert place.health.is_well


def test_openings_and_closings_are_logged_with_their_cause(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        place.fail("a", 5, model=OTHER)
        place.now += OPEN_S
        place.attempt("a", model=OTHER)

    opened, closed = caplog.records
    assert (opened.message, closed.message) == ("circuit opened", "circuit closed")
    told = vars(opened)
    assert (told["upstream"], told["model"], told["cause"]) == ("fast", OTHER, "upstream_error")
    assert vars(closed)["model"] == OTHER


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("upstream_auth", "upstream key refused"),
        ("upstream_account", "upstream account refused"),
    ],
)
def test_a_refused_key_or_account_is_a_warning_with_what_was_said(
    place: Place, caplog: pytest.LogCaptureFixture, reason: str, message: str
) -> None:
    error = UpstreamFault("No.", reason=reason)
    told = error.replaced(upstream_status=401, upstream_said="Pay your bill")

    with caplog.at_level(logging.WARNING):
        place.attempt("a", Fault(told, is_certain=True))

    about = {"upstream": "fast", "model": OURS, "cause": reason}
    about |= {"upstream_status": 401, "upstream_said": "Pay your bill"}
    assert [one.message for one in caplog.records] == [message, "circuit opened"]
    assert about.items() <= vars(caplog.records[0]).items()


ENDINGS = st.sampled_from([ILL, LOST, DEAD_KEY, NO_MONEY, PERHAPS_A_KEY, REFUSED, None])


@given(
    st.lists(
        st.tuples(st.sampled_from([OURS, OTHER]), ENDINGS, st.sampled_from([{}, *ODD])),
        max_size=40,
    )
)
def test_whatever_one_caller_meets_another_may_ask_another_model(
    attempts: list[tuple[str, Fault | None, dict[str, Any]]],
) -> None:
    place = Place()
    is_down, no_key_for = False, set[str]()
    for model, ends, body in attempts:
        place.attempt("a", ends, model=model, **body)
        is_down |= ends is LOST or (model == OURS and ends in {DEAD_KEY, NO_MONEY})
        no_key_for |= {model} if ends in {DEAD_KEY, NO_MONEY} else set()

    for model in {OURS, OTHER, "a third"} - no_key_for:
        assert is_down or place.attempt("b", model=model)
