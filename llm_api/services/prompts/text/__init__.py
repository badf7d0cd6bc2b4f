"""Plain text operations that know nothing of constraints."""
