"""The console has a name for everything that a rewrite can say of itself."""

from llm_api.services.prompts.constraints.constraints import find_constraints
from llm_api.services.prompts.enrichment.facets import all_facets
from llm_api.web.console.page_texts import texts_of


def test_what_rewrites_add_and_keep_has_a_name_in_every_language() -> None:
    prompt = (
        'Two red foxes to the left of Big Ben under a sign that says "OPEN", watercolor,'
        " close-up, (fog:1.2), no people"
    )
    added = {facet.name for facets in all_facets().of_kind.values() for facet in facets}
    kinds = {*find_constraints(prompt).in_words, *added}

    assert len(kinds) > len(added) + 8
    assert {f"kind_{kind}" for kind in kinds} - texts_of("en")["prompts"].keys() == set()
