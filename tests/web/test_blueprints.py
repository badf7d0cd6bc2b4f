"""Which routes are public, for admins and rate limited: none by mistake."""

import pytest
from flask import Flask

from llm_api.web.blueprints import RouteRules, rules_of

PUBLIC = {"ops", "pages", "swagger_ui", "api-docs", "assets", "console", "sign_in"}
PUBLIC |= {"console_usage", "console_operate"}  # they ask for a sign-in themselves
LIMITED = {
    *("pages", "swagger_ui", "api-docs", "sign_in", "console_usage"),
    *("LLM", "Usage", "Keys", "Own key", "Groups", "OpenAI", "Images", "OpenAI images", "Files"),
    *("Videos", "OpenAI videos"),
    *("OpenAI responses", "Judge", "Descriptions", "Lineage", "Anthropic", "Audit"),
}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("is_public", PUBLIC),
        ("is_admin", {"Keys", "Audit", "Groups", "metrics"}),
        ("needs_key", {"Own key"}),
        ("is_rate_limited", LIMITED),
    ],
)
def test_blueprints_state_their_rules(app: Flask, rule: str, expected: set[str]) -> None:
    found = {name for name in app.blueprints if getattr(rules_of(app, name), rule)}

    assert found == expected


def test_a_path_without_a_blueprint_needs_what_most_routes_need(app: Flask) -> None:
    rules = rules_of(app, None)

    assert rules == RouteRules(is_public=False, is_admin=False, is_rate_limited=True)
