"""Aliases, patterns and names that only upstreams list: where they lead, and who may use them."""

from collections.abc import Mapping, Sequence

import pytest

from llm_api.domain.access import ApiKey
from llm_api.domain.calls import Model
from llm_api.errors import Forbidden, NotFound
from llm_api.services.routing.catalogue import Catalogue, Destination
from llm_api.services.routing.model_lists import ModelLists
from llm_api.upstream.behavior import BUNDLED_MODEL, UpstreamBehavior
from tests.services.calls import client_of

FAST = client_of(model="fast-model")
JUDGE = client_of(model="judge-model", behavior=UpstreamBehavior("judge"))
LOCAL = client_of(model="tiny", behavior=BUNDLED_MODEL)
MODELS = [
    Model("alias", "judge", model="real"),
    Model("gpt-*", "judge"),
    Model("gpt-4*", "fast"),
    Model("gpt-4-exact", "judge"),
    Model("old-*", "fast", model="new"),
    Model("spare", "fast", fallback=("alias", "gpt-9"), longer_context="alias"),
]


class Known(ModelLists):
    """Lists that are known from the beginning."""

    def __init__(self, lists: Mapping[str, Sequence[str]]) -> None:
        """Know the lists."""
        super().__init__({})
        self._upstreams = dict.fromkeys(lists)  # type: ignore[assignment]  # nobody is asked
        self._take(lists)

    def current(self, wait_s: float = 0.0) -> Mapping[str, Sequence[str]]:  # noqa: ARG002  # nobody is asked
        """Return the lists."""
        return self._lists


def catalogue_of(*, is_closed: bool = False, **lists: Sequence[str]) -> Catalogue:
    """Offer the models, and what upstreams list."""
    upstreams = {"fast": FAST, "judge": JUDGE}
    return Catalogue(MODELS, upstreams, FAST, is_closed=is_closed, lists=Known(lists))


def key_for(*models: str) -> ApiKey:
    """Make a key that is for some models only."""
    return ApiKey("key_1", "shop", models=models)


def names(models: Sequence[Model]) -> list[str]:
    """Return the names."""
    return [model.id for model in models]


def test_an_alias_goes_under_its_real_name() -> None:
    destination = catalogue_of().route("alias")

    assert destination == Destination(JUDGE, "real", "alias")


@pytest.mark.parametrize(
    ("name", "upstream"),
    [("gpt-3", JUDGE), ("gpt-4o", FAST), ("gpt-4-exact", JUDGE), ("gpt-*", JUDGE), ("gp", FAST)],
)
def test_the_most_specific_entry_decides(name: str, upstream: object) -> None:
    destination = catalogue_of().route(name)

    assert (destination.upstream, destination.model) == (upstream, name)


def test_a_pattern_may_lead_to_one_model() -> None:
    assert catalogue_of().route("old-7") == Destination(FAST, "new", "old-7")


def test_fallbacks_may_be_aliases_and_match_patterns() -> None:
    destination = catalogue_of().route("spare")

    assert [(d.upstream, d.model) for d in destination.fallbacks] == [
        (JUDGE, "real"),
        (JUDGE, "gpt-9"),
    ]
    assert destination.longer_context is not None
    assert destination.longer_context.model == "real"


def test_a_name_that_only_one_upstream_lists_goes_there() -> None:
    catalogue = catalogue_of(fast=["both"], judge=["both", "other"])

    assert catalogue.route("other").upstream is JUDGE
    assert catalogue.route("both").upstream is FAST
    assert catalogue.route("nobodys").upstream is FAST


def test_the_catalogue_is_stronger_than_a_list() -> None:
    catalogue = catalogue_of(fast=["alias", "gpt-3", "judge-model"])

    assert [catalogue.route(n).upstream for n in ("alias", "gpt-3", "judge-model")] == [JUDGE] * 3


