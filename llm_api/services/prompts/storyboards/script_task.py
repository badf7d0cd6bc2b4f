"""Reads a request for a storyboard: the script, the cast, and the seconds that add up."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from llm_api.domain.prompts import PromptRequest, Target
from llm_api.domain.storyboards import CastMember
from llm_api.services.prompts.constraints.excluded import with_unwanted
from llm_api.services.prompts.constraints.flags import find_flags, without_flags
from llm_api.services.prompts.constraints.target_syntax import TargetPrompt, fit_syntax
from llm_api.services.prompts.shot_seconds import allowed_seconds, require_sum
from llm_api.services.prompts.storyboards.script_parts import script_units
from llm_api.services.prompts.task import Task, read_task
from llm_api.services.prompts.text import clean

_LONGEST_USUAL, _SHORTEST_USUAL = 10, 3  # seconds of a shot, where the script leaves it open
# Flags that say how long a film is: each shot has its own seconds.
_OF_TIME = ("--duration", "--dur", "--frames")


@dataclass(frozen=True, slots=True)
class ScriptTask:
    """A script that becomes a storyboard.

    `task` reads the script as the prompt of a video; `cast` has descriptions without commands for
    programs, which `changes` tells of. `units` are the script's sentences in their order. A shot
    may have the `allowed` seconds, and there may be as many of them as `counts` says; `count` is
    how many there are where a model does not choose another number. `tail` are flags for the
    target behind every shot.
    """

    task: Task
    cast: Sequence[CastMember]
    changes: Sequence[TargetPrompt]
    units: Sequence[str]
    allowed: Sequence[int]
    counts: Sequence[int]
    count: int
    tail: str

    @property
    def total(self) -> int:
        """The seconds of all shots together."""
        return self.task.request.total_seconds or 0

    def part(self, text: str) -> Task:
        """Read a part of the script, with its cast, as the prompt of one shot.

        What the script excludes anywhere is excluded in every shot, and who it has may be in any.
        """
        task = self.task
        request = replace(task.request, prompt=text, language=task.language)
        own = read_task(request, task.target)
        unwanted = [negation.words for negation in task.constraints.negations]
        checked = replace(
            with_unwanted(own.checked, unwanted),
            mentions_person=task.constraints.mentions_person or own.checked.mentions_person,
            has_animate=task.constraints.has_animate or own.checked.has_animate,
        )
        # What is added is for the model to say: details of ours would differ from shot to shot.
        constraints = replace(own.constraints, is_detailed=True)
        wanted = replace(own.wanted, min_length=None)
        return replace(own, constraints=constraints, checked=checked, wanted=wanted)


def read_script(task: Task) -> ScriptTask:
    """Read what a storyboard is made of; `task` is its request, of which the seconds add up."""
    request, target = task.request, task.target
    allowed = allowed_seconds(request, target)
    units = script_units(_without_syntax(request, target)) or [task.prompt]
    fitted = [fit_syntax(clean(one.description), target) for one in request.cast]
    counts = require_sum(request, allowed, target)
    kept = [flag for flag in task.fitted.flags if not flag.startswith(_OF_TIME)]
    return ScriptTask(
        task=task,
        cast=[
            CastMember(clean(one.name), as_fitted.text)
            for one, as_fitted in zip(request.cast, fitted, strict=True)
        ],
        changes=[one for one in fitted if one.changes or one.flags],
        units=units,
        allowed=allowed,
        counts=counts,
        count=_usual_count(len(units), request.total_seconds or 0, counts),
        tail=" ".join(kept),
    )


def _usual_count(units: int, total: int, counts: Sequence[int]) -> int:
    """Return how many shots suit a script: about one for each sentence, none very long or short."""
    wanted = max(min(units, total // _SHORTEST_USUAL), -(-total // _LONGEST_USUAL), 1)
    return min(counts, key=lambda count: (abs(count - wanted), count))


def _without_syntax(request: PromptRequest, target: Target) -> str:
    """Return a script line by line, without flags and with only what the target understands."""
    lines = []
    for line in map(clean, request.prompt.splitlines()):
        words = without_flags(line, find_flags(line, takes_unknown=False))
        if any(map(str.isalnum, words)):
            lines.append(fit_syntax(words, target, request.preserve).text)
    return "\n".join(lines)
