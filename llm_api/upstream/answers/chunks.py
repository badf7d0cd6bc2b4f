"""Checks the events of a streamed answer and brings them into the form that every SDK takes.

What is already in that form is passed on byte by byte. The rules are those of the official SDKs:
the same `id` and `model` in every chunk, `role` and a tool call's name in the first delta only, an
`index` in every tool call's delta, the usage in a chunk of its own at the end, no `error` key.

n choices are counted n times: llama.cpp sends a usage for each of them, Moonshot inside of it.
"""

import re
import secrets
import time
from collections.abc import Mapping
from typing import Any

import orjson

from llm_api.domain.calls import Operation, TextLength, TokenUsage
from llm_api.upstream import faults
from llm_api.upstream.answers.completion import (
    ID_PREFIXES,
    dumped,
    parse_object,
    raise_embedded_error,
    raise_error,
    raise_error_of_choice,
)
from llm_api.upstream.answers.content import text_of_chat
from llm_api.upstream.answers.deltas import (
    ChoiceState,
    KnownForm,
    form_of,
    is_index,
    set_missing,
)
from llm_api.upstream.answers.embedded_errors import error_of_event, is_remark
from llm_api.upstream.answers.reasons import REASONS, settled
from llm_api.upstream.answers.streamed_usage import StreamedUsage
from llm_api.upstream.http.sse import ErrorEvent
from llm_api.upstream.vendors.errors import PLAIN, ErrorClassifier

DONE = b"[DONE]"
# In lower case; of relays that keep a connection alive by words.
NOTHING = re.compile(
    rb'null|""|\[done\]|\W*(?:ping|pong|keep[-_ ]?alive|heart[-_ ]?beat|\w{0,20} ?processing)\W*'
)
# Of a stream: some vendors have something new in every event, and learning it would be in vain.
_MOST_FORMS_IN_VAIN = 4
_OBJECTS = {Operation.CHAT: "chat.completion.chunk", Operation.TEXT: "text_completion"}


