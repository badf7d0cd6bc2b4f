"""Adds what flags exclude, such as `--no text`, to what the words of a prompt exclude."""

from collections.abc import Sequence
from dataclasses import replace

from llm_api.services.prompts.constraints.constraints import Constraints, find_constraints
from llm_api.services.prompts.constraints.negations import Negation


def with_unwanted(constraints: Constraints, unwanted: Sequence[str]) -> Constraints:
    """Add what flags exclude to what the prompt's words exclude."""
    if not unwanted:
        return constraints
    known = {negation.words: negation for negation in constraints.negations}
    for thing in unwanted:
        known.setdefault(thing, _negation(thing))
    negations = tuple(known.values())
    in_words = {**constraints.in_words, "negations": tuple(known)}
    return replace(constraints, negations=negations, in_words=in_words)


def _negation(thing: str) -> Negation:
    """Read what is excluded as if words excluded it; more than a word is a thing of its own."""
    denial = f"no {thing}" if thing.isascii() else f"不要{thing}"
    if " " not in thing:
        for negation in find_constraints(denial).negations:
            if negation.words == thing.casefold():
                return negation
    return Negation(thing, thing, is_known=False)
