"""Keeps the usage of a streamed answer, wherever it stands and however often it comes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llm_api.domain.calls import TokenUsage
from llm_api.upstream.answers.completion import parse_usage


class StreamedUsage:
    """The usage of one streamed answer: the last one counts, or the sum over its choices."""

    def __init__(self, max_tokens: int | None, choice_count: int) -> None:
        """Expect the usage of an answer with so many choices and at most `max_tokens`."""
        self.counted = TokenUsage()
        self.chunk: dict[str, Any] = {}  # what a caller is shown who asked for it
        self.is_complete = False  # no other usage is to come
        self._max_tokens = max_tokens
        self._choice_count = choice_count
        self._each: list[TokenUsage] = []  # of one choice each, in the order they came

    def record(self, chunk: Mapping[str, Any], usage: object) -> None:
        """Record the usage of a chunk, which may be the one that has nothing else."""
        if not isinstance(usage, dict):
            return
        counted = parse_usage(usage, self._max_tokens)
        is_nothing = counted.source != "upstream" or not (
            counted.prompt_tokens or counted.completion_tokens
        )
        if is_nothing and self.counted.source == "upstream":
            return  # nulls or noughts, behind one that says something
        self.counted = counted
        self.chunk = {**chunk, "choices": [], "usage": usage}
        if chunk["choices"]:
            return
        self.is_complete = self._choice_count == 1
        if not self.is_complete:
            self._add(counted, usage)

    def record_of_choice(self, head: Mapping[str, Any], choice: Mapping[str, Any]) -> None:
        """Record the usage that stands inside a choice, as Moonshot's does."""
        usage = choice.get("usage")
        if isinstance(usage, dict):
            self.counted = parse_usage(usage, self._max_tokens)
            self.chunk = {**head, "choices": [], "usage": usage}
            self._add(self.counted, usage)

    def _add(self, counted: TokenUsage, usage: Mapping[str, Any]) -> None:
        """Sum what came for each of several choices; the prompt is the same for all."""
        self._each.append(counted)
        if len(self._each) != self._choice_count or len(self._each) == 1:
            return
        if any(one.source != "upstream" for one in self._each):
            return
        completion = sum(one.completion_tokens or 0 for one in self._each)
        prompt = counted.prompt_tokens or 0
        self.counted = replace(counted, completion_tokens=completion)
        summed = {"completion_tokens": completion, "total_tokens": prompt + completion}
        self.chunk["usage"] = {**usage, **summed}
