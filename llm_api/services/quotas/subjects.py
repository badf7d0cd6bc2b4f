"""Whose calls are limited."""

from dataclasses import dataclass

from llm_api.domain.access import Limits

# What follows the name of a subject where something else than its requests is counted.
TOKENS, IMAGES = ":tokens", ":images"


@dataclass(frozen=True, slots=True)
class Subject:
    """A key, group, address or model whose calls are limited."""

    scope: str
    name: str
    limits: Limits
