"""Aliases, patterns and vendors in `config/models.toml`."""

from datetime import date
from pathlib import Path

import pytest

from llm_api.domain.calls import Model, TokenUsage
from llm_api.services.pricing import PriceList
from llm_api.settings.config_files import MODELS, PROFILES, read_models
from llm_api.settings.settings import PROJECT_ROOT, SettingsError
from tests.conftest import AppOf, SettingsOf

USAGE = TokenUsage(1_000_000, 0, "upstream")
DAY = date(2026, 11, 1)


def entry(name: str, *traits: str, price: int | None = None) -> str:
    """Write an entry of the fast upstream."""
    head = "\n".join([f'[models."{name}"]', 'upstream = "fast"', *traits, ""])
    if price is None:
        return head
    dated = 'valid_from = 2026-01-01\ncurrency = "CNY"'
    return f'{head}[[models."{name}".prices]]\n{dated}\ninput = "{price}"\noutput = "0"\n'


def read(root: Path, *entries: str) -> tuple[list[Model], PriceList]:
    """Write a catalogue, and read it."""
    (root / "config").mkdir(exist_ok=True)
    (root / PROFILES).symlink_to(PROJECT_ROOT / PROFILES)
    (root / MODELS).write_text("\n".join(entries))
    return read_models(root)


def cost(prices: PriceList, model: str) -> int | None:
    """Return what a million tokens cost, in units of the currency; None where it is unknown."""
    found = prices.cost(model, USAGE, DAY)
    return None if found is None else found[0] // 1_000_000


def test_an_entry_may_be_an_alias_and_of_one_vendor(tmp_path: Path) -> None:
    models, _ = read(tmp_path, entry("a", 'model = "real"', 'profile = "openai"'), entry("b"))

    assert models == [
        Model("a", "fast", model="real", profile="openai"),
        Model("b", "fast"),
    ]


def test_rows_of_an_alias_have_the_price_of_the_real_name(tmp_path: Path) -> None:
    alias, real = entry("a", 'model = "real"', price=9), entry("real", price=2)

    _, prices = read(tmp_path, alias, real, entry("b", 'model = "other"', price=5))

    assert [cost(prices, name) for name in ("real", "other", "a", "b")] == [2, 5, None, None]


def test_a_pattern_has_prices_for_all_that_match(tmp_path: Path) -> None:
    _, prices = read(
        tmp_path,
        entry("gpt-*", price=1),
        entry("gpt-4*", price=4),
        entry("gpt-4o", price=7),
        entry("gpt-free"),
    )

    names = ("gpt-3", "gpt-4-turbo", "gpt-4o", "gpt-free", "qwen")
    assert [cost(prices, name) for name in names] == [1, 4, 7, 1, None]
    assert prices.has_patterns


def test_without_patterns_no_call_looks_for_any(tmp_path: Path) -> None:
    _, prices = read(tmp_path, entry("gpt-4o", price=7))

    assert not prices.has_patterns


@pytest.mark.parametrize(
    ("trait", "place"),
    [
        ('profile = "opneai"', "models.a.profile"),
        ('profile = ""', "models.a.profile"),
        ('model = ""', "models.a.model"),
        ("model = 7", "models.a.model"),
    ],
)
def test_a_mistake_is_told_by_its_place(tmp_path: Path, trait: str, place: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read(tmp_path, entry("a", trait))

    (problem,) = raised.value.problems
    assert place in problem.replace(".value", "")


def test_a_fallback_may_be_what_a_pattern_matches(
    app_of: AppOf, settings_of: SettingsOf, upstream_env: dict[str, str]
) -> None:
    root = settings_of({}).root
    (root / "config").unlink()
    read(root, entry("gpt-*"), entry("a", 'fallback = ["gpt-4o"]', 'longer_context = "gpt-5"'))
    for name in ("targets.toml", "rubrics"):
        (root / "config" / name).symlink_to(PROJECT_ROOT / "config" / name)

    assert app_of(upstream_env)
    with pytest.raises(SettingsError):
        app_of(upstream_env | {"FAST_LLM_FALLBACK": "qwen"})
