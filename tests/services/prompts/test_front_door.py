"""Everything outside of the package imports its few names and nothing behind them.

import-linter holds `llm_api` itself to that; here the benchmarks and the other tests are.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_api.services import prompts
from tests.support.service import REPOSITORY_ROOT

PACKAGE = "llm_api.services.prompts"
OWN_TESTS = REPOSITORY_ROOT / "tests/services/prompts"
OUTSIDE = sorted(
    path
    for folder in ("benchmarks", "tests", "llm_api")
    for path in (REPOSITORY_ROOT / folder).rglob("*.py")
    if OWN_TESTS not in path.parents and not path.is_relative_to(Path(prompts.__file__).parent)
)


def imported_by(source: str) -> Iterator[str]:
    """Yield what a file imports of the package: modules, and names as `package:name`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith(PACKAGE))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            yield from (f"{node.module}:{alias.name}" for alias in node.names)


def forbidden_in(source: str) -> list[str]:
    allowed = {f"{PACKAGE}:{name}" for name in prompts.__all__}
    return [name for name in imported_by(source) if name not in allowed]


def test_the_package_exports_few_names() -> None:
    assert sorted(prompts.__all__) == [
        "Constraints",
        "Experiment",
        "Keeping",
        "KeptRewrites",
        "NOT_KEPT",
        "NO_REWRITES",
        "NO_SUCH_REWRITE",
        "OF_REWRITES",
        "PictureDescriber",
        "Place",
        "PromptOptimizer",
        "REWRITE_ID",
        "Scene",
        "SharedRewrites",
        "Thing",
        "VisionModels",
        "find_constraints",
        "find_scene",
        "find_violations",
        "is_chinese",
        "lost_requirements",
        "read_checkpoint",
        "requirements_of",
        "without_marks",
    ]


def test_nothing_passes_the_front_door() -> None:
    found = {str(path): forbidden_in(path.read_text("utf-8")) for path in OUTSIDE}

    assert sum("benchmarks/prompts" in path for path in found) >= 5
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "source",
    [
        f"from {PACKAGE}.text import clean",
        f"import {PACKAGE}.checks.all_checks",
        f"from {PACKAGE} import task",
    ],
)
def test_an_import_from_inside_is_noticed(source: str) -> None:
    assert forbidden_in(source) != []
