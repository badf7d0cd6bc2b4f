"""Finds objects of the 80 kinds of COCO with NanoDet-g, from the file that `make vision` makes.

Lyu, "NanoDet", 2020. Places are predicted on three grids, each side of a box as a distribution
over eleven distances.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from PIL import Image

_SIDE = 416
_MEAN = np.array([103.53, 116.28, 123.675], np.float32)  # of blue, green, red
_DEVIATION = np.array([57.375, 57.12, 58.395], np.float32)
_MIN_CONFIDENCE = 0.4
_SAME_OF_ITS_KIND = 0.6
_SAME_PLACE = 0.8  # where two boxes are the same, it is one thing: a cat is no dog besides
_MAX_BOXES, _MAX_OBJECTS = 1000, 100
_NAMES = (
    "person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, "
    "fire hydrant, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, "
    "bear, zebra, giraffe, backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, "
    "sports ball, kite, baseball bat, baseball glove, skateboard, surfboard, tennis racket, "
    "bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, "
    "carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, "
    "tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, "
    "refrigerator, book, clock, vase, scissors, teddy bear, hair drier, toothbrush"
)
_LABELS = _NAMES.split(", ")

Floats = npt.NDArray[np.float32]
Box = tuple[float, float, float, float]
Seen = tuple[str, float, Box]


class Detector:
    """Finds objects."""

    def __init__(self, model: Path) -> None:
        """Load a model from its file."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(
            model.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
        self.version = f"NanoDet-g ({model.stem})"

    def objects(self, image: Image.Image) -> list[Seen]:
        """Return what is seen, the surest first, with confidence and place.

        A place is left, top, right, bottom, as shares of the picture's width and height.
        """
        scale = _SIDE / max(image.size)
        # Not stretched: a cat that is too wide is a dog.
        size = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
        square = Image.new("RGB", (_SIDE, _SIDE))
        square.paste(image.convert("RGB").resize(size, Image.Resampling.BILINEAR))
        blue_first = np.asarray(square, np.float32)[:, :, ::-1]
        layers = ((blue_first - _MEAN) / _DEVIATION).transpose(2, 0, 1)[None]
        outputs = self._session.run(None, {"input_1": np.ascontiguousarray(layers)})
        grids = zip(outputs[:3], outputs[3:], strict=True)
        found = [one for scores, sides in grids for one in _boxes(scores[0], sides[0])]
        return [(label, round(score, 4), _shares(box, size)) for label, score, box in _best(found)]


def _boxes(scores: Floats, sides: Floats) -> list[Seen]:
    """Return what a grid has seen, in pixels of the square; its axes are kind, row, column."""
    rows, columns = scores.shape[1:]
    stride = _SIDE // rows
    powers = np.exp(sides.reshape(4, -1, rows, columns))
    steps = np.arange(powers.shape[1], dtype=np.float32)[None, :, None, None]
    distances = (powers * steps).sum(axis=1) / powers.sum(axis=1) * stride
    found = []
    for kind, row, column in zip(*np.where(scores > _MIN_CONFIDENCE), strict=True):
        x, y = (column + 0.5) * stride, (row + 0.5) * stride
        left, top, right, bottom = (float(one) for one in distances[:, row, column])
        box = (float(x) - left, float(y) - top, float(x) + right, float(y) + bottom)
        found.append((_LABELS[kind], float(scores[kind, row, column]), box))
    return found


def _best(found: list[Seen]) -> list[Seen]:
    """Return the surest of all boxes that show the same thing."""
    kept: list[Seen] = []
    for one in sorted(found, key=lambda seen: -seen[1])[:_MAX_BOXES]:
        if not any(_is_same(one, other) for other in kept):
            kept.append(one)
    return kept[:_MAX_OBJECTS]


def _is_same(one: Seen, other: Seen) -> bool:
    limit = _SAME_OF_ITS_KIND if one[0] == other[0] else _SAME_PLACE
    return _overlap(one[2], other[2]) > limit


def _overlap(one: Box, other: Box) -> float:
    """Return the area that both have, to the area that either has."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    if wide <= 0 or high <= 0:
        return 0.0
    return wide * high / (_area(one) + _area(other) - wide * high)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _shares(box: Box, size: tuple[int, int]) -> Box:
    wide, high = size
    left, top, right, bottom = box
    ends = (left / wide, top / high, right / wide, bottom / high)
    first, second, third, fourth = (round(min(max(end, 0.0), 1.0), 4) for end in ends)
    return first, second, third, fourth
