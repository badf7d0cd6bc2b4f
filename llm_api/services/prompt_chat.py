"""Answers a chat with the rewrite of its last prompt, for clients that only know how to chat."""

import binascii
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import orjson

from llm_api.domain.access import ApiKey
from llm_api.domain.calls import (
    Caller,
    CallReport,
    CallResult,
    Completion,
    ModelRequest,
    Operation,
    TokenUsage,
)
from llm_api.domain.judging import JudgedPicture
from llm_api.domain.prompts import (
    EDIT,
    MAX_EDITED_PICTURES,
    MAX_PROMPT_CHARS,
    OptimizedPrompt,
    PromptRequest,
)
from llm_api.domain.reminders import without_reminders
from llm_api.errors import InvalidRequest
from llm_api.runtime.turns import base64_decoded
from llm_api.services.field_names import in_own_words
from llm_api.services.prompts import PromptOptimizer
from llm_api.services.routing.prompt_models import NO_MODEL, PromptModels

_USED = frozenset(["messages", "seed", "n", "response_format"])
_ONE_TEXT = "a rewrite is one text; POST /api/v1/llm/optimize-prompt returns several."
_ONLY_EDITS = "must have only text: pictures are for optimize/edit, and the targets that edit."
_NO_MEDIA = "must have only text and pictures: the optimizer looks at nothing else."
_TOO_MANY = f"must have at most {MAX_EDITED_PICTURES} pictures."
_NO_BASE64 = "must be a data URI whose base64 is valid."
_NO_TOOLS = "must be auto or none: the optimizer writes a prompt, and calls no tool."
_NO_JSON = "must be text: the optimizer writes a prompt, in the form that its target reads."
# How Open WebUI 0.12.4 begins what it asks the chat's model beside the chat: for titles, tags and
# follow-ups. As prompts each would cost two calls; refused, the title is the first message.
_TASK = "### Task:\n"
_OTHER_MODEL = (
    "must be a prompt: this is a task beside a chat, for which the program must name another model;"
    " in Open WebUI that is the External Task Model."
)


class PictureReader(Protocol):
    """What reads the pictures of an edit; its errors are InvalidRequest, and name the field."""

    def read_picture(self, data: bytes, field: str, media_type: str | None = None) -> JudgedPicture:
        """Return a picture of its bytes, which the request may say to be of a type."""

    def fetch_picture(self, url: str, field: str) -> JudgedPicture:
        """Return the picture at an https address."""


