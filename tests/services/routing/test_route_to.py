"""A call can be routed to the configured model of an upstream that is not the default one."""

import pytest

from llm_api.domain.access import ApiKey
from llm_api.domain.calls import Model
from llm_api.errors import Forbidden
from llm_api.services.routing.catalogue import Catalogue
from llm_api.upstream.behavior import UpstreamBehavior
from tests.services.calls import client_of

FAST = client_of(model="shared")
JUDGE = client_of(model="seer", behavior=UpstreamBehavior("judge"))
TWIN = client_of(model="shared", behavior=UpstreamBehavior("judge"))


def test_the_configured_model_of_the_upstream_answers() -> None:
    catalogue = Catalogue([], {"fast": FAST, "judge": JUDGE}, FAST)

    found = catalogue.route_to("judge")

    assert (found.upstream, found.model, found.requested_model) == (JUDGE, "seer", None)


def test_a_model_of_the_same_name_elsewhere_does_not_lead_away() -> None:
    catalogue = Catalogue([], {"fast": FAST, "judge": TWIN}, FAST)

    assert catalogue.route_to("judge").upstream is TWIN


def test_what_the_catalogue_says_of_the_model_holds() -> None:
    known = Model("seer", "judge", model="seer-2", has_json_mode=True, fallback=("fast",))
    catalogue = Catalogue([known], {"fast": FAST, "judge": JUDGE}, FAST)

    found = catalogue.route_to("judge")

    assert (found.model, found.entry, found.has_json_mode) == ("seer-2", "seer", True)
    assert [one.model for one in found.fallbacks] == ["shared"]


def test_the_upstream_s_own_fallbacks_hold() -> None:
    catalogue = Catalogue([], {"fast": FAST, "judge": JUDGE}, FAST, fallbacks={"judge": ["fast"]})

    assert [one.model for one in catalogue.route_to("judge").fallbacks] == ["shared"]


def test_a_key_that_is_not_for_the_model_is_refused() -> None:
    catalogue = Catalogue([], {"fast": FAST, "judge": JUDGE}, FAST)

    with pytest.raises(Forbidden):
        catalogue.route_to("judge", key=ApiKey("1", "shop", models=("shared",)))
