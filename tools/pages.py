"""Writes the generated parts of docs/: `python -m tools.pages`, or `make pages`.

A page's introduction is written by hand; what follows its mark is generated. tests/test_docs.py
fails when a page is stale.
"""

from pathlib import Path

from tools import configuration_page, errors_page

ROOT = Path(__file__).resolve().parents[1]
_GENERATED = {"configuration.md": configuration_page.written, "errors.md": errors_page.written}
_MARK = "<!-- Everything below "


def pages() -> dict[Path, str]:
    """Return every page with its text as it should be."""
    return {
        path: f"{_kept(path)}\n{write(ROOT)}"
        for name, write in _GENERATED.items()
        for path in [ROOT / "docs" / name]
    }


def _kept(path: Path) -> str:
    """Return a page up to its mark, the mark's line included."""
    introduction, mark, rest = path.read_text("utf-8").partition(_MARK)
    return introduction + mark + rest.partition("\n")[0] + "\n"


def main() -> None:
    """Write every page."""
    for path, text in pages().items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
