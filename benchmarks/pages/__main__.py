"""Write docs/benchmarks.md and docs/sizing.md from figures: `python -m benchmarks.pages`."""

from benchmarks.pages.written import pages


def main() -> None:
    """Write every page."""
    for path, text in pages().items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
