"""Puts requests into the form that an upstream takes."""

from collections.abc import Mapping, Sequence
from typing import Any

from llm_api.domain.calls import ModelRequest, Operation
from llm_api.domain.responses_form import ResponsesForm
from llm_api.domain.upstream_plans import Endpoint
from llm_api.upstream.behavior import UpstreamBehavior
from llm_api.upstream.request_sender import UpstreamRequest
from llm_api.upstream.vendors.errors import ErrorClassifier
from llm_api.upstream.vendors.profiles import Profile, asks_for_reasoning, cap_name
from llm_api.upstream.vendors.responses_traits import ResponsesTraits

_MAX_MODELS = 1_024  # callers can make up names
_RESPONSES_CAP = "max_output_tokens"


class RequestPreparation:
    """Puts requests to one upstream into its vendor's form.

    A request of the Responses API keeps its own form where the vendor has that API, and is a chat
    everywhere else. A server can be older than what its vendor has, and a model of the vendor be
    for chats only: one that has refused the form is sent chats from then on.
    """

    def __init__(
        self, profile: Profile, behavior: UpstreamBehavior, endpoints: Sequence[Endpoint]
    ) -> None:
        """Put requests into the form of the `profile`, for an upstream at these addresses."""
        urls = [endpoint.url for endpoint in endpoints]
        self._profile = profile.at(urls, has_tools=behavior.has_tools)
        self._secrets = tuple(endpoint.key for endpoint in endpoints if endpoint.key)
        self._behavior = behavior
        self._only_chats: frozenset[str] = frozenset()  # the names of such models

    def learn_only_chats(self, model: str) -> None:
        """Remember that a model knows no form but that of a chat."""
        if len(self._only_chats) < _MAX_MODELS:
            self._only_chats |= {model}

    def without_reasoning(self, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return a request body with thinking off; None if the vendor has no switch for it."""
        return self._profile.without_reasoning(body)

    def prepared(
        self, model: str, request: ModelRequest, *, model_was_named: bool, is_streamed: bool
    ) -> UpstreamRequest:
        """Return a request as the vendor takes it.

        `is_streamed`: whether the answer is to come as a stream. Raises ApiError for what the
        upstream cannot take in any form.
        """
        own = request.responses
        if own is None:
            return self._as_chat(
                model, request, model_was_named=model_was_named, is_streamed=is_streamed
            )
        traits = self._traits_for(model, own)
        if traits is None and own.refusal is not None:
            raise own.refusal
        if traits is None:
            return self._as_chat(
                model,
                request,
                model_was_named=model_was_named,
                is_streamed=is_streamed,
                lost=own.lost,
            )
        if self._profile.inner is not None:
            self._profile.inner.check(request.parameters["messages"])
        body, dropped = traits.adapted(
            own.parameters,
            self._profile.thinking,
            has_developer_role=self._profile.has_developer_role,
            passes_unknown=self._profile.passes_unknown,
        )
        return self._in_own_form(
            {"model": model, **body},
            dropped,
            model_was_named=model_was_named,
            is_streamed=is_streamed,
        )

    def _as_chat(
        self,
        model: str,
        request: ModelRequest,
        *,
        model_was_named: bool,
        is_streamed: bool,
        lost: tuple[str, ...] = (),
    ) -> UpstreamRequest:
        """Return a request in the form of a chat, a text completion or embeddings.

        `lost` are fields that only its other form has.
        """
        operation = request.operation
        if self._behavior.reads_text_only:
            self._behavior.check(request.parameters)
        parameters = request.parameters
        if request.has_thoughts or request.has_files:
            parameters = self._profile.messages.fitted(request)
        adapted, dropped = self._profile.adapted(parameters, operation, model)
        body = {"model": model, **adapted}
        limit = body.get("max_completion_tokens") or body.get("max_tokens")
        if operation is not Operation.EMBEDDINGS:
            if not limit and (limit := self._behavior.default_max_tokens):
                body["max_tokens"] = limit
            if is_streamed:
                body["stream"] = True
        cap = cap_name(request.parameters)
        return UpstreamRequest(
            operation,
            body,
            ErrorClassifier(self._profile.rules, operation, model_was_named, cap, self._secrets),
            (*lost, *dropped) if lost else dropped,
            asks_for_reasoning(request.parameters),
            limit * (body.get("n") or 1) if limit else None,
            self._profile.counts_one_choice,
            request.defaults,
        )

    def _traits_for(self, model: str, own: ResponsesForm) -> ResponsesTraits | None:
        """Return what the vendor's Responses API takes; None if the request must be a chat."""
        traits = self._profile.responses
        if traits is None or not self._profile.has_tools or model in self._only_chats:
            return None
        is_inside = self._profile.inner is not None
        return traits if traits.takes(own.parameters, is_inside=is_inside) else None

    def _in_own_form(
        self,
        body: dict[str, Any],
        dropped: tuple[str, ...],
        *,
        model_was_named: bool,
        is_streamed: bool,
    ) -> UpstreamRequest:
        """Return a request of the Responses API whose `body` is as the vendor takes it."""
        if is_streamed:
            body["stream"] = True
        else:
            body.pop("stream_options", None)  # nothing is lost: there is no stream
        operation = Operation.RESPONSES
        return UpstreamRequest(
            operation,
            body,
            ErrorClassifier(
                self._profile.rules, operation, model_was_named, _RESPONSES_CAP, self._secrets
            ),
            dropped,
            max_tokens=body.get(_RESPONSES_CAP) or None,
        )
