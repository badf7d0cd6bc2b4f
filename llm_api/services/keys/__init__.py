"""API keys: creating, authenticating, limiting guesses."""
