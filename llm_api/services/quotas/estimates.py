"""Estimates what a call will take before it is made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from llm_api.domain.calls import ModelRequest, Operation, TokenUsage
from llm_api.services.tokens import estimate_prompt, estimate_text

# For an answer whose length nobody has bounded; most are shorter.
ASSUMED_ANSWER_TOKENS = 1_000
# Beside the messages, these reach the model as text.
_SCHEMAS = ("tools", "functions", "response_format")
_CAPS = ("max_completion_tokens", "max_tokens")
_MOST = 10**9  # tokens of an answer; no cap that a caller writes may be too large to be counted


@dataclass(frozen=True, slots=True)
class TokenEstimate:
    """Tokens that a call may take."""

    prompt_tokens: int
    completion_tokens: int

    @property
    def tokens(self) -> int:
        """Both together."""
        return self.prompt_tokens + self.completion_tokens

    def twice(self) -> "TokenEstimate":
        """Add what a second call takes, which has the first one's answer in its prompt."""
        prompt = 2 * self.prompt_tokens + self.completion_tokens
        return TokenEstimate(prompt, 2 * self.completion_tokens)

    @property
    def usage(self) -> TokenUsage:
        """The same as a usage, for its price."""
        return TokenUsage(self.prompt_tokens, self.completion_tokens, source="estimated")


def estimate_request(request: ModelRequest) -> TokenEstimate:
    """Estimate what a request takes: its prompt, and the longest answer that it asks for."""
    if request.operation is Operation.EMBEDDINGS:
        return TokenEstimate(estimate_prompt(request.parameters), 0)
    return estimate_chat(request.parameters)


def estimate_chat(parameters: Mapping[str, Any]) -> TokenEstimate:
    """Estimate what a request for a text takes."""
    schemas = [orjson.dumps(parameters[name]).decode() for name in _SCHEMAS if name in parameters]
    prompt = estimate_prompt(parameters) + estimate_text(schemas)
    cap = next((parameters[name] for name in _CAPS if parameters.get(name)), ASSUMED_ANSWER_TOKENS)
    return TokenEstimate(prompt, min(cap * _count_answers(parameters), _MOST))


def _count_answers(parameters: Mapping[str, Any]) -> int:
    """Count the texts that are written, of which `best_of` shows some only."""
    each = max(parameters.get("n") or 1, parameters.get("best_of") or 1)
    prompts = parameters.get("prompt")
    if isinstance(prompts, list) and not isinstance(prompts[0], int):  # not one, as tokens
        return each * len(prompts)
    return each