def test_what_upstreams_list_stands_behind_the_catalogue() -> None:
    catalogue = catalogue_of(fast=["f", "fast-model", "f"], judge=["j", "f", "alias"])

    assert names(catalogue.all_models()) == [
        *("fast-model", "alias", "gpt-4-exact", "spare", "judge-model"),
        *("f", "j"),
    ]
    assert [m.upstream for m in catalogue.all_models()][-2:] == ["fast", "judge"]


def test_the_configured_model_stands_first_wherever_the_catalogue_has_it() -> None:
    models = [Model("a", "fast"), Model("fast-model", "fast", has_json_mode=True)]
    catalogue = Catalogue(models, {"judge": JUDGE, "fast": FAST}, FAST)

    assert names(catalogue.models()) == ["fast-model", "a", "judge-model"]
    assert catalogue.models()[0].has_json_mode


def test_a_listed_name_that_would_go_elsewhere_is_not_listed() -> None:
    listed = ["gpt-3", "gpt-4o", "old-7"]

    assert names(catalogue_of(fast=listed).all_models())[-1] == "gpt-4o"
    assert names(catalogue_of(judge=listed).all_models())[-1] == "gpt-3"


def test_the_bundled_model_is_one_entry() -> None:
    catalogue = Catalogue(
        [Model("tiny", "local"), Model("x", "fast")], {"local": LOCAL}, LOCAL, lists=ModelLists({})
    )

    assert names(catalogue.all_models()) == ["tiny"]


def test_a_closed_catalogue_lists_and_takes_what_it_has_and_its_patterns() -> None:
    catalogue = catalogue_of(is_closed=True, fast=["f", "gpt-4o"], judge=["gpt-3"])

    assert names(catalogue.all_models())[-2:] == ["gpt-4o", "gpt-3"]
    assert "f" not in names(catalogue.all_models())
    assert [catalogue.route(n).model for n in ("alias", "gpt-77")] == ["real", "gpt-77"]
    with pytest.raises(NotFound):
        catalogue.route("f")


@pytest.mark.parametrize(
    ("models", "allowed", "refused"),
    [
        (["alias"], ["alias"], ["real", "gpt-3", "f"]),
        (["real"], ["alias", "real"], ["gpt-3", "fast-model"]),
        (["gpt-*"], ["gpt-3", "gpt-*"], ["gpt-4o", "gpt-4-exact", "alias"]),
        (["gpt-3"], ["gpt-3"], ["gpt-35", "gpt-4o"]),
        (["f"], ["f"], ["fast-model", "j"]),
        (["old-*"], ["old-1"], ["gpt-3"]),
        (["new"], ["old-1", "new"], ["gpt-3"]),
    ],
)
def test_a_key_is_for_names_aliases_and_patterns(
    models: list[str], allowed: list[str], refused: list[str]
) -> None:
    catalogue, key = catalogue_of(fast=["f"], judge=["j", "gpt-3"]), key_for(*models)

    for name in allowed:
        assert catalogue.route(name, key=key)
    for name in refused:
        with pytest.raises(Forbidden):
            catalogue.route(name, key=key)


def test_a_key_sees_what_it_is_for() -> None:
    catalogue = catalogue_of(fast=["f", "gpt-4o"], judge=["j", "gpt-3"])

    seen = [names(catalogue.all_models(key_for(*one))) for one in (["real", "j"], ["gpt-*"])]

    assert seen == [["alias", "j"], ["gpt-3"]]


def test_a_key_keeps_only_its_own_fallbacks() -> None:
    destination = catalogue_of().route("spare", key=key_for("spare", "alias"))

    assert [d.model for d in destination.fallbacks] == ["real"]
    assert destination.longer_context is not None


def test_a_model_is_found_by_every_name_that_leads_to_it() -> None:
    catalogue = catalogue_of(judge=["j"])

    assert [catalogue.find(n).upstream for n in ("alias", "gpt-3", "j")] == ["judge"] * 3
    assert catalogue.find("gpt-3").id == "gpt-3"
    with pytest.raises(NotFound):
        catalogue.find("nobodys")
    with pytest.raises(Forbidden):
        catalogue.find("j", key_for("alias"))
