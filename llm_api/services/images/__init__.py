"""Makes pictures."""
