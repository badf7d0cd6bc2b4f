"""Whose calls are limited."""

from dataclasses import dataclass

from llm_api.domain.access import Limits


@dataclass(frozen=True, slots=True)
class Subject:
    """A key, group, address or model whose calls are limited."""

    scope: str
    name: str
    limits: Limits
