"""Rules that say what an upstream's error means, and the words they look into."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from llm_api.upstream.vendors.error_body import VendorError

# Meanings that are about this service and not about the request, and statuses and bodies (None)
# that are about the request unless a code says otherwise.
_OF_THE_SERVICE = frozenset(
    ["upstream_account", "upstream_auth", "upstream_rate_limited", "upstream_unavailable"]
)
_OF_THE_REQUEST = frozenset([None, 400, 413, 415, 422])
_QUOTED = re.compile(
    r"""(?<![\w])'[^']{0,300}'(?!\w)|"[^"]{0,300}"|`[^`]{0,300}`|“[^”]{0,300}”|‘[^’]{0,300}’"""
    r"""|\[[^\]]{0,300}\]|\{[^}]{0,300}\}|《[^》]{0,300}》|「[^」]{0,300}」"""
)


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """What an error means whose code, type or message the pattern is found in.

    `status` are the statuses that the rule is for, none for all; `retryable` overrides what the
    reason says by itself.
    """

    match: re.Pattern[str]
    reason: str
    hint: str | None = None
    retryable: bool | None = None
    status: frozenset[int] = frozenset()

    def fits_code(self, status: int | None, sent: VendorError) -> bool:
        """Whether the rule matches the codes of an error; `status` is None if it has none."""
        return self._is_for(status) and self.match.search(sent.code_words) is not None

    def fits(self, status: int | None, sent: VendorError) -> bool:
        """Whether the rule matches an error; `status` is None if the error has none."""
        return self._is_for(status) and self.match.search(self._words(status, sent)) is not None

    def _is_for(self, status: int | None) -> bool:
        return not self.status or status is None or status in self.status

    def _words(self, status: int | None, sent: VendorError) -> str:
        """Return the words that prove something.

        A message may repeat what a caller has written, who must not be able to make an upstream
        look ill: of a refusal, a code decides where there is one, and what is quoted never does.
        """
        if self.reason not in _OF_THE_SERVICE or status not in _OF_THE_REQUEST:
            return sent.words
        if sent.has_telling_name:
            return sent.code_words
        return unquoted(sent)


def unquoted(sent: VendorError) -> str:
    """Return the words of an error but those it quotes, which a caller may have written."""
    return _QUOTED.sub("…", sent.quoting_words)


def find_rule(
    rules: Sequence[ErrorRule], status: int | None, sent: VendorError
) -> tuple[ErrorRule | None, bool]:
    """Return the rule that decides, and whether by a code: a code is stronger than a sentence."""
    for rule in rules:
        # That a request is invalid says little: the sentence may say why.
        if rule.reason != "upstream_rejected" and rule.fits_code(status, sent):
            return rule, True
    return next((rule for rule in rules if rule.fits(status, sent)), None), False
