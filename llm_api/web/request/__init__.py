"""Everything that happens to a request before its view."""
