"""The schemas for editors accept what is shipped, and refuse what the service refuses."""

import json
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema_rs

from llm_api.settings.config_files import MODELS, read_models
from llm_api.settings.settings import SettingsError
from tests.settings import test_config_files as config_tables
from tests.settings import test_config_targets as target_tables
from tests.settings import test_image_profiles as image_tables
from tests.support.service import REPOSITORY_ROOT
from tests.support.tables import each
from tools.config_schemas import SCHEMAS

CONFIG = REPOSITORY_ROOT / "config"
FILES = sorted(path.relative_to(CONFIG).as_posix() for path in CONFIG.rglob("*.toml"))
# What no schema can say: Python's regular expressions, and which names two tables have in common.
UNSAID = {"bad pattern", "length of another language"}
PRICE = 'valid_from = 2026-01-31\ncurrency = "CNY"\n'
# Texts of a price and of limits, and whether the service takes them.
AMOUNTS = {
    **dict.fromkeys(['"0.8"', '"2"', "2", '"1e-3"', '".5"', '"1_000"', '" 3 "', "0"], True),
    **dict.fromkeys(['"-1"', "-1", '"x"', '""', "0.8", "true", "1_000_000_000"], False),
}
LIMITS = {
    **dict.fromkeys(["600/minute;20000/day", "1 per second", "5/2hours", "5/Minute,9/day"], True),
    **dict.fromkeys(["often", "0/day", "5", "5/fortnight", "5/day;", "-1/day"], False),
}
PRICES = {
    "": True,
    'images = [{ price = "1" }]\n': True,
    'images = [{ price = "1", max_pixels = 0 }]\n': False,
    'images = [{ quality = "low" }]\n': False,
    'inputs = "1"\n': False,
}


def schema(name: str) -> jsonschema_rs.Draft202012Validator:
    """Return what holds documents against a schema of config/schemas/."""
    text = (CONFIG / "schemas" / f"{name}.json").read_text("utf-8")
    return jsonschema_rs.Draft202012Validator(json.loads(text), validate_formats=True)


def document(text: str) -> Any:
    """Read TOML as an editor does, which has a date as a text."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [plain(inner) for inner in value]
        return value.isoformat() if isinstance(value, date) else value

    return plain(tomllib.loads(text))


def priced(more: str) -> str:
    """Write a catalogue with one price."""
    return f'[models."m"]\nupstream = "fast"\n[[models."m".prices]]\n{PRICE}{more}'


def is_taken(root: Path, text: str) -> bool:
    """Whether the service starts with a catalogue."""
    (root / "config").mkdir(exist_ok=True)
    (root / MODELS).write_text(text)
    try:
        read_models(root)
    except SettingsError:
        return False
    return True


@each("name", list(SCHEMAS))
def test_a_schema_is_one_itself(name: str) -> None:
    text = (CONFIG / "schemas" / f"{name}.json").read_text("utf-8")

    jsonschema_rs.meta.validate(json.loads(text))


@each("name", FILES)
def test_a_shipped_file_names_its_schema_and_satisfies_it(name: str) -> None:
    path = CONFIG / name
    text = path.read_text("utf-8")
    mark, _, place = text.partition("\n")[0].partition(" ")

    assert mark == "#:schema"
    target = (path.parent / place).resolve()
    assert target.parent == CONFIG / "schemas"
    (expected,) = [key for key, (_, files) in SCHEMAS.items() if path.match(f"config/{files}")]
    assert target.stem == expected
    schema(target.stem).validate(document(text))


@each(
    ("kind", "name", "text"),
    [
        *(("models", name, text) for name, (text, _) in config_tables.WRONG_MODELS.items()),
        *(("profile", name, text) for name, (text, _) in config_tables.WRONG_PROFILES.items()),
        *(("targets", name, text) for name, (text, _) in target_tables.WRONG.items()),
    ],
)
def test_what_the_service_refuses_is_refused(kind: str, name: str, text: str) -> None:
    if name not in UNSAID:
        assert not schema(kind).is_valid(document(text))


@each(
    ("old", "new"),
    [
        ("n_per_call = 4", "m_per_call = 4"),
        ('protocol = "openai"', 'protocol = "soap"'),
        ('["1024x1024"]', '["big"]'),
        ("n_per_call = 1", "n_per_call = 0"),
        ("n_per_call = 1", 'filters = ["x"]'),
        ("1.5K", "big"),
        ("title", "titel"),
        ("[models", "[model"),
    ],
)
def test_mistakes_in_files_of_pictures_are_refused(old: str, new: str) -> None:
    good = image_tables.GOOD
    assert old in good
    assert schema("images").is_valid(document(good))

    assert not schema("images").is_valid(document(good.replace(old, new)))


@each(
    ("name", "old", "new"),
    [
        ("rubric.toml", "artifacts = 1.5", "artifacts = 0"),
        ("rubric.toml", "artifacts = 1.5", "beauty = 1.5"),
        ("rubric.toml", "artifacts = 1.5\n", ""),
        ("en/dimensions.toml", "[dimensions.artifacts]", "[dimensions.beauty]"),
        ("zh/dimensions.toml", 'first = "', 'third = "'),
    ],
)
def test_mistakes_in_rubrics_are_refused(name: str, old: str, new: str) -> None:
    good = (CONFIG / "rubrics" / "1" / name).read_text("utf-8")
    assert old in good
    held = schema(Path(name).stem)

    assert not held.is_valid(document(good.replace(old, new)))


def test_prices_and_limits_are_taken_and_refused_as_by_the_service(tmp_path: Path) -> None:
    texts = {priced(f"input = {amount}\n"): good for amount, good in AMOUNTS.items()}
    texts |= {priced(more): good for more, good in PRICES.items()}
    texts |= {
        f'[models."m"]\nupstream = "fast"\nlimits = {{ requests = "{one}" }}\n': good
        for one, good in LIMITS.items()
    }
    texts |= {priced("").replace("CNY", "cny"): False, priced("").replace("2026-01-31", "1"): False}
    held = schema("models")

    assert {text: is_taken(tmp_path, text) for text in texts} == texts
    assert {text: held.is_valid(document(text)) for text in texts} == texts
