"""Technical flaws, each by a number that is computed from pixels.

The thresholds were found with photographs and with degraded copies of them; see docs/judge.md for
what they hit. A drawing has flat parts, hard edges and grounds in white or black: none of these is
a flaw, so that each number is one that they leave alone.
"""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from PIL import Image

from llm_api.pictures.measuring.pixels import Grey, Pixels, grey

_SIDE = 1024
THRESHOLDS: Mapping[str, float] = {
    "blurry": 0.5,
    "noisy": 3.0,
    "blocky": 1.4,
    "dark": 90.0,
    "overexposed": 0.1,
    "low_contrast": 64.0,
}
_SETS_BELOW = frozenset({"dark", "low_contrast"})
_BLUR_PIXELS = 9
_BLOCK = 16
_JPEG_BLOCK = 8
_WHITE, _NEARLY_WHITE = 250, 225
_QUARTER = 4
_FADES = 0.4
_SURROUNDS = 0.97

Flaw = tuple[str, float, float, bool]


def flaws(pixels: Pixels) -> list[Flaw]:
    """Return each flaw's name, number and threshold, and whether the picture has it."""
    image = pixels.within(_SIDE)
    light = grey(image)
    levels = np.cumsum(np.bincount(light.astype(np.uint8).ravel(), minlength=256)) / light.size
    values = {
        "blurry": max(_blur(light), _blur(light.T)),
        "noisy": _noise(light),
        "blocky": min(_blockiness(pixels.original), _blockiness(pixels.original.T)),
        "dark": _level(levels, 0.98),
        "overexposed": _lost_in_white(image),
        "low_contrast": _level(levels, 0.999) - _level(levels, 0.001),
    }
    return [_flaw(name, value) for name, value in values.items()]


def _flaw(name: str, value: float) -> Flaw:
    threshold = THRESHOLDS[name]
    is_set = value < threshold if name in _SETS_BELOW else value > threshold
    return name, round(value, 3), threshold, is_set


def _level(levels: npt.NDArray[np.float64], share: float) -> float:
    """Return the brightness that so many of the pixels do not exceed."""
    return float(np.searchsorted(levels, share))


def _blur(light: Grey) -> float:
    """Return the share of all steps between neighbors that another blur leaves as they are.

    Crete et al., "The blur effect", SPIE 2007: what is sharp loses its steps, what is blurred does
    not have any to lose.
    """
    ahead = _BLUR_PIXELS // 2
    padded = np.pad(light, ((0, 0), (ahead + 1, ahead)), mode="edge")
    sums = np.cumsum(padded, axis=1, dtype=np.float64)
    blurred = (sums[:, _BLUR_PIXELS:] - sums[:, :-_BLUR_PIXELS]) / _BLUR_PIXELS
    steps = np.abs(np.diff(light, axis=1))
    lost = np.maximum(0, steps - np.abs(np.diff(blurred, axis=1)))
    total = float(steps.sum())
    return 1 - float(lost.sum()) / total if total else 0.0


def _noise(light: Grey) -> float:
    """Return the standard deviation of the noise, in the quietest quarter of all blocks.

    Immerkaer, "Fast noise variance estimation", 1996: of a filter that ignores what is linear.
    """
    rows = light[:-2] - 2 * light[1:-1] + light[2:]
    response = np.abs(rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:])
    high, wide = response.shape[0] // _BLOCK, response.shape[1] // _BLOCK
    if not high or not wide:
        return 0.0
    blocks = response[: high * _BLOCK, : wide * _BLOCK].reshape(high, _BLOCK, wide, _BLOCK)
    means = np.sort(blocks.mean(axis=(1, 3)).ravel())
    quiet = means[: max(1, len(means) // 4)]
    return math.sqrt(math.pi / 2) * float(np.median(quiet)) / 6


def _blockiness(light: Grey) -> float:
    """Return the step between the columns of two JPEG blocks, to that between other columns.

    Medians, for one edge of a drawing may lie there; plus one level, which nobody sees.
    """
    steps = np.abs(np.diff(light, axis=1)).mean(axis=0)
    at_bounds = np.arange(len(steps)) % _JPEG_BLOCK == _JPEG_BLOCK - 1
    if len(steps) < 2 * _JPEG_BLOCK:
        return 1.0
    return float((np.median(steps[at_bounds]) + 1) / (np.median(steps[~at_bounds]) + 1))


def _lost_in_white(image: Image.Image) -> float:
    """Return the share of the picture that is white and fades into it, as light that is too much.

    A white ground does not: it ends at hard edges, or surrounds the picture. It is looked at in a
    quarter of the size, where the traces that a JPEG leaves beside an edge are gone.
    """
    size = (max(image.width // _QUARTER, 1), max(image.height // _QUARTER, 1))
    small = image.resize(size, Image.Resampling.BOX)
    white = np.asarray(small).min(axis=-1) >= _WHITE
    if not white.any() or _is_ground(white):
        return 0.0
    beside = _beside(white)
    soft = float((grey(small)[beside] >= _NEARLY_WHITE).mean()) if beside.any() else 0.0
    return float(white.mean()) if soft > _FADES else 0.0


def _is_ground(white: npt.NDArray[np.bool_]) -> bool:
    rim = np.concatenate([white[0], white[-1], white[:, 0], white[:, -1]])
    return float(rim.mean()) > _SURROUNDS


def _beside(area: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return what touches an area and is none of it."""
    touched = np.zeros_like(area)
    touched[1:] |= area[:-1]
    touched[:-1] |= area[1:]
    touched[:, 1:] |= area[:, :-1]
    touched[:, :-1] |= area[:, 1:]
    return touched & ~area
