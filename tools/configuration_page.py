"""Writes an entry for every setting, from the comments of config/example.env."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class _Setting:
    """Settings that share a comment: their names and defaults, the text and an example."""

    defaults: Mapping[str, str]
    text: str
    example: str


_SECTION = re.compile(r"# --- (.+?) -+")
_ASSIGNMENT = re.compile(r"(?:# )?([A-Z_]+)=(.*)")


def settings(text: str) -> dict[str, list[_Setting]]:
    """Read the format of config/example.env: its sections, each with its settings."""
    found: dict[str, list[_Setting]] = {}
    for block in _blocks(text.splitlines()):
        if title := _SECTION.fullmatch(block[0]):
            section = found.setdefault(title[1], [])
            block = block[1:]  # noqa: PLW2901  # the title is read
        if any(_ASSIGNMENT.fullmatch(line) for line in block):
            section.append(_setting(block))
    return found


def _blocks(lines: Sequence[str]) -> Iterator[list[str]]:
    """Yield lines that belong together: comments, and the assignments below them."""
    block: list[str] = []
    for line in lines:
        is_new = not line or (block and _is_comment(line) and not _is_comment(block[-1]))
        if is_new and block:
            yield block
            block = []
        if line:
            block.append(line)
    if block:
        yield block


def _is_comment(line: str) -> bool:
    return not _ASSIGNMENT.fullmatch(line)


def _setting(block: Sequence[str]) -> _Setting:
    assignments = [found for line in block if (found := _ASSIGNMENT.fullmatch(line))]
    comments = [line.removeprefix("#") for line in block if _is_comment(line)]
    return _Setting(
        {found[1]: found[2] for found in assignments},
        " ".join(line.strip() for line in comments if not line.startswith("   ")),
        "\n".join(line.strip() for line in comments if line.startswith("   ")),
    )


def written(root: Path) -> str:
    """Return the entries, grouped by section."""
    source = (root / "config" / "example.env").read_text("utf-8")
    parts: list[str] = []
    for title, section in settings(source).items():
        parts.append(f"## {title}\n")
        parts += [_described(setting) for setting in section]
    return "\n".join(parts)


def _described(setting: _Setting) -> str:
    heading = ", ".join(f"`{name}`" for name in setting.defaults)
    values = {f"`{default}`" if default else "none" for default in setting.defaults.values()}
    lines = [f"### {heading}\n", f"{setting.text}\n" if setting.text else ""]
    if setting.example:
        lines.append(f"```sh\n{setting.example}\n```\n")
    return "\n".join([*filter(None, lines), f"Default: {', '.join(sorted(values))}.\n"])
