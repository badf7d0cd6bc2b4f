"""The colors of a sketch: one for each that prompts name, and those of the sketch itself."""

from collections.abc import Mapping

# Apart from each other and from what follows, so that a shape's color says which was meant.
COLORS: Mapping[str, str] = {
    "red": "#d92b2b",
    "orange": "#f28c1e",
    "yellow": "#f5d51d",
    "green": "#2f9e44",
    "blue": "#2b62d9",
    "cyan": "#22b8cf",
    "purple": "#8a3fc4",
    "pink": "#f58bb8",
    "brown": "#8a5a33",
    "black": "#111111",
    "white": "#ffffff",
    "gray": "#8c8c8c",
    "gold": "#c9a227",
    "silver": "#b9c0c8",
    "beige": "#e3d3ae",
}
PAPER = "#f4f1ea"
UNCOLORED = "#dcd7cb"
LINES = "#3d3a36"
TEXT = "#1c1b19"
TEXT_PAPER = "#fbfaf6"
LABEL_PAPER = "#3d3a36"
LABEL_TEXT = "#f4f1ea"
_MIN_LIGHT = 120


def ink_on(color: str) -> str:
    """Return the color of words on a color: dark on light ones, light on dark ones."""
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    light = 0.299 * red + 0.587 * green + 0.114 * blue
    return TEXT if light >= _MIN_LIGHT else "#ffffff"
