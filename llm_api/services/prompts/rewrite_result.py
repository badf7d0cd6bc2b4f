"""What comes of a request for a rewrite."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from llm_api.domain.calls import CallReport
from llm_api.domain.storyboards import Storyboard
from llm_api.services.prompts.checks.violations import Violation
from llm_api.services.prompts.sight import BLIND

UNUSABLE = "unusable_answer"


@dataclass(frozen=True, slots=True)
class RewriteResult:
    """The outcome of a task: usable rewrites, the best first, and what was wrong.

    `improvements` and `repairs` are those of the best rewrite. `violations` are those of the best
    validated text, `first_violations` those of the first answer. `method` is that of the strategy,
    `version` that of its texts, `report` that of the upstream call. `rewrite_id` names the
    rewrites. A repeat has made no call of its own: another request made it; what is pinned is so
    whatever the rules and models are by now. `text` is the best rewrite in plain words, where it is
    in a form such as JSON. `others` are the results for further targets, from the same call.
    `sight` is what the model has seen of an edit's pictures: `shown`, `unseen` where it took too
    few tokens for them, or "". `storyboard` is set where one was asked for and a model took part:
    the one rewrite is all of it as a text then.
    """

    rewrites: Sequence[str]
    improvements: Sequence[str]
    repairs: Sequence[str]
    violations: Sequence[Violation]
    first_violations: Sequence[Violation]
    method: str
    version: str
    model: str
    report: CallReport = field(default_factory=CallReport)
    rewrite_id: str | None = None
    is_repeat: bool = False
    is_pinned: bool = False
    text: str = ""
    sight: str = BLIND
    others: Sequence["RewriteResult"] = ()
    storyboard: Storyboard | None = None

    @property
    def is_complete(self) -> bool:
        """Whether it is what the request asked for: rewrites, by the model that was meant."""
        is_made = bool(self.rewrites) and all(one.rewrites for one in self.others)
        return is_made and self.report.fallback is None
