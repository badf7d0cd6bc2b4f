"""Rewrites a prompt for an image or video model: one call, checked, and honest when it fails."""

from functools import partial

from llm_api.domain import Caller, Completion, OptimizedPrompt, PromptRequest
from llm_api.errors import Unavailable
from llm_api.services.catalogue import Catalogue, Destination
from llm_api.services.fallback import first_that_answers
from llm_api.services.needs import chat_needs
from llm_api.services.prompts.checks import what_is_wrong
from llm_api.services.prompts.guided import GuidedForm
from llm_api.services.prompts.improvements import improvements
from llm_api.services.prompts.instructed import InstructedForm
from llm_api.services.usage import UsageLedger


class PromptOptimizer:
    """Rewrites prompts with the configured model."""

    def __init__(self, catalogue: Catalogue, ledger: UsageLedger, *, is_enabled: bool) -> None:
        """Take what decides where calls go, and what accounts for them."""
        self._catalogue = catalogue
        self._ledger = ledger
        self._is_enabled = is_enabled
        self._guided, self._instructed = GuidedForm(), InstructedForm()

    def optimize(self, request: PromptRequest, caller: Caller) -> OptimizedPrompt:
        """Return the rewritten prompt, or the original with a warning that says why.

        An upstream that fails is an ApiError: the caller must know. One that works and writes
        something unusable costs nothing but the rewrite.
        """
        if not self._is_enabled:
            raise Unavailable(
                "Prompt optimization is switched off on this service.",
                reason="prompt_optimization_disabled",
                retryable=False,
            )
        destination = self._catalogue.route(None, key=caller.key)
        first = self._form(destination).parameters(request)
        with self._ledger.account(destination, caller, partial(chat_needs, first)) as accounted:
            call = accounted.upstream_call

            def ask(at: Destination) -> tuple[GuidedForm | InstructedForm, Completion]:
                form = self._form(at)
                parameters = form.parameters(request)
                completion = at.upstream.complete(at.model, parameters, call, model_was_named=False)
                return form, completion

            form, completion = first_that_answers(destination, call, caller.notes, ask)
            accounted.completions.append(completion)
        return _checked(request, form.rewrite(request, completion))

    def _form(self, at: Destination) -> GuidedForm | InstructedForm:
        return self._guided if at.is_guided else self._instructed


def _checked(request: PromptRequest, rewrite: str) -> OptimizedPrompt:
    wrong = what_is_wrong(request.prompt, rewrite, may_add_details=request.enhance_details)
    if wrong is None:
        return OptimizedPrompt(
            original_prompt=request.prompt,
            optimized_prompt=rewrite,
            improvements=improvements(request.prompt, rewrite),
        )
    warning = f"The original prompt is returned unchanged: the model's rewrite {wrong}."
    return OptimizedPrompt(request.prompt, request.prompt, warnings=[warning])
