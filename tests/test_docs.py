"""What the pages promise: generated parts are current, links resolve, every reason is explained."""

import ast
import re
from pathlib import Path

import pytest

from llm_api.settings.definitions import SETTINGS
from llm_api.settings.settings import PROJECT_ROOT
from llm_api.web.making.picture_bodies import MAX_PICTURES_BODY_BYTES
from llm_api.web.request.body import MAX_BODY_BYTES
from tests.support.tables import each
from tools.error_reasons import Reason, collect
from tools.errors_page import explained
from tools.pages import pages

PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "config/*.md", "examples/*.md", "findings/*.md")
    for path in PROJECT_ROOT.glob(pattern)
)
FINDINGS = sorted((PROJECT_ROOT / "findings").glob("*.sh"))
MAX_README_WORDS = 900
TABLE = explained(PROJECT_ROOT)


@pytest.fixture(scope="module")
def found() -> dict[str, Reason]:
    """Read the reasons out of the code: seconds, which no worker that runs other files pays."""
    return collect(PROJECT_ROOT / "llm_api")


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_generated_pages_are_current() -> None:
    stale = [page.name for page, text in pages().items() if page.read_text("utf-8") != text]

    assert stale == [], "run `make pages`"


def test_every_reason_in_the_code_is_explained(found: dict[str, Reason]) -> None:
    assert set(found) - set(TABLE["attempts"]) == set(TABLE["reasons"])


def test_reasons_are_found_in_all_three_forms(found: dict[str, Reason]) -> None:
    assert found["upstream_auth"] == Reason({502}, {"SERVICE_ERROR"}, {False})  # a keyword
    assert found["forbidden_parameter"].statuses == {400}  # a position
    assert "unknown_field" in found  # a table


def test_every_word_of_attempts_is_in_the_code() -> None:
    words = {
        node.value
        for path in (PROJECT_ROOT / "llm_api").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }

    assert set(TABLE["attempts"]) <= words


@each("page", PAGES)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", page.read_text("utf-8"))

    for target, anchor in links:
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), f"{target}#{anchor}"


def test_the_readme_stays_short() -> None:
    text = (PROJECT_ROOT / "README.md").read_text("utf-8")

    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)

    assert len(prose.split()) <= MAX_README_WORDS


def test_every_page_of_docs_is_in_the_table_of_contents() -> None:
    contents = (PROJECT_ROOT / "docs" / "README.md").read_text("utf-8")

    missing = [p.name for p in (PROJECT_ROOT / "docs").glob("*.md") if p.name not in contents]

    assert missing == []


def test_every_name_of_the_glossary_is_in_the_code() -> None:
    code = PROJECT_ROOT / "llm_api"
    text = "".join(path.read_text("utf-8") for path in code.rglob("*.py"))
    words = set(re.findall(r"\w+", text))
    rows = (PROJECT_ROOT / "docs" / "glossary.md").read_text("utf-8").splitlines()
    cells = [cells[3] for row in rows if len(cells := row.split("|")) > 5]
    names = {name.rstrip("/") for cell in cells for name in re.findall(r"`([\w./]+)`", cell)}

    unknown = [
        name
        for name in sorted(names)
        if not (words >= set(name.split(".")) or [*code.rglob(f"{name}*")])
        and not (PROJECT_ROOT / name).exists()
    ]

    assert len(names) > 60
    assert unknown == []


def test_every_decision_is_in_its_index() -> None:
    folder = PROJECT_ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text("utf-8")

    assert [page.name for page in sorted(folder.glob("0*.md")) if page.name not in index] == []


def test_the_rooms_of_contributing_exist_and_are_complete() -> None:
    text = (PROJECT_ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rooms = set(re.findall(r"^\| `([a-z_/]+/)` \|", text, re.MULTILINE))
    packages = {
        f"llm_api/{path.parent.name}/" for path in (PROJECT_ROOT / "llm_api").glob("*/__init__.py")
    }

    assert packages <= rooms
    assert all((PROJECT_ROOT / room).is_dir() for room in rooms)


@each("script", FINDINGS)
def test_a_finding_says_what_it_shows(script: Path) -> None:
    head = script.read_text("utf-8").partition("set -euo pipefail")[0]
    listed = (script.parent / "README.md").read_text("utf-8")

    assert f"]({script.name})" in listed
    assert re.findall(r"^# (\w+)  ", head, re.MULTILINE) == [
        "Software",
        "Expected",
        "Observed",
        "Output",
    ]


def test_the_example_of_nginx_has_the_limits_of_the_service() -> None:
    text = (PROJECT_ROOT / "docs" / "nginx.conf").read_text("utf-8")
    total_s = float(SETTINGS["UPSTREAM_TOTAL_TIMEOUT"].default)

    (waits_s,) = re.findall(r"proxy_read_timeout (\d+)s;", text)
    sizes_mib = re.findall(r"client_max_body_size (\d+)m;", text)

    assert total_s < float(waits_s) < total_s + 600
    limits = [MAX_BODY_BYTES, MAX_PICTURES_BODY_BYTES]
    assert [int(size) << 20 for size in sizes_mib] == limits
    assert [text.count(f"must be at most {size} MiB") for size in sizes_mib] == [2, 2]
