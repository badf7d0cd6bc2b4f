"""What pages for admins call and say in Chinese: all that the service does, and nothing else."""

import re

from llm_api.domain.audit import ACTS
from llm_api.web.console.operate_words import OperateWords, words_of
from tests.support.tables import each
from tests.web.console.sentence_sources import SOURCE, Module, filled

# Where the doctor's sentences come from.
ROOMS = (
    *("cli/doctor", "diagnostics/database", "diagnostics/doctor", "diagnostics/files"),
    *("diagnostics/redis", "diagnostics/replica", "diagnostics/spool", "diagnostics/surroundings"),
    *("diagnostics/upstream_route", "settings/misspelt_names", "storage/factory"),
    *("storage/files/folder", "storage/files/s3", "storage/sql/compatibility"),
    *("storage/sql/engine", "storage/sql/errors", "storage/threads"),
)
# What stands in their places comes from elsewhere, and is filled in below.
OPEN = ("⟨1⟩ has ⟨2⟩ ⟨3⟩.", "⟨1⟩ to ⟨2⟩, port ⟨3⟩.")
FILLED = (
    "localhost has 1 address.",
    "api.example.com has 2 addresses.",
    "http to 127.0.0.1, port 8080.",
    "https to api.example.com, port 443.",
    "The time for all checks was over.",
    "FAST_LLM_KEY is no setting and has no effect; is FAST_LLM_API_KEY meant?",
)
CHINESE = re.compile("[一-鿿].*。(⟨[0-9]+⟩)?$")


def chinese() -> OperateWords:
    """Return the words of the Chinese pages."""
    found = words_of("zh")
    assert found is not None
    return found


def said_in(room: str) -> set[str]:
    """Return the sentences of a module, with signs in their places."""
    said = {filled(one)[0] for one in Module(SOURCE / f"{room}.py").sentences()}
    return said - set(OPEN)


@each("room", ROOMS)
def test_what_the_doctor_says_is_known(room: str) -> None:
    said = said_in(room)

    assert said
    unknown = {one for one in said if not CHINESE.search(chinese().found(one) or "")}
    assert unknown == set()


@each("sentence", FILLED)
def test_what_it_puts_together_is_known(sentence: str) -> None:
    assert re.search("[一-鿿].*[。？]$", chinese().found(sentence) or "")


def test_every_pattern_is_a_sentence_of_the_doctor() -> None:
    said = {*FILLED, *(one for room in ROOMS for one in said_in(room))}
    sentences = [one for one in chinese().findings.sentences if one.english.endswith((".", "?"))]

    unused = [one.english for one in sentences if not any(map(one.pattern.fullmatch, said))]
    assert unused == []


@each(
    ("sentence", "expected"),
    [
        ("12 of 30 keys are valid.", "30 个密钥中有 12 个有效。"),
        ("fast DNS must pass first.", "需要先通过“fast DNS”。"),
        ("database schema must pass first.", "需要先通过“数据库结构”。"),
        (
            "Reports are read from the primary. The database does not answer.",
            "报表改从主库读取。数据库没有响应。",
        ),
    ],
)
def test_values_are_where_they_belong(sentence: str, expected: str) -> None:
    assert chinese().found(sentence) == expected


def test_every_act_has_a_name() -> None:
    assert chinese().terms["acts"].keys() == set(ACTS)


@each(
    ("state", "said"),
    [
        ("ok", "正常"),
        ("upstream_dns", "无法解析上游的主机名。"),
        ("The database does not answer.", "数据库没有响应。"),
        ("something new", ""),
    ],
)
def test_a_part_of_the_service_says_how_it_is(state: str, said: str) -> None:
    assert chinese().state(state) == said


def test_the_service_s_own_language_needs_no_words() -> None:
    assert words_of("en") is None
