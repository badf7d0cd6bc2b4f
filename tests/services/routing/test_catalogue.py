"""A model's name decides which upstream answers."""

import pytest

from llm_api.domain.access import ApiKey
from llm_api.domain.calls import Model
from llm_api.errors import Forbidden, NotFound
from llm_api.services.routing.catalogue import Catalogue, Destination
from llm_api.upstream.behavior import BUNDLED_MODEL, UpstreamBehavior
from tests.services.calls import client_of

FAST = client_of(model="fast-model")
JUDGE = client_of(model="judge-model", behavior=UpstreamBehavior("judge"))
LOCAL = client_of(model="tiny", behavior=BUNDLED_MODEL)
MODELS = [
    Model("fast-model", "fast"),
    Model("fast-other", "fast"),
    Model("judge-other", "judge"),
    Model("tiny", "local", is_guided=True),
]


@pytest.fixture
def configured() -> Catalogue:
    """Offer a fast upstream and a judge."""
    return Catalogue(MODELS, {"fast": FAST, "judge": JUDGE}, FAST)


@pytest.fixture
def bundled() -> Catalogue:
    """Offer the bundled model alone."""
    return Catalogue(MODELS, {"local": LOCAL}, LOCAL)


def test_without_a_name_the_configured_model_answers(configured: Catalogue) -> None:
    assert configured.route(None) == Destination(FAST, "fast-model", None)


def test_a_listed_model_goes_to_its_upstream(configured: Catalogue) -> None:
    assert configured.route("judge-other") == Destination(JUDGE, "judge-other", "judge-other")


def test_a_configured_model_that_is_not_listed_goes_to_its_upstream(configured: Catalogue) -> None:
    assert configured.route("judge-model") == Destination(JUDGE, "judge-model", "judge-model")


@pytest.mark.parametrize("name", ["qwen-max", "FAST-MODEL", "tiny"])
def test_a_name_that_is_not_offered_goes_to_the_fast_upstream_as_it_is(
    configured: Catalogue, name: str
) -> None:
    assert configured.route(name) == Destination(FAST, name, name)


@pytest.mark.parametrize("name", [None, "tiny", "qwen-max", "judge-other"])
def test_the_bundled_model_answers_for_every_name(bundled: Catalogue, name: str | None) -> None:
    assert bundled.route(name) == Destination(LOCAL, "tiny", name, is_guided=True)


def test_the_bundled_model_is_guided_beside_other_upstreams() -> None:
    catalogue = Catalogue(MODELS, {"fast": FAST, "local": LOCAL}, FAST)

    assert catalogue.route("tiny") == Destination(LOCAL, "tiny", "tiny", is_guided=True)


def test_only_models_of_configured_upstreams_are_offered(configured: Catalogue) -> None:
    names = [model.id for model in configured.models()]

    assert names == ["fast-model", "fast-other", "judge-other", "judge-model"]


def test_a_model_on_offer_is_found(configured: Catalogue) -> None:
    assert configured.model("fast-other") == Model("fast-other", "fast")


@pytest.mark.parametrize("name", ["tiny", "unknown", ""])
def test_a_model_that_is_not_on_offer_is_not_found(configured: Catalogue, name: str) -> None:
    with pytest.raises(NotFound) as raised:
        configured.model(name)

    assert raised.value.reason == "model_not_found"


def test_json_is_asked_for_where_the_model_and_its_vendor_take_it() -> None:
    models = [Model("fast-model", "fast", has_json_mode=True), Model("fast-other", "fast")]
    catalogue = Catalogue(models, {"fast": FAST}, FAST, fallbacks={"fast": ["fast-model"]})

    destination = catalogue.route(None)

    assert destination.has_json_mode
    assert destination.fallbacks[0].has_json_mode
    assert not catalogue.route("fast-other").has_json_mode


def test_only_names_of_the_catalogue_are_kept_with_where_they_lead(configured: Catalogue) -> None:
    for number in range(100):
        configured.route(f"made-up-{number}")
    for _ in range(2):
        configured.route(None)
        configured.route(None, is_exact=True)

    assert len(configured._routes) == 2


def test_a_route_that_is_kept_is_no_permission(configured: Catalogue) -> None:
    model = configured.models()[0].id
    configured.route(model)
    other = ApiKey("key_1", "shop", models=("other",))

    with pytest.raises(Forbidden):
        configured.route(model, key=other)
