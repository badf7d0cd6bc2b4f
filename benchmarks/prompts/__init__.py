"""The prompt bench: what rewriting does to prompts, by the service's own checks."""
