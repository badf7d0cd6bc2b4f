"""Finds camera instructions: moves with their direction, angles, shot sizes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from llm_api.services.prompts.constraints.reading import Reading, Term
from llm_api.services.prompts.vocabulary.words import little_words

# Moves that mean nothing without a direction, and one that may have one.
_DIRECTIONS: Mapping[str, tuple[str, ...]] = {
    "pan": ("left", "right"),
    "tilt": ("up", "down"),
    "zoom": ("in", "out"),
    "orbit": ("clockwise", "counterclockwise"),
}
_NEEDED = frozenset({"pan", "tilt", "zoom"})
_AXES = {"left": "pan", "right": "pan", "up": "tilt", "down": "tilt"}
_SIDE_AS_DIRECTION = {"above": "up", "below": "down"}
_HAN_DIRECTIONS = {"左": "left", "右": "right", "上": "up", "下": "down", "仰": "up", "俯": "down"}
_MOVER_DIRECTIONS: Mapping[str, tuple[str, ...]] = {"rise": ("up",), "fall": ("down",)}
_OPPOSITES = {
    "pan_left": "pan_right",
    "pan_right": "pan_left",
    "tilt_up": "tilt_down",
    "tilt_down": "tilt_up",
    "zoom_in": "zoom_out",
    "zoom_out": "zoom_in",
    "orbit_clockwise": "orbit_counterclockwise",
    "orbit_counterclockwise": "orbit_clockwise",
}
_SHOT_KINDS = {"extreme close up": {"close up", "macro"}, "macro": {"close up", "extreme close up"}}
_ANGLE_KINDS = {"aerial": {"top view", "high angle"}, "top view": {"aerial", "high angle"}}
_MARKS = frozenset(",.;:!?，。；：！？、()（）¶")
_MANNERS = little_words("camera_manners")
_CAMERAS = ("camera", "shot", "镜", "机位")
_REACH = 8
_REACH_BACK = 3
_HAN_REACH_BACK = 10


@dataclass(frozen=True, slots=True)
class Camera:
    """What a text says of the camera.

    `moves` are labels such as `pan_left`, `zoom_in`, `orbit`, `static`; `angles` and `shots` are
    the vocabulary's words, such as `low angle` and `close up`.
    """

    moves: frozenset[str]
    angles: frozenset[str]
    shots: frozenset[str]

    def labels(self) -> tuple[str, ...]:
        """Return everything as words."""
        parts = (self.moves, self.angles, self.shots)
        return tuple(label.replace("_", " ") for part in parts for label in sorted(part))


_KINDS = frozenset({"mover", "move", "angle", "shot"})
NO_CAMERA = Camera(frozenset(), frozenset(), frozenset())


def find_camera(reading: Reading, *, is_strict: bool = False) -> Camera:
    """Return what a text says of the camera.

    `is_strict` leaves out looser words, and moves that may be those of a thing in the picture: a
    bear, too, tilts its head up.
    """
    if _KINDS.isdisjoint(reading.places):
        return NO_CAMERA
    moves = set(_camera_moves(reading))
    for term in reading.of("move"):
        if not is_strict or _is_of_camera(reading, term):
            moves.update(_moves(reading, term))
    return Camera(
        frozenset(moves),
        frozenset(_concepts(reading, "angle", is_strict=is_strict)),
        frozenset(_concepts(reading, "shot", is_strict=is_strict)),
    )


def lost_labels(wanted: Camera, reading: Reading) -> Iterator[str]:
    """Yield the moves, angles and shots of `wanted` that the text of `reading` lacks, as words."""
    found = find_camera(reading)
    for move in sorted(wanted.moves - found.moves):
        yield move.replace("_", " ")
    for present, kinds, labels in (
        (found.angles, _ANGLE_KINDS, wanted.angles),
        (found.shots, _SHOT_KINDS, wanted.shots),
    ):
        for label in sorted(labels - present):
            if present.isdisjoint(kinds.get(label, ())):
                yield label


def contradicting_moves(wanted: Camera, reading: Reading) -> Iterator[str]:
    """Yield the moves of a text that contradict the wanted moves, as words."""
    for move in sorted(find_camera(reading, is_strict=True).moves - wanted.moves):
        if any(_contradicts(move, own) for own in wanted.moves):
            yield move.replace("_", " ")


def _contradicts(move: str, wanted: str) -> bool:
    if "static" in {move, wanted}:
        return move != wanted
    return _OPPOSITES.get(wanted) == move


def _concepts(reading: Reading, kind: str, *, is_strict: bool) -> Iterator[str]:
    for term in reading.of(kind):
        if not (is_strict and term.is_kind):
            yield term.concept


def _is_of_camera(reading: Reading, term: Term) -> bool:
    """Whether a move is the camera's: it is named close by, or the move stands alone."""
    if term.is_kind:
        return False
    if any(word in reading.words(term.start, term.end) for word in _CAMERAS):
        return True
    before = reading.tokens[term.start - 1] if term.start else ","
    return before in _MARKS or before in _MANNERS or _is_near_camera(reading, term, _REACH, _REACH)


def _is_near_camera(reading: Reading, term: Term, back: int, ahead: int) -> bool:
    """Whether a word for the camera stands in the same sentence, some tokens before or behind."""
    return any(
        other.kind == "mover" and other.concept == "camera" and other.start != term.start
        for at in _window(reading, term, term.start - back, term.end + ahead)
        for other in reading.at(at)
    )


def _reach_back(reading: Reading, term: Term) -> int:
    """Return how far the camera may stand before its verb; Chinese needs a token a character."""
    return _REACH_BACK if reading.tokens[term.start].isascii() else _HAN_REACH_BACK


def _window(reading: Reading, term: Term, start: int, end: int) -> list[int]:
    """Return the tokens between two that are in the same sentence as a term."""
    sentence = reading.sentence_of[term.start]
    positions = range(max(start, 0), min(end, len(reading.tokens)))
    return [at for at in positions if reading.sentence_of[at] == sentence]


def _moves(reading: Reading, term: Term) -> Iterator[str]:
    concept = term.concept.replace(" ", "_")
    known = _DIRECTIONS.get(concept)
    if known is None:
        yield concept
        return
    direction = _direction(reading, term, known)
    if direction:
        yield f"{concept}_{direction}"
    if concept not in _NEEDED:
        yield concept


def _direction(reading: Reading, term: Term, known: tuple[str, ...]) -> str | None:
    """Return the direction of a move: inside of it, the next behind it, or close before it."""
    inside = reading.words(term.start, term.end)
    if inside != "俯仰":
        for char, direction in _HAN_DIRECTIONS.items():
            if char in inside and direction in known:
                return direction
    behind = _window(reading, term, term.end, term.end + _REACH)
    before = _window(reading, term, term.start - _REACH_BACK, term.start)
    for at in (*behind, *reversed(before)):
        for other in reading.at(at):
            name = _SIDE_AS_DIRECTION.get(other.concept, other.concept)
            if other.kind in {"direction", "relation"} and name in known:
                return name
    return None


def _camera_moves(reading: Reading) -> Iterator[str]:
    """Yield moves described in plain words: "the camera glides slowly to the left"."""
    for verb in reading.of("mover"):
        if verb.concept == "camera" or not _is_near_camera(
            reading, verb, _reach_back(reading, verb), 0
        ):
            continue
        known = _MOVER_DIRECTIONS.get(verb.concept, ("left", "right", "up", "down"))
        direction = _direction(reading, verb, known)
        if direction is None and verb.concept != "sweep":
            direction = known[0]
        if direction:
            yield f"{_AXES[direction]}_{direction}"
