"""Has the prompts of jobs rewritten, for the models that they go to."""

from collections.abc import Mapping
from dataclasses import replace

from llm_api.domain.calls import Caller, CallResult
from llm_api.domain.prompts import GENERIC, OptimizedPrompt, PromptRequest, Target
from llm_api.errors import InvalidRequest
from llm_api.services.prompts import PromptOptimizer

_LANGUAGE = "optimize_options.language"


class JobRewriter:
    """Rewrites prompts."""

    def __init__(self, optimizer: PromptOptimizer, targets: Mapping[str, Target]) -> None:
        """Use an optimizer; `targets` are models for which it writes in a way of their own."""
        self._optimizer = optimizer
        # The longest name first: it says most.
        known = targets.values()
        self._targets = sorted(known, key=lambda target: len(target.name), reverse=True)

    def rewritten(self, wanted: PromptRequest, caller: Caller) -> CallResult[OptimizedPrompt]:
        """Rewrite a prompt; raises ApiError with the names that the fields have in an order."""
        # A call of its own, with a usage row of its own.
        payer = replace(
            caller,
            request_id=f"{caller.request_id}_p",
            lineage_id=caller.lineage_id or caller.request_id,
            shown_id=caller.shown_id or caller.request_id,
        )
        try:
            return self._optimizer.optimize(wanted, payer)
        except InvalidRequest as error:
            if [field.field for field in error.fields] != ["language"]:
                raise
            # A target that the name of the model has chosen.
            message = error.fields[0].message
            raise InvalidRequest.of_field(_LANGUAGE, message, reason=error.reason) from error

    def target_of(self, model: str, kind: str) -> str:
        """Return the target whose name is in a model's, such as `seedream` for its versions.

        Vendors write one name with hyphens and without: `wan-3` is in `wan3.0-video`, too.

        Args:
            model: the vendor's name of the model.
            kind: what is to be made: `image`, `video` or `edit`.
        """
        plain = model.lower().replace(".", "-")  # FLUX.2
        joined = _joined(plain)
        able = (one.name for one in self._targets if kind in one.types)
        return next((name for name in able if name in plain or _joined(name) in joined), GENERIC)


def _joined(name: str) -> str:
    return name.replace("-", "")
