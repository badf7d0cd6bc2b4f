"""Tells a client by headers what became of its request: parameters left out, another model used."""

from collections.abc import Sequence

from flask import Response, g

_MAX_NAMED = 20
_MAX_NAME = 64


def noted(response: Response, dropped: Sequence[str] = ()) -> Response:
    """Add the headers; `dropped` are fields that nobody knows, beside those of the upstream."""
    notes = g.notes
    if named := [*dropped, *notes.dropped]:
        # Named for the caller, who would otherwise not know.
        response.headers["x-dropped-params"] = ",".join(map(header_safe, named[:_MAX_NAMED]))
    if (fallback := notes.fallback) is not None:
        asked = f"{fallback.asked_upstream}/{fallback.asked_model}"
        used = f"{fallback.used_upstream}/{fallback.used_model}"
        response.headers["x-fallback-from"] = header_safe(asked)
        response.headers["x-fallback-to"] = header_safe(used)
        response.headers["x-fallback-reason"] = fallback.reason
    return response


def header_safe(name: str) -> str:
    """Make a name that somebody made up fit for a header."""
    return "".join(c if c.isascii() and c.isprintable() and c != "," else "?" for c in name)[
        :_MAX_NAME
    ]
