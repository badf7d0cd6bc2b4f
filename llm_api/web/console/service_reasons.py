"""What the reasons of errors mean, in the languages of the pages that are not the service's own.

A file of `static/reasons/` has them for a language, with those of repeated calls: for scripts, too,
which read it with `explanations.js`. Pages show what the service has said beneath, word for word.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import orjson

from llm_api.web.console import assets

FILES: Mapping[str, str] = {"zh": "reasons/zh.json"}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a reason means.

    Attributes:
        happened: a sentence.
        advice: what helps, in sentences; empty where nothing does.
    """

    happened: str
    advice: str = ""


def address_of(language: str) -> str | None:
    """Return where scripts get the explanations in a language; None for what needs none."""
    return assets.address_of(FILES[language]) if language in FILES else None


def explained(language: str, reason: str | None) -> Explanation | None:
    """Return what a reason means; None for one unknown, and in the service's own language."""
    return explanations_of(language).get(reason or "") if language in FILES else None


@cache
def explanations_of(language: str) -> Mapping[str, Explanation]:
    """Return all reasons in a language that has a file; it is read when first asked for."""
    found = orjson.loads((assets.FOLDER / FILES[language]).read_bytes())
    return {reason: Explanation(**parts) for reason, parts in found.items()}
