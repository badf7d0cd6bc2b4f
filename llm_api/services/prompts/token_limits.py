"""Decides how many tokens a rewrite may have, and says what its target does not read."""

from collections.abc import Sequence
from dataclasses import dataclass

from llm_api.domain.prompts import PromptRequest, Target
from llm_api.services.prompts.constraints.target_syntax import read_by_encoder
from llm_api.services.prompts.encoders.token_counts import (
    TokenCount,
    count_tokens,
    load_encoder,
    unread_words,
)

_MAX_SHOWN = 3


@dataclass(frozen=True, slots=True)
class TokenLimit:
    """What a target reads of a prompt.

    `limit` is the number of tokens, None where nothing is known; `own` is how many the prompt has.
    A prompt that is too long may stay as long as it is: then nothing is added to it.
    """

    target: Target
    limit: int | None
    own: int = 0

    @property
    def is_full(self) -> bool:
        """Whether the prompt itself fills the limit."""
        return self.limit is not None and self.own >= self.limit

    def is_passed_by(self, rewrite: str) -> bool:
        """Whether a rewrite has more tokens than are read, and than its prompt has."""
        if self.limit is None:
            return False
        return self.count(rewrite).count > max(self.limit, self.own)

    def count(self, rewrite: str) -> TokenCount:
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
    if not given:
        return TokenLimit(target, None)
    load_encoder(target.encoder)
    return TokenLimit(target, min(given), _count(source, target).count)


def token_notices(tokens: TokenLimit, text: str) -> Sequence[str]:
    """Return sentences on what the target does not read of an answer.

    Args:
        tokens: what the target reads.
        text: the text that is returned.
    """
    notices = []
    if tokens.limit is not None and tokens.own > tokens.limit:
        more, is_read = tokens.own - tokens.limit, not _is_too_long(tokens, text)
        about = "" if tokens.target.encoder else "about "
        end = "The rewrite is short enough." if is_read else "What stands last is not read."
        notices.append(
            f"The prompt has {about}{tokens.own} tokens, {more} more than the {tokens.limit} that"
            f" {tokens.target.name} may have. {end}"
        )
    unread = unread_words(read_by_encoder(text, tokens.target)[0], tokens.target.encoder)
    if unread:
        shown = ", ".join(f'"{word}"' for word in unread[:_MAX_SHOWN])
        more_words = f" and {len(unread) - _MAX_SHOWN} more" if len(unread) > _MAX_SHOWN else ""
        notices.append(f"{tokens.target.name}'s text encoder cannot read {shown}{more_words}.")
    return notices


def _is_too_long(tokens: TokenLimit, text: str) -> bool:
    return tokens.limit is not None and tokens.count(text).count > tokens.limit


def _count(text: str, target: Target) -> TokenCount:
    words, is_certain = read_by_encoder(text, target)
    found = count_tokens(words, target.encoder)
    return found if is_certain else TokenCount(found.count, is_exact=False)
