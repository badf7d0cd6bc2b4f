"""State that processes share through Redis or Valkey."""


def is_shared(url: str) -> bool:
    """Whether processes share what is counted at RATELIMIT_STORAGE_URI; not at `memory://`."""
    return not url.startswith("memory:")
