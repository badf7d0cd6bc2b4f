"""What a model is asked: whether a picture shows what was wanted, how good it is, which is better.

Whether it shows what was wanted and how good it is are asked apart, the second without the prompt:
a fine picture would else seem to be the right one.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from llm_api.domain.judging import JudgedPicture, JudgeRequest, Level
from llm_api.services.judge.picture_parts import picture_part
from llm_api.services.judge.readings import Judgment, Preference, read_judgment, read_preference
from llm_api.services.judge.rubric import ALIGNMENT, NONE, QUALITY, TEXT, Rubric, filled
from llm_api.services.quotas.estimates import TokenEstimate, estimate_text
from llm_api.services.routing.catalogue import Destination

# An answer has 200 to 400; an answer to a repair may have been cut off before.
MAX_TOKENS, MAX_REPAIR_TOKENS = 1_200, 2_000
_LEVELS = "|".join(Level)
_MAX_SHOWN = 6_000  # characters of an answer that could not be read
_SHOWS = "…"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Question(Generic[_T]):
    """A question to a vision model.

    Attributes:
        instructions: what it is told, of the rubric.
        pictures: each with the words before it.
        material: what it is about, as JSON.
        read: returns what a reply says; None where that cannot be read.
        again: what it is told where it could not.
        looks_at: names of the dimensions that are looked at.
        detail: as the caller wishes it.
        field: in which the caller has sent the pictures.
    """

    instructions: str
    pictures: tuple[tuple[str, JudgedPicture], ...]
    material: Mapping[str, Any]
    read: Callable[[str], _T | None]
    again: str
    looks_at: tuple[str, ...]
    detail: str
    field: str = "image"

    def parameters(self, at: Destination) -> dict[str, Any]:
        """Return the parameters of the chat completion that asks it at a destination."""
        vision = at.upstream.vision
        content: list[Mapping[str, Any]] = []
        for label, picture in self.pictures:
            content += [
                {"type": "text", "text": label},
                picture_part(picture, self.detail, at, self.looks_at),
            ]
        if self.material:
            content.append({"type": "text", "text": self._told})
        largest = max(picture.width * picture.height for _, picture in self.pictures)
        parameters: dict[str, Any] = {
            "messages": [
                {"role": "system", "content": self.instructions},
                {"role": "user", "content": content},
            ],
            "temperature": 0,
            "max_tokens": MAX_TOKENS,
            **vision.fields_for(self.detail, largest),
        }
        if at.has_json_mode:
            parameters["response_format"] = {"type": "json_object"}
        return parameters

    @property
    def _told(self) -> str:
        # JSON, because no text a user can write ends a JSON string early.
        return json.dumps(self.material, ensure_ascii=False)

    def estimate(self, at: Destination) -> TokenEstimate:
        """Estimate the most tokens that it takes at a destination, with a repair."""
        labels = [label for label, _ in self.pictures]
        once = estimate_text([self.instructions, *labels, self._told])
        once += sum(
            at.upstream.vision.most_tokens(at.model, picture.width, picture.height)
            for _, picture in self.pictures
        )
        again = estimate_text([self.again]) + MAX_TOKENS
        return TokenEstimate(2 * once + again, MAX_TOKENS + MAX_REPAIR_TOKENS)

    def repair(self, first: Mapping[str, Any], reply: str) -> dict[str, Any]:
        """Return the parameters that ask once more, after a `reply` that could not be read.

        `first` are the parameters that it answered. It may be longer, for it may have been cut off.
        """
        said = [
            {"role": "assistant", "content": reply[:_MAX_SHOWN] or _SHOWS},
            {"role": "user", "content": self.again},
        ]
        return {**first, "messages": [*first["messages"], *said], "max_tokens": MAX_REPAIR_TOKENS}


def alignment_question(
    rubric: Rubric, request: JudgeRequest, checkpoints: Sequence[str], sample: int
) -> Question[Judgment]:
    """Return whether the picture shows what was wanted, as a question.

    `checkpoints` are those of the caller and of the prompt. Each `sample` has them in another
    order, so that the answers of several are not the same one repeated.
    """
    dimensions = (ALIGNMENT,) if wants_alignment(request) else ()
    numbered = [{"id": n, "question": text} for n, text in enumerate(checkpoints, 1)]
    form: dict[str, Any] = {"observations": _SHOWS}
    if dimensions:
        form["dimensions"] = _form_of(dimensions)
    if checkpoints:
        form["checkpoints"] = [{"id": 1, "evidence": _SHOWS, "answer": "yes|no|unclear"}]
    form["summary"] = _SHOWS
    pictures = [(rubric.labels["picture"], request.pictures[0])]
    if request.reference is not None:
        pictures.append((rubric.labels["reference"], request.reference))
    material = {"prompt": request.prompt, "checkpoints": _rotated(numbered, sample)}
    reads_text = TEXT if quotes_text(request) else ALIGNMENT
    return Question(
        instructions=filled(
            rubric.alignment, dimensions=_described(rubric, dimensions), form=_shown(form)
        ),
        pictures=tuple(pictures),
        material={name: value for name, value in material.items() if value},
        read=lambda reply: read_judgment(reply, dimensions, checkpoints=len(checkpoints)),
        again=filled(rubric.repair, form=_shown(form)),
        looks_at=(reads_text,),
        detail=request.detail,
    )


def quality_question(rubric: Rubric, request: JudgeRequest, sample: int) -> Question[Judgment]:
    """Return how good the picture is, as a question that says nothing of the prompt."""
    dimensions = tuple(_rotated([name for name in QUALITY if _wants(request, name)], sample))
    may_be_absent = frozenset() if quotes_text(request) else frozenset({TEXT})
    form = {
        "observations": _SHOWS,
        "dimensions": _form_of(dimensions, may_be_absent),
        "issues": [{"type": _SHOWS, "severity": "minor|major", "where": _SHOWS}],
        "safety_note": _SHOWS,
        "summary": _SHOWS,
    }
    return Question(
        instructions=filled(
            rubric.quality,
            dimensions=_described(rubric, dimensions, may_be_absent),
            form=_shown(form),
        ),
        pictures=((rubric.labels["picture"], request.pictures[0]),),
        material={},
        read=lambda reply: read_judgment(
            reply, dimensions, may_be_absent=may_be_absent, has_safety_note=True
        ),
        again=filled(rubric.repair, form=_shown(form)),
        looks_at=dimensions,
        detail=request.detail,
    )


def pair_question(
    rubric: Rubric, request: JudgeRequest, pair: Sequence[JudgedPicture]
) -> Question[Preference]:
    """Return which of two pictures is the better one, as a question, in their order."""
    form = {"observations": _SHOWS, "evidence": _SHOWS, "better": "first|second|tie"}
    material = {
        "prompt": request.prompt,
        "checkpoints": list(request.checkpoints),
        "compare_by": list(request.dimensions),
    }
    return Question(
        instructions=filled(rubric.pair, form=_shown(form)),
        pictures=((rubric.labels["first"], pair[0]), (rubric.labels["second"], pair[1])),
        material={name: value for name, value in material.items() if value},
        read=read_preference,
        again=filled(rubric.repair, form=_shown(form)),
        looks_at=request.dimensions or QUALITY,
        detail=request.detail,
        field="images",
    )


def quotes_text(request: JudgeRequest) -> bool:
    """Whether there must be text in the picture."""
    return any(requirement.kind == "text" for requirement in request.requirements)


def wants_alignment(request: JudgeRequest) -> bool:
    """Whether a request has something to be held against, and asks for that."""
    has_measure = request.prompt is not None or request.reference is not None
    return has_measure and _wants(request, ALIGNMENT)


def wants_quality(request: JudgeRequest) -> bool:
    """Whether a request asks for any dimension of quality."""
    return any(_wants(request, name) for name in QUALITY)


def _wants(request: JudgeRequest, name: str) -> bool:
    return not request.dimensions or name in request.dimensions


def _form_of(
    dimensions: Sequence[str], may_be_absent: frozenset[str] = frozenset()
) -> dict[str, Any]:
    return {
        name: {
            "evidence": _SHOWS,
            "level": f"{_LEVELS}|{NONE}" if name in may_be_absent else _LEVELS,
        }
        for name in dimensions
    }


def _described(
    rubric: Rubric, dimensions: Sequence[str], may_be_absent: frozenset[str] = frozenset()
) -> str:
    return "\n\n".join(
        rubric.described(name, may_be_absent=name in may_be_absent) for name in dimensions
    )


def _shown(form: Mapping[str, Any]) -> str:
    return json.dumps(form, ensure_ascii=False)


def _rotated(items: Sequence[_T], by: int) -> list[_T]:
    start = by % len(items) if items else 0
    return [*items[start:], *items[:start]]
