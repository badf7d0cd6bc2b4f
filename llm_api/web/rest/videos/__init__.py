"""The routes of films, in a small and strict schema."""