class StreamedAnswer:
    """The state of a streamed answer while its events come in."""

    def __init__(
        self,
        operation: Operation = Operation.CHAT,
        *,
        model: str = "",
        shows_usage: bool = False,
        classifier: ErrorClassifier = PLAIN,
        max_tokens: int | None = None,
        choice_count: int = 1,
    ) -> None:
        """Create the state of an answer without events.

        Args:
            operation: what was asked for; decides the form of the chunks.
            model: named in the chunks of an upstream that names none.
            shows_usage: whether the caller asked for the usage chunk.
            classifier: reads errors that come as events.
            max_tokens: the most tokens that the model can write, None if nothing limits it.
            choice_count: how many choices were asked for.
        """
        self.is_over = False  # nothing more is needed
        self.has_begun = True  # with its first chunk
        self.has_finished = False  # every choice has given the reason why it ended
        self.length = TextLength()  # of what the model wrote; kept texts would fill the memory
        self.operation = operation
        self.classifier = classifier
        self._is_done = False  # the mark of the end has come
        self._usage = StreamedUsage(max_tokens, choice_count)
        self._model = model
        self._shows_usage = shows_usage
        self._remark: dict[str, Any] = {}  # a sentence in place of an answer: an error, if last
        self._head: dict[str, Any] = {}
        self._choices: dict[int, ChoiceState] = {}
        self._form: KnownForm | None = None
        self._in_vain = 0  # forms learned since one was met again

    def take(self, event: bytes) -> bytes | None:
        """Return the chunk to pass on for an event, None where it is kept back.

        Raises faults.Fault.
        """
        # Nearly all events of a stream are the one before with another text. Reading that text
        # alone takes a tenth of the time, and tests/upstream/answers/test_known_form.py holds that
        # the outcome is the same.
        if self._form is not None and (text := self._form.text_in(event)) is not None:
            self._remark = {}
            self._in_vain = 0
            if text:
                self.length.add(text)
            return event
        chunk, is_changed = self.read(event)
        if chunk is None:
            return None
        if is_changed or b"\n" in event:
            return dumped(chunk)
        if self._in_vain < _MOST_FORMS_IN_VAIN and type(event) is bytes:
            self._form = form_of(event, chunk)
            self._in_vain += 1
        return event

    def read(self, event: bytes) -> tuple[dict[str, Any] | None, bool]:
        """Return the chunk to pass on, as `take` does, and whether it differs from the event."""
        if event.strip() == DONE:
            self._is_done = self.is_over = True
            return None, False
        if type(event) is ErrorEvent:
            self._fail(event)
        if event[:1] != b"{" and self._says_nothing(event):
            return None, False
        chunk = parse_object(event, "an event", self.classifier)
        raise_embedded_error(chunk, self.classifier)
        if chunk.get("choices") is None and is_remark(chunk):
            self._remark = chunk
            return None, False
        self._remark = {}
        is_changed = self._settle(chunk)
        if usage := chunk.get("usage") or (chunk.get("x_groq") and _usage_of_groq(chunk)):
            self._usage.record(chunk, usage)
            if not chunk["choices"]:
                self.is_over |= self.has_finished and self._usage.is_complete
                return None, False  # it is shown at the end, to a caller who asked
            if chunk.get("usage"):
                chunk["usage"] = None
                is_changed = True
        return chunk, is_changed

    def _says_nothing(self, event: bytes) -> bool:
        """Whether an event that is no object is a sign of life, or of the end after the answer."""
        word = event.strip().lower()
        if self.has_finished and not word.startswith((b"{", b"[{")):
            self.is_over = True
        return self.is_over or NOTHING.fullmatch(word) is not None

    def _fail(self, event: bytes) -> None:
        """Raise the Fault of an event that is named `error`."""
        raise_error(error_of_event(error_document(event)), self.classifier)

    def _settle(self, chunk: dict[str, Any]) -> bool:
        is_changed = chunk.pop("error", self) is not self  # null, but SDKs look for the key alone
        is_changed |= self._settle_head(chunk)
        if chunk.get("choices") is None:
            chunk["choices"] = []
            is_changed = True
        if not isinstance(chunk["choices"], list):
            raise faults.bad_response("an event without choices")
        for choice in chunk["choices"]:
            is_changed |= self._settle_choice(choice)
        return is_changed

    def _settle_head(self, chunk: dict[str, Any]) -> bool:
        head = self._head
        if not head:
            prefix = ID_PREFIXES[self.operation]
            head["id"] = chunk.get("id") or f"{prefix}{secrets.token_hex(12)}"
            head["object"] = _OBJECTS[self.operation]
            created = chunk.get("created")
            head["created"] = created if type(created) is int else int(time.time())
            head["model"] = ""
        # Azure's first chunk, which is about filters, has no model.
        head["model"] = head["model"] or chunk.get("model") or self._model
        is_changed = False
        for name, value in head.items():
            if chunk.get(name) != value:
                chunk[name] = value
                is_changed = True
        return is_changed

    def _settle_choice(self, choice: Any) -> bool:
        if not isinstance(choice, dict) or not is_index(choice.get("index")):
            raise faults.bad_response("an event with a malformed choice")
        is_changed = set_missing(choice, "index", 0)
        state = self._choices.get(choice["index"]) or self._begin_choice(choice["index"])
        if choice.get("finish_reason") or "error" in choice:
            is_changed |= self._settle_end(choice, state)
        if self.operation is Operation.TEXT:
            if choice.get("text") is None:
                choice["text"] = text_of_chat(choice)
                is_changed = True
            if not isinstance(choice["text"], str):
                raise faults.bad_response("an event whose text is none")
            self._count(choice["text"])
            return is_changed
        if not isinstance(choice.get("delta"), dict):
            choice["delta"] = _instead_of_delta(choice, state)
            is_changed = True
        delta = choice["delta"]
        is_changed |= state.settle(delta, self._count)
        for name in ("content", "reasoning_content", "refusal"):
            self._count(delta.get(name))
        return is_changed

    def _begin_choice(self, index: int) -> ChoiceState:
        state = self._choices[index] = ChoiceState()
        self.has_finished = False
        return state

    def _settle_end(self, choice: dict[str, Any], state: ChoiceState) -> bool:
        """Settle the reason for the end of a choice; return whether it was changed."""
        raise_error_of_choice(choice, self.classifier)
        is_changed = choice.pop("error", self) is not self
        if (reason := choice.get("finish_reason")) not in REASONS:
            choice["finish_reason"] = settled(reason)
            is_changed |= bool(choice["finish_reason"] != reason)
        if not choice.get("finish_reason"):
            return is_changed
        state.finish(choice["finish_reason"])
        self.has_finished = all(one.has_finished for one in self._choices.values())
        self._usage.record_of_choice(self._head, choice)
        self.is_over |= self.has_finished and self._usage.is_complete
        return is_changed

    def _count(self, text: object) -> None:
        if text and isinstance(text, str):
            self.length.add(text)

    def end(self) -> list[bytes]:
        """Return what is left to pass on when no more events come; raises faults.Fault."""
        self.check_complete()
        shown = self._usage.chunk
        return [dumped(shown)] if self._shows_usage and shown else []

    def check_complete(self) -> None:
        """Raise faults.Fault if the events ended before the answer did.

        The mark of the end proves nothing: llama-cpp-python sends it when it drops one request for
        the next. Of several choices one may have no reason for its end where the mark is there.
        """
        if not self.is_complete and self._remark:
            raise_error(self._remark, self.classifier)
        if not self._head:
            raise faults.bad_response("an empty stream")
        if not self.is_complete:
            raise faults.truncated()

    @property
    def is_complete(self) -> bool:
        """Whether nothing of the answer is missing, so far as can be told."""
        if self.has_finished:
            return True
        return self._is_done and any(choice.has_finished for choice in self._choices.values())

    @property
    def document(self) -> dict[str, Any]:
        """The answer so far, without its texts."""
        choices = [{"finish_reason": one.finish_reason} for one in self._choices.values()]
        return {**self._head, "choices": choices}

    @property
    def usage(self) -> TokenUsage:
        """The usage so far."""
        return self._usage.counted

    @property
    def raw_usage(self) -> Any:
        """The usage as the upstream sent it, None where it sent none."""
        return self._usage.chunk.get("usage")


def error_document(event: bytes) -> object:
    """Return what an event that is named `error` says; its data need not be JSON."""
    try:
        document: object = orjson.loads(bytes(event))  # it takes no class of its own
    except orjson.JSONDecodeError:
        document = event.decode("utf-8", "replace").strip()
    return document


def _instead_of_delta(choice: dict[str, Any], state: ChoiceState) -> dict[str, Any]:
    """Return the message of a choice without a delta: relays put a whole answer into one event.

    Behind deltas the last event may have all of it once more.
    """
    message = choice.pop("message", None)
    is_again = state.has_begun and choice.get("finish_reason")
    return message if isinstance(message, dict) and not is_again else {}


def _usage_of_groq(chunk: Mapping[str, Any]) -> object:
    """Return the usage that Groq has in a field of its own: https://console.groq.com/docs."""
    own = chunk["x_groq"]
    return own.get("usage") if isinstance(own, dict) else None
