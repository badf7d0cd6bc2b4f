"""The nouns of storyboards: who plays, the shots, and how long each of them is."""

from collections.abc import Sequence
from dataclasses import dataclass

MAX_CAST = 8
MAX_CAST_NAME = 60  # characters
MAX_CAST_DESCRIPTION = 300  # characters: it stands in every shot of the member
MAX_SHOTS = 20
MAX_TOTAL_SECONDS = 300
MAX_SHOT_SECONDS = 60
# Forms in which a target model reads several shots in one prompt, each rendered by
# `services/prompts/storyboards/shot_forms.py`.
SHOT_FORMS = ("kling", "veo", "minimax-h3", "wan", "seedance")


@dataclass(frozen=True, slots=True)
class CastMember:
    """Who or what plays: the name that the script uses, and how it looks, word for word."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Shot:
    """A shot of a storyboard: a whole request for a film of its own.

    `number` counts from 1; `start` and `end` are in whole seconds of the storyboard. `camera` names
    its one move, such as `pan left` or `static`. `cast` are the names of who is in it. `prompt` is
    in the form of the target; `negative_prompt` is None where the target takes none. `repaired` are
    the steps by which code has changed what the model wrote, `own_words` among them where nothing
    of it was usable and the script's own words stand there.
    """

    number: int
    seconds: int
    start: int
    end: int
    camera: str
    cast: Sequence[str]
    prompt: str
    negative_prompt: str | None = None
    repaired: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Storyboard:
    """Shots in their order, whose seconds add up to `total_seconds`.

    `fits_one_prompt` means that the target films all of them from a single prompt, the
    `optimized_prompt` of the answer. `is_fallback` means that code has made it of the script's own
    words alone. `repaired` are the steps by which code has changed the plan of a model as a whole.
    """

    target_model: str
    total_seconds: int
    shots: Sequence[Shot]
    fits_one_prompt: bool = False
    is_fallback: bool = False
    repaired: Sequence[str] = ()
