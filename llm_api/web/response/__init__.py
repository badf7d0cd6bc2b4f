"""Everything that happens to an answer after its view."""
