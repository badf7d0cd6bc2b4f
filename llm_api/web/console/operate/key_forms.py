"""Forms of keys and groups, read as the documents that the API takes."""

import re
from collections.abc import Mapping
from typing import Any

from flask import request

LIMITS = (
    "requests",
    "tokens_per_minute",
    "concurrent_requests",
    "concurrent_streams",
    "images_per_minute",
)
_LISTS = ("models", "routes", "budgets", "tags")
_NULL_IS_ALL = frozenset(["models", "routes"])
_SEPARATORS = re.compile(r"[,\n]")


def key_document(former: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the form of a key as the API's document, with every property.

    Args:
        former: the key as JSON before it is changed; None: it is a new one. An end that was not
            changed is left out: it may be over, and the API takes only one to come.
    """
    form = request.form
    document: dict[str, Any] = {
        "name": form.get("name", "").strip(),
        "is_admin": form.get("is_admin") == "yes",
        "limits": _limits(),
        "group": form.get("group", "").strip() or None,
        **{name: _listed(name) for name in _LISTS},
    }
    end = form.get("expires", "").strip() or None
    if end != (None if former is None else former["expires_at"]):
        document["expires"] = end
    return document


def group_document() -> dict[str, Any]:
    """Return the form of a group as the API's document."""
    name = request.form.get("name", "").strip()
    return {"name": name, "limits": _limits(), "budgets": _listed("budgets")}


def _listed(name: str) -> list[str] | None:
    parts = (part.strip() for part in _SEPARATORS.split(request.form.get(name, "")))
    found = [part for part in parts if part]
    return None if not found and name in _NULL_IS_ALL else found


def _limits() -> dict[str, Any]:
    given = {name: request.form.get(name, "").strip() for name in LIMITS}
    return {
        name: int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else text
        for name, text in given.items()
        if text
    }
