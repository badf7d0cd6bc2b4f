"""The door to one upstream: chat completions, with a bound on concurrency and one repeat."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import requests

from llm_api.domain import Completion, Endpoint, Timeouts
from llm_api.upstream import faults
from llm_api.upstream.answers import collect_chunks, parse_completion
from llm_api.upstream.call import Call
from llm_api.upstream.events import EventParser, EventTooLarge
from llm_api.upstream.transport import Transport, read_body, read_pieces
from llm_api.watch import Watch

_ATTEMPTS = 2
_MAX_PAUSE = 0.25
_PROBE_TIMEOUT = 3.0


@dataclass(frozen=True, slots=True)
class UpstreamTraits:
    """What is peculiar to an upstream.

    `serves_one_model`: the configured model answers, whichever was asked for.
    `is_always_streamed`: also a call without streaming is streamed, so that the upstream notices
    when it is given up. `default_max_tokens` is sent where the caller set no cap.
    `max_concurrency` calls run at once in this process, others wait up to `queue_timeout` seconds.
    """

    name: str
    serves_one_model: bool = False
    is_always_streamed: bool = False
    default_max_tokens: int | None = None
    max_concurrency: int = 1024
    queue_timeout: float = 1.0
    probe_path: str = "/models"


# llama.cpp never stops an abandoned call unless it is streamed, and generates without end unless
# capped. It has 4 places, and an answer takes seconds, so that waiting a while is worth it.
BUNDLED_MODEL = UpstreamTraits(
    name="local",
    serves_one_model=True,
    is_always_streamed=True,
    default_max_tokens=512,
    max_concurrency=4,
    queue_timeout=20.0,
    probe_path="/health",
)


class UpstreamClient:
    """Calls one upstream."""

    def __init__(
        self,
        endpoint: Endpoint,
        traits: UpstreamTraits,
        timeouts: Timeouts,
        watch: Watch,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Open no connection yet."""
        self.name = traits.name
        self.default_model = endpoint.model
        self.serves_one_model = traits.serves_one_model
        self._traits = traits
        self._timeouts = timeouts
        self._sleep = sleep
        self._places = threading.BoundedSemaphore(traits.max_concurrency)
        self._transport = Transport(endpoint, timeouts, watch, min(traits.max_concurrency, 128))

    def new_call(
        self, is_abandoned: Callable[[], bool], on_first_attempt: Callable[[], None]
    ) -> Call:
        """Begin a call: its total time-out runs from now."""
        return Call(
            total=self._timeouts.total,
            is_abandoned=is_abandoned,
            on_first_attempt=on_first_attempt,
        )

    def complete(
        self,
        model: str,
        parameters: Mapping[str, Any],
        call: Call,
        *,
        model_was_named: bool = True,
    ) -> Completion:
        """Ask for one chat completion; `parameters` is the OpenAI request body without `model`.

        Raises an ApiError.
        """
        body = orjson.dumps(self._body(model, parameters))
        with self._place(call):
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    return self._attempt(body, call, model_was_named=model_was_named)
                except faults.Fault as fault:
                    if attempt == _ATTEMPTS or not fault.is_repeatable or not call.remaining:
                        fault.error.is_spent = attempt == _ATTEMPTS
                        raise fault.error from fault
                self._sleep(random.uniform(0, _MAX_PAUSE))  # noqa: S311  # a pause, not a secret
        raise AssertionError  # the last attempt has returned or raised

    def _body(self, model: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        body = {"model": model, **parameters}
        if self._traits.default_max_tokens and not (
            body.get("max_tokens") or body.get("max_completion_tokens")
        ):
            body["max_tokens"] = self._traits.default_max_tokens
        if self._traits.is_always_streamed:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return body

    @contextmanager
    def _place(self, call: Call) -> Iterator[None]:
        has_waited = not self._places.acquire(blocking=False)
        if has_waited and not self._places.acquire(
            timeout=min(self._traits.queue_timeout, call.remaining)
        ):
            raise faults.overloaded()
        try:
            if has_waited:
                call.check()
            if call.is_client_gone:  # nobody looked for it while it waited
                raise faults.ClientGone
            yield
        finally:
            self._places.release()

    def _attempt(self, body: bytes, call: Call, *, model_was_named: bool) -> Completion:
        call.begin_attempt()
        started_at = time.monotonic()
        try:
            with self._transport.post("/chat/completions", body, call) as response:
                if response.status_code != requests.codes.ok:
                    text = read_body(response)
                    raise faults.of_status(response, text, model_was_named=model_was_named)
                if response.headers.get("Content-Type", "").startswith("text/event-stream"):
                    return collect_chunks(_events(response), model_was_named=model_was_named)
                return parse_completion(read_body(response), model_was_named=model_was_named)
        finally:
            call.upstream_s += time.monotonic() - started_at

    def probe(self) -> str:
        """Ask the upstream whether it is there: `ok`, `starting`, or what is wrong in a word."""
        try:
            status = self._transport.get_status(self._traits.probe_path, timeout=_PROBE_TIMEOUT)
        except faults.Fault as fault:
            return fault.error.reason
        if status in {401, 403}:
            return "upstream_auth"
        if status == requests.codes.service_unavailable and self._traits.serves_one_model:
            return "starting"
        return "ok" if status < requests.codes.server_error else "upstream_error"

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()


def _events(response: requests.Response) -> Iterator[bytes]:
    parser = EventParser()
    try:
        for piece in read_pieces(response):
            yield from parser.feed(piece)
        yield from parser.end()
    except EventTooLarge as error:
        raise faults.too_large() from error
