"""Pictures in a small, strict schema."""
