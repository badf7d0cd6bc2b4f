"""Writes what is generated in docs/ and config/: `python -m tools.pages`, or `make pages`.

A page's introduction is written by hand; what follows its mark is generated. tests/test_docs.py
fails when one is stale.
"""

from pathlib import Path

from llm_api.settings import describe
from tools import errors_page

ROOT = Path(__file__).resolve().parents[1]
_MARK = "<!-- Everything below "


def pages() -> dict[Path, str]:
    """Return every generated file with its text as it should be."""
    configuration, errors = ROOT / "docs" / "configuration.md", ROOT / "docs" / "errors.md"
    return {
        configuration: f"{_kept(configuration)}\n{describe.markdown()}",
        errors: f"{_kept(errors)}\n{errors_page.written(ROOT)}",
        ROOT / "config" / "example.env": describe.env_text(),
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
