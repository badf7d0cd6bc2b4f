"""Reads the tables of a page, as people and programs do: texts of cells, and the addresses."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class PageTables(HTMLParser):
    """The tables of a page.

    Attributes:
        tables: by the id that labels a table's section, or its own `data-` name: rows of texts.
        totals: the figures above them, by their names.
        links: all addresses.
    """

    html: str
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    totals: dict[str, str] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Read the page."""
        super().__init__()
        self._section = self._total = ""
        self._rows: list[list[str]] = []
        self._in_cell = False
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin what has begun."""
        given = {name: value or "" for name, value in attrs}
        if tag == "section":
            self._section = given.get("aria-labelledby", "")
        elif tag == "table":
            own = next((name[5:] for name in given if name.startswith("data-")), self._section)
            self._rows = self.tables.setdefault(own, [])
        elif tag == "tr":
            self._rows.append([])
        elif tag in {"td", "th"}:
            self._in_cell = True
            self._rows[-1].append("")
        elif tag == "br" and self._in_cell:
            self._rows[-1][-1] += " + "
        elif tag == "dd":
            self._total = given.get("data-total", "")
        elif tag == "a":
            self.links.append(given.get("href", ""))

    def handle_endtag(self, tag: str) -> None:
        """End what has ended."""
        if tag in {"td", "th"}:
            self._in_cell = False
        elif tag == "dd":
            self._total = ""

    def handle_data(self, data: str) -> None:
        """Take a text to its cell."""
        if self._in_cell:
            self._rows[-1][-1] = (self._rows[-1][-1] + re.sub(r"\s+", " ", data)).strip(" ")
        elif self._total:
            self.totals[self._total] = (self.totals.get(self._total, "") + data).strip()

    def body(self, name: str, headings: int = 1) -> list[list[str]]:
        """Return the rows of a table below its headings."""
        return self.tables.get(name, [])[headings:]