@dataclass(frozen=True, slots=True)
class PromptChat:
    """Answers chats by the optimizer; `models` are the names under which it does."""

    models: PromptModels
    optimizer: PromptOptimizer
    reader: PictureReader

    def require(self, name: str, caller: Caller) -> None:
        """Raise ApiError where a name is none of them, or not for the caller."""
        self.optimizer.require_enabled()
        self.models.find(name, caller.key)

    def complete(self, request: ModelRequest, caller: Caller) -> CallResult[Completion]:
        """Return the rewrite of the last user message as the assistant's answer.

        Beside it there are pictures for an edit. The other messages are left aside. A key that may
        use the name needs no right to the model that writes: whoever gives out the name gives out
        what it is made with.

        Raises:
            InvalidRequest: there is no such prompt, or the answer must be something else.
            ApiError: what `PromptOptimizer.optimize` raises, with `messages` for `prompt`.
        """
        if request.operation is not Operation.CHAT:
            raise NO_MODEL
        self.optimizer.require_enabled()
        name = request.model or ""
        model = self.models.find(name, caller.key)
        _refuse_others(request)
        field, parts = _last_parts(request.parameters["messages"])
        wanted = PromptRequest(
            _text_of(field, parts),
            model.type,
            target_model=model.target,
            seed=request.parameters.get("seed"),
            pictures=self._pictures(field, parts, model.type),
        )
        asking = replace(caller, key=_for_any_model(caller.key), requested_model=name)
        try:
            result = self.optimizer.optimize(wanted, asking)
        except InvalidRequest as error:
            # It came in the messages.
            raise in_own_words(error, {"prompt": "messages"}) from error
        completion = _completion(name, result.answer, result.report)
        return CallResult(completion, _report(result, request))

    def _pictures(
        self, field: str, parts: Sequence[Mapping[str, Any]], kind: str
    ) -> tuple[JudgedPicture, ...]:
        """Return the pictures that a prompt of a type has beside it; raises InvalidRequest."""
        others = [part for part in parts if part["type"] != "text"]
        if others and kind != EDIT:
            raise InvalidRequest.of_field(field, _ONLY_EDITS, reason="not_supported")
        if any(part["type"] != "image_url" for part in others):
            raise InvalidRequest.of_field(field, _NO_MEDIA, reason="not_supported")
        if len(others) > MAX_EDITED_PICTURES:
            raise InvalidRequest.of_field(field, _TOO_MANY, reason="out_of_range")
        return tuple(self._picture(part["image_url"], field) for part in others)

    def _picture(self, image: Any, field: str) -> JudgedPicture:
        address = str(image["url"] if isinstance(image, dict) else image)
        head, _, data = address.partition(",")
        if not head.lower().startswith("data:"):
            return self.reader.fetch_picture(address, field)
        try:
            decoded = base64_decoded(data.encode("ascii"), is_strict=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidRequest.of_field(field, _NO_BASE64, reason="invalid_url") from error
        media_type = head[len("data:") :].partition(";")[0]
        return self.reader.read_picture(decoded, field, media_type)


def _for_any_model(key: ApiKey | None) -> ApiKey | None:
    return key if key is None or key.models is None else replace(key, models=None)


def _refuse_others(request: ModelRequest) -> None:
    """Raise InvalidRequest where the client could not read a rewrite as what it asked for."""
    if request.responses is not None and request.responses.refusal is not None:
        raise request.responses.refusal
    parameters = request.parameters
    if (parameters.get("n") or 1) > 1:
        raise InvalidRequest.of_field("n", f"must be 1: {_ONE_TEXT}", reason="not_supported")
    for name in ("tool_choice", "function_call"):
        if parameters.get(name) not in (None, "auto", "none"):
            raise InvalidRequest.of_field(name, _NO_TOOLS, reason="not_supported")
    form = parameters.get("response_format")
    if form is not None and not (isinstance(form, dict) and form.get("type") == "text"):
        raise InvalidRequest.of_field("response_format", _NO_JSON, reason="not_supported")


def _last_parts(
    messages: Sequence[Mapping[str, Any]],
) -> tuple[str, Sequence[Mapping[str, Any]]]:
    """Return the field of the last message of the user, and its parts; raises InvalidRequest."""
    for index in range(len(messages) - 1, -1, -1):
        if messages[index]["role"] != "user":
            continue
        content = messages[index]["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        # What a system says in the middle of other dialects' conversations is no prompt.
        if (said := without_reminders(parts)) or not parts:
            return f"messages[{index}].content", said
    message = "must have a message of the role user, whose text is the prompt."
    raise InvalidRequest.of_field("messages", message, reason="missing")


def _text_of(field: str, parts: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of a message that is a prompt; raises InvalidRequest."""
    text = "\n".join(part["text"] for part in parts if part["type"] == "text")
    if text.startswith(_TASK):
        raise InvalidRequest.of_field(field, _OTHER_MODEL, reason="not_supported")
    if not 1 <= len(text) <= MAX_PROMPT_CHARS:
        message = f"must be a prompt of 1 to {MAX_PROMPT_CHARS} characters."
        raise InvalidRequest.of_field(field, message, reason="out_of_range")
    return text


def _completion(name: str, answer: OptimizedPrompt, report: CallReport) -> Completion:
    # What is kept was paid for before.
    usage = report.usage if report.attempts else TokenUsage(0, 0, "upstream")
    message = {"role": "assistant", "content": answer.optimized_prompt}
    document: dict[str, Any] = {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": name,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
    }
    if usage.prompt_tokens is not None and usage.completion_tokens is not None:
        document["usage"] = _counts(usage.prompt_tokens, usage.completion_tokens, usage)
    return Completion(document, orjson.dumps(document), usage)


def _counts(prompt: int, completion: int, usage: TokenUsage) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens or 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
    }


def _report(result: CallResult[OptimizedPrompt], request: ModelRequest) -> CallReport:
    """Return the report of a rewrite, with what of the request had no part in it."""
    unused = [
        name for name in request.parameters if name not in _USED and name not in request.defaults
    ]
    lost = () if request.responses is None else request.responses.lost
    return replace(
        result.report,
        dropped=(*unused, *lost),
        rewrite_id=result.answer.rewrite_id,
        warnings=tuple(result.answer.warnings),
    )
