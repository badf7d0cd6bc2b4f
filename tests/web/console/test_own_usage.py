"""Whose usage the console shows: an admin that of all, anybody else his own, strangers none."""

from collections.abc import Mapping

import pytest
from flask import Flask

from llm_api.services.keys.service import IssuedKey
from tests.storage.records import ended
from tests.web.console.page_tables import PageTables
from tests.web.console.signed_in import SignedIn, problem_in
from tests.web.keyed import ADMIN, CLOSED, issue
from tests.web.reports import NOVEMBER, at, keeper

PAGE = "/console/usage"


@pytest.fixture(scope="module")
def module_env() -> Mapping[str, str]:
    """Require keys of the module's application."""
    return CLOSED


@pytest.fixture(scope="module")
def shop(module_app: Flask) -> IssuedKey:
    """Keep two calls of a key, and one of another."""
    issued = issue(module_app, "shop")
    own = [ended(f"req_{n}", key_id=issued.key.id, created_at=at(3)) for n in range(2)]
    keeper(module_app)(*own, ended("req_other", key_id="env:ci", model="secret", created_at=at(3)))
    return issued


def test_a_key_sees_its_own_calls(module_app: Flask, shop: IssuedKey) -> None:
    owner = SignedIn.with_key(module_app, shop.secret)

    page = owner.tables(PAGE, **NOVEMBER, by="key")

    assert page.totals["calls"] == "2"
    assert [row[0] for row in page.body("groups", headings=2)] == ["shop"]
    assert "secret" not in owner.page(PAGE, **NOVEMBER, by="model")


def test_a_key_is_not_shown_the_calls_of_another(module_app: Flask, shop: IssuedKey) -> None:
    owner = SignedIn.with_key(module_app, shop.secret)

    answer = owner.client.get(PAGE, query_string={**NOVEMBER, "key": "env:ci"})

    assert answer.status_code == 403
    assert "other keys" in problem_in(answer)
    assert PageTables(answer.text).tables == {}


@pytest.mark.usefixtures("shop")
def test_an_admin_sees_all_calls(module_app: Flask) -> None:
    admin = SignedIn.with_key(module_app, ADMIN)

    assert admin.tables(PAGE, **NOVEMBER).totals["calls"] == "3"
    assert admin.tables(PAGE, **NOVEMBER, key="shop").totals["calls"] == "2"


@pytest.mark.usefixtures("shop")
def test_who_has_not_signed_in_is_asked_to(module_app: Flask) -> None:
    answer = module_app.test_client().get(PAGE)

    assert answer.status_code == 303
    assert answer.location.startswith("/console/sign-in?next=%2Fconsole%2Fusage")
