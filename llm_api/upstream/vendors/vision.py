"""What a vendor says about pictures in chat calls: detail, switches, and the tokens they take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

LOW, HIGH = "low", "high"
# What a picture takes at most where nothing better is known: the finest grid of those in use, of 28
# pixels squared, and what stands around it. Elsewhere half more than the fewest tokens is enough,
# and the base twice: what is cut into tiles has whole ones.
_FINEST_GRID, _AROUND, _HALF_MORE = 784, 300, 1.5


@dataclass(frozen=True, slots=True)
class PictureTokens:
    """The fewest tokens that a picture takes with some models: a base, and more by area.

    Attributes:
        models: patterns of the models' names at the vendor.
        pixels_per_token: area that makes a token.
        most: upper bound; `most_high` is that with high detail.
        base: tokens of any picture, however small.
    """

    models: tuple[str, ...]
    pixels_per_token: int
    most: int
    most_high: int
    base: int = 0

    def of(self, width: int, height: int, *, is_high: bool) -> int:
        """Return the tokens of a picture of a size."""
        by_area = self.base + width * height // self.pixels_per_token
        return min(by_area, self.most_high if is_high else self.most)


@dataclass(frozen=True, slots=True)
class VisionTraits:
    """How a vendor's models take pictures.

    Attributes:
        takes_detail: whether `detail` may stand in `image_url`.
        high_for: what needs `detail` `high`, by names of the rubric's dimensions.
        high_pixels: from this area on pictures need `high_fields`; None: they never do.
        high_fields: fields of the request with which large pictures keep their details.
        fields: fields that go with every judgment, such as a switch that stops thinking.
        tokens: what pictures take at least; the first that has the model counts.
        takes_pictures: whether they take any at all.
    """

    takes_detail: bool = False
    high_for: frozenset[str] = frozenset()
    high_pixels: int | None = None
    high_fields: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    tokens: tuple[PictureTokens, ...] = ()
    takes_pictures: bool = True

    def detail(self, wanted: str, needs: Sequence[str] = ()) -> str | None:
        """Return the `detail` to send, None for none.

        Args:
            wanted: `auto`, `low` or `high`, of the caller.
            needs: what is looked at, by names of the rubric's dimensions.
        """
        if not self.takes_detail:
            return None
        if wanted in {LOW, HIGH}:
            return wanted
        return None if self.high_for.isdisjoint(needs) else HIGH

    def fields_for(self, wanted: str, pixels: int) -> Mapping[str, Any]:
        """Return the fields for pictures of which the largest has so many `pixels`."""
        is_large = self.high_pixels is not None and pixels > self.high_pixels
        is_high = wanted == HIGH or (wanted != LOW and is_large)
        return {**self.fields, **(self.high_fields if is_high else {})}

    def least_tokens(self, model: str, width: int, height: int, detail: str | None) -> int | None:
        """Return the fewest tokens that a picture takes; None where that is not known."""
        entry = self._entry(model)
        return None if entry is None else entry.of(width, height, is_high=detail == HIGH)

    def most_tokens(self, model: str, width: int, height: int) -> int:
        """Return the most tokens that a picture can be expected to take."""
        expected = width * height // _FINEST_GRID + _AROUND
        entry = self._entry(model)
        if entry is None:
            return expected
        least = entry.of(width, height, is_high=True)
        return max(expected, round(least * _HALF_MORE) + 2 * entry.base)

    def _entry(self, model: str) -> PictureTokens | None:
        name = model.lower()
        fitting = (
            entry
            for entry in self.tokens
            if any(fnmatchcase(name, pattern) for pattern in entry.models)
        )
        return next(fitting, None)
