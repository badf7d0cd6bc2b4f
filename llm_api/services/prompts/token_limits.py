"""Decides how many tokens a rewrite may have, and says what its target does not read."""

from collections.abc import Sequence
from dataclasses import dataclass

from llm_api.domain.prompts import PromptRequest, Target
from llm_api.services.prompts.constraints.target_syntax import read_by_encoder
from llm_api.services.prompts.encoders import token_counts

_MAX_SHOWN = 3
_MAX_WORD = 20  # characters: a clause in Chinese has no gaps


@dataclass(frozen=True, slots=True)
class TokenLimit:
    """What a target reads of a prompt, and how much of it the prompt fills.

    `limit` is the number of tokens, None where nothing is known; `prompt` is the prompt with the
    camera move that was given beside it. If that is too long itself, a rewrite may be as long, and
    nothing has to be added.
    """

    target: Target
    limit: int | None
    prompt: str

    @property
    def is_full(self) -> bool:
        """Whether the prompt itself fills the limit."""
        return self.limit is not None and self.own >= self.limit

    @property
    def own(self) -> int:
        """How many tokens the prompt has."""
        return self.count(self.prompt).count

    def is_passed_by(self, rewrite: str) -> bool:
        """Whether a rewrite has more tokens than are read, and than its prompt has."""
        return self.is_too_long(rewrite) and self.count(rewrite).count > self.own

    def is_too_long(self, text: str) -> bool:
        """Whether a text has more tokens than are read."""
        # No encoder makes more than two tokens of a letter or mark: short texts are not counted.
        if self.limit is None or (text.isascii() and 2 * len(text) < self.limit):
            return False
        return self.count(text).count > self.limit

    def count(self, rewrite: str) -> "token_counts.TokenCount":
        """Count the tokens that the target's encoder gets of a rewrite."""
        return _count(rewrite, self.target)


def token_limit(request: PromptRequest, target: Target, source: str) -> TokenLimit:
    """Return what the target reads of a rewrite, within what the request wants.

    Args:
        request: the request.
        target: the model that the rewrite is for.
        source: the prompt as the rewrite is compared with it.
    """
    given = [limit for limit in (target.max_tokens, request.max_tokens) if limit is not None]
    token_counts.load_encoder(target.encoder)
    return TokenLimit(target, min(given, default=None), source)


def token_notices(tokens: TokenLimit, text: str) -> Sequence[str]:
    """Return sentences on what the target does not read of an answer.

    Args:
        tokens: what the target reads.
        text: the text that is returned.
    """
    notices = []
    if tokens.limit is not None and tokens.is_too_long(tokens.prompt):
        more, is_read = tokens.own - tokens.limit, not tokens.is_too_long(text)
        about = "" if tokens.target.encoder else "about "
        end = "The rewrite is short enough." if is_read else "What stands last is not read."
        notices.append(
            f"The prompt has {about}{tokens.own} tokens, {more} more than the {tokens.limit} that"
            f" {tokens.target.name} may have. {end}"
        )
    unread = token_counts.unread_words(
        read_by_encoder(text, tokens.target)[0], tokens.target.encoder
    )
    if unread:
        shown = ", ".join(f'"{word[:_MAX_WORD]}"' for word in unread[:_MAX_SHOWN])
        more_words = f" and {len(unread) - _MAX_SHOWN} more" if len(unread) > _MAX_SHOWN else ""
        notices.append(f"{tokens.target.name}'s text encoder cannot read {shown}{more_words}.")
    return notices


def _count(text: str, target: Target) -> "token_counts.TokenCount":
    words, is_certain = read_by_encoder(text, target)
    found = token_counts.count_tokens(words, target.encoder)
    return found if is_certain else token_counts.TokenCount(found.count, is_exact=False)
