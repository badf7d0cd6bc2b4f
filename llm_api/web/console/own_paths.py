"""Paths that a browser is led on to: those of this service alone."""

from urllib.parse import urlsplit


def safe_path(target: str) -> str:
    r"""Return a path of this service to go on to; `/` for what leads to another host, or nowhere.

    Browsers take `//host` and `/\host` for another host, and pass over control characters.
    """
    is_own = target.startswith("/") and not target.startswith(("//", "/\\"))
    is_clean = target.isprintable() and "\\" not in target
    return target if is_own and is_clean and not urlsplit(target).netloc else "/"
