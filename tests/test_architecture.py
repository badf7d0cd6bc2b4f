"""What no single test of a function can hold: rules over the whole source."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import llm_api
from tests.support.service import REPOSITORY_ROOT

MAX_FUNCTION_LINES = 40
MAX_FILE_LINES = 300
SOURCES = sorted((REPOSITORY_ROOT / "llm_api").rglob("*.py"))
ROUTES = [path for path in SOURCES if path.match("web/*/routes.py")]
SCHEMA_TAKERS = {"arguments", "response", "alt_response"}


def decorators_of(path: Path) -> Iterator[ast.Call]:
    """Find the calls that decorate functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield from (one for one in node.decorator_list if isinstance(one, ast.Call))


def schemas_given(path: Path) -> list[ast.expr]:
    """Find what is given to flask-smorest as a schema."""
    calls = [c for c in decorators_of(path) if getattr(c.func, "attr", None) in SCHEMA_TAKERS]
    keywords = [k.value for call in calls for k in call.keywords if k.arg == "schema"]
    given = [argument for call in calls for argument in call.args] + keywords
    return [one for one in given if not isinstance(one, ast.Constant)]


def test_the_versions_agree() -> None:
    project = tomllib.loads((REPOSITORY_ROOT / "pyproject.toml").read_text())

    assert project["project"]["version"] == llm_api.__version__


def test_routes_give_schemas() -> None:
    given = [schema for path in ROUTES for schema in schemas_given(path)]

    assert len(ROUTES) == 2
    assert len(given) >= 5


@pytest.mark.parametrize("path", ROUTES, ids=lambda path: path.parent.name)
def test_schemas_are_given_as_instances(path: Path) -> None:
    """flask-smorest builds a class anew on every request."""
    classes = [ast.unparse(one) for one in schemas_given(path) if not isinstance(one, ast.Call)]

    assert classes == []


def test_no_function_is_longer_than_it_can_be_read() -> None:
    long = [
        f"{path.name}:{node.lineno} {node.name}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES
    ]

    assert long == []


def test_no_file_is_longer_than_it_can_be_read() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in SOURCES}

    assert len(lengths) > 20
    assert [name for name, length in lengths.items() if length > MAX_FILE_LINES] == []
