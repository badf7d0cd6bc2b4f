"""What no single test of a function can hold: rules over the whole source."""

import ast
import re
import tomllib
from collections import Counter
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

    assert len(ROUTES) == 3
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
    lengths = {path: len(path.read_text().splitlines()) for path in SOURCES}

    assert len(lengths) > 20
    assert [str(path) for path, length in lengths.items() if length > MAX_FILE_LINES] == []


def assigned(tree: ast.AST) -> Iterator[ast.expr]:
    """Find the targets of assignments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            yield from node.targets
        elif isinstance(node, ast.AnnAssign | ast.AugAssign):
            yield node.target


def written_parameter(target: ast.expr, parameters: set[str]) -> bool:
    """Whether an assignment writes to an attribute of a parameter, or to something inside it."""
    is_attribute = False
    while isinstance(target, ast.Attribute | ast.Subscript):
        is_attribute |= isinstance(target, ast.Attribute)
        target = target.value
    return is_attribute and isinstance(target, ast.Name) and target.id in parameters


def test_results_are_returned_and_not_written_into_parameters() -> None:
    """What a function does is in its signature; runtime/ holds what lives beside requests."""
    written = [
        f"{path.relative_to(REPOSITORY_ROOT)}:{target.lineno} {ast.unparse(target)}"
        for path in SOURCES
        if "runtime" not in path.parts
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef)
        for target in assigned(function)
        if written_parameter(
            target, {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)} - {"self"}
        )
    ]

    assert written == []


def test_the_request_state_alone_lies_on_flask_g() -> None:
    text = "\n".join(path.read_text() for path in SOURCES)
    names = set(re.findall(r"\bg\.(\w+)", text)) | set(re.findall(r'\bg\.get\("(\w+)"', text))

    assert names - {"get"} == {"request_state"}


def test_file_names_are_used_once_within_a_floor() -> None:
    common = {"__init__.py", "routes.py", "schemas.py"}
    names = Counter(
        (path.relative_to(SOURCES[0].parent).parts[0], path.name)
        for path in SOURCES
        if path.name not in common
    )

    assert [name for name, count in names.items() if count > 1] == []


def test_few_modules_lie_flat() -> None:
    assert len([path for path in SOURCES if path.parent.name == "llm_api"]) <= 8


def test_docstrings_speak_the_field_s_language() -> None:
    """docs/glossary.md has the words; these openings say nothing of what is returned or done."""
    opening = re.compile(r'"""(Take|Begin|Tell|Hold|Say|Whoever|Nobody|Somebody)\b')
    found = [
        f"{path.relative_to(REPOSITORY_ROOT)}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if opening.search(line)
    ]

    assert found == []


def test_no_test_changes_the_handler_that_all_tests_share() -> None:
    """`caplog.handler` outlives a test: what a test sets on it is to be set by `monkeypatch`."""
    changed = [
        path.name
        for path in (REPOSITORY_ROOT / "tests").rglob("*.py")
        if re.search(r"caplog\.handler\.(set|add)\w+\(", path.read_text("utf-8"))
    ]

    assert changed == []


def test_pages_are_waited_for_and_not_read_at_once() -> None:
    """A page shows what it was told a moment later: `expect` and `shown_text` wait for it."""
    at_once = re.compile(
        r"\.inner_text\(\)|assert .*\.(all_inner_texts|all_text_contents|text_content|count"
        r"|input_value|is_(visible|hidden|checked|enabled|disabled))\(\)"
    )
    found = [
        f"{path.name}:{number}"
        for path in (REPOSITORY_ROOT / "tests").rglob("*.py")
        if path.name != "browsing.py" and "playwright" in (text := path.read_text("utf-8"))
        for number, line in enumerate(text.splitlines(), 1)
        if at_once.search(line)
    ]

    assert found == []
