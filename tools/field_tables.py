"""Writes tables of what vendors' models do with the fields of a request."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from llm_api.upstream.media.vendor_models import VendorModel, VendorProfile

M = TypeVar("M", bound=VendorModel)


def table(
    columns: Sequence[str],
    profiles: Mapping[str, VendorProfile[M]],
    cells: Callable[[M], Iterable[str]],
) -> str:
    """Return a table: a line for the models of a vendor that are treated alike.

    Args:
        columns: their heads, behind those of profile and models.
        profiles: the vendors, by name.
        cells: returns what a model does with each column.
    """
    lines = [" | ".join(["profile", "models", *columns]), "---|" * (len(columns) + 1) + "---"]
    for name, profile in sorted(profiles.items()):
        alike: dict[tuple[str, ...], list[str]] = {}
        for pattern, model in profile.models.items():
            alike.setdefault(tuple(cells(model)), []).append(f"`{pattern}`")
        lines += [
            " | ".join([f"`{name}`", _named(models), *made]) for made, models in alike.items()
        ]
    return "".join(f"|{line}|\n" if line.startswith("-") else f"| {line} |\n" for line in lines)


def _named(models: Iterable[str]) -> str:
    """Return patterns of names as they are read: the one for all names last."""
    named = list(models)
    others = ["all others" if len(named) > 1 else "all"] if "`*`" in named else []
    return ", ".join([*(one for one in named if one != "`*`"), *others])
