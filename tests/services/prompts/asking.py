"""What tests of prompt optimization share: tasks, answers, and an optimizer before an upstream."""

import json
from typing import Any

import orjson

from llm_api.domain.calls import Completion, TokenUsage
from llm_api.domain.prompts import GENERIC, PromptRequest
from llm_api.services.prompts.optimizer import PromptOptimizer
from llm_api.services.prompts.task import Task, read_task
from llm_api.services.usage.ledger import UsageLedger
from llm_api.settings.config_files import read_targets
from llm_api.settings.settings import PROJECT_ROOT
from tests.services.calls import ListSink, catalogue_of, client_of
from tests.support import replies
from tests.support.replies import Reply
from tests.support.upstream import ScriptedUpstream

TARGETS = read_targets(PROJECT_ROOT)
KINDS = ["image", "video"]


def task_of(prompt: str, kind: str = "image", **fields: Any) -> Task:
    """Read a request for a rewrite of a prompt."""
    target = fields.setdefault("target_model", GENERIC)
    return read_task(PromptRequest(prompt, kind, **fields), TARGETS[target])


def completion_of(text: str, finish_reason: str = "stop") -> Completion:
    """Make a model's answer of a text."""
    choice = {"message": {"content": text}, "finish_reason": finish_reason}
    document = {"choices": [choice]}
    return Completion(document, orjson.dumps(document), TokenUsage())


def answer(text: str) -> Reply:
    """Answer as a model does that keeps to our form."""
    return replies.completion(json.dumps({"optimized_prompt": text}))


def optimizer_of(
    upstream: ScriptedUpstream, sink: ListSink, *, is_guided: bool = False
) -> PromptOptimizer:
    """Optimize with the scripted upstream, as with a capable model or a small one."""
    catalogue = catalogue_of(client_of(upstream.url), is_guided=is_guided)
    return PromptOptimizer(catalogue, UsageLedger(sink), TARGETS, is_enabled=True)
