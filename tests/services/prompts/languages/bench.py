"""The bench of languages: prompts with good rewrites in English and their own language, and drifts.

`prompts.toml` was written with the checks, `held_out.toml` after them: its first figures stand in
docs/prompts-bench.md.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent
PROMPTS = _FOLDER / "prompts.toml"
# Languages that write names with capitals, and nothing else.
_CASED = [
    "es",
    "fr",
    "it",
    "pt",
    "nl",
    "pl",
    "cs",
    "ro",
    "sv",
    "da",
    "no",
    "fi",
    "tr",
    "id",
    "ru",
    "uk",
    "bg",
    "el",
]
_DROPPED = re.compile(
    r"\b(?:of |de |di |van |av |af |ritratto )?\w*(?:Frid|Фрид|Фрід|Φρίντ)\w* \w+|Frida Kahlo\w*"
)
_PUT_ANEW = ("fishermen", "painter", "women", "poster")
OTHER = 7  # a number that no scene has


@dataclass(frozen=True, slots=True)
class Row:
    """A prompt, and a good rewrite of it in a language."""

    scene: str
    language: str
    prompt: str
    written_in: str
    rewrite: str

    def __str__(self) -> str:
        """Return which it is, for a list of failures."""
        return f"{self.language} {self.scene} in {self.written_in}: {self.rewrite}"


def scenes() -> dict[str, dict[str, str]]:
    """Return the scenes with their English rewrites, by name."""
    table = tomllib.loads((_FOLDER / "scenes.toml").read_text("utf-8"))
    return {scene["name"]: scene for scene in table["scene"]}


def rows() -> Iterator[Row]:
    """Yield every prompt twice: with an English rewrite, and with one in its own language."""
    table = tomllib.loads(PROMPTS.read_text("utf-8"))
    for language, texts in table.items():
        anew = dict(zip(_PUT_ANEW, texts["rewrites"], strict=True))
        for at, (prompt, scene) in enumerate(zip(texts["prompts"], scenes().values(), strict=True)):
            name = scene["name"]
            yield Row(name, language, prompt, "en", scene["rewrite"])
            own = anew.get(name) or _with_tail(prompt, texts["tails"][at % 2])
            yield Row(name, language, prompt, language, own)


def held_out() -> Iterator[Row]:
    """Yield the prompts that were written after the checks, each with both of its rewrites."""
    table = tomllib.loads((_FOLDER / "held_out.toml").read_text("utf-8"))
    for language, texts in table.items():
        for at, (prompt, english, own) in enumerate(texts["rows"]):
            yield Row(f"held out {at}", language, prompt, "en", english)
            yield Row(f"held out {at}", language, prompt, language, own)


def _with_tail(prompt: str, tail: str) -> str:
    body, tag, end = prompt.partition(" <lora")
    return f"{body}. {tail}{tag}{end}"


def drifts(row: Row) -> Iterator[tuple[str, str]]:
    """Yield rewrites that changed what can be compared, with the violations that must be found."""
    scene = scenes()[row.scene]
    if quote := scene.get("quote"):
        yield "quote_lost", re.sub(rf"\W{{0,2}}{quote}\W{{0,2}}", " ", row.rewrite)
        yield "quote_lost", row.rewrite.replace(quote, "OPNE")
    end = "" if row.rewrite[-1] in ".。।" else "."
    yield "quote_added", f'{row.rewrite}{end} "SALE 50"'
    is_dual = row.language == "ar" and row.scene == "women"  # two is an ending there
    if row.written_in == "en" and (count := scene.get("count")) and not is_dual:
        yield "count_changed", row.rewrite.replace(count, str(OTHER))
    if row.scene in {"poster", "cats"} and row.written_in != "en":
        yield "count_changed", re.sub(r"[35](?!\d)", str(OTHER), row.rewrite)
    is_cased = row.language in _CASED or row.written_in == row.language
    if row.scene == "painter" and row.language in _CASED and is_cased:
        yield "name_lost", _DROPPED.sub("", row.rewrite)
    if row.scene == "castle":
        yield "syntax_lost", row.rewrite.replace("<lora:detail:0.8>", "")


def fluent() -> Iterator[Row]:
    """Yield the prompts with rewrites in their own language that are written anew throughout."""
    prompts = tomllib.loads(PROMPTS.read_text("utf-8"))
    for language, texts in _fluent().items():
        found = zip(scenes(), prompts[language]["prompts"], texts["rewrites"], strict=True)
        for scene, prompt, rewrite in found:
            yield Row(scene, language, prompt, language, rewrite)


def fluent_drifts() -> Iterator[tuple[Row, str, str]]:
    """Yield a prompt with a fluent rewrite, the same with one thing changed, and the violation."""
    by_language: dict[str, list[Row]] = {}
    for row in fluent():
        by_language.setdefault(row.language, []).append(row)
    for language, texts in _fluent().items():
        for at, before, after, code in texts["drifts"]:
            row = by_language[language][at]
            changed = row.rewrite.replace(before, after)
            assert changed != row.rewrite, (language, at, before)
            yield row, changed, code


def _fluent() -> dict[str, Any]:
    return tomllib.loads(PROMPTS.with_name("fluent.toml").read_text("utf-8"))
