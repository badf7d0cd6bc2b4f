"""The client of one vendor of pictures or films: what can cost money is sent once."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Generic, TypeVar

from llm_api.domain.calls import Caller
from llm_api.domain.making import FittedRequest, VendorResult, VendorTask
from llm_api.domain.tasks import CancelState
from llm_api.domain.upstream_plans import Endpoint, Timeouts, UpstreamPlan
from llm_api.errors import ApiError, NotFound
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.upstream import faults
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.http.vendor_transport import Outgoing, VendorTransport
from llm_api.upstream.media.addresses import target_of
from llm_api.upstream.media.paid_attempt import PaidAttempt, VendorEndpoint
from llm_api.upstream.media.protocols.multipart import described
from llm_api.upstream.media.vendor_answers import CreatedAnswer, read_whole
from llm_api.upstream.media.vendor_models import M, VendorProfile
from llm_api.upstream.media.vendor_protocol import (
    Loader,
    Preview,
    VendorAnswer,
    VendorProtocol,
    VendorRequest,
)
from llm_api.upstream.resilience.endpoint_pool import EndpointPool
from llm_api.upstream.resilience.retry_policy import RetryPolicy

R = TypeVar("R")
_LOOK_S = 30.0  # for a question about a task
_QUEUE_S = 30.0  # that a call waits for a free place; pictures take minutes
_MAX_IDLE_CONNECTIONS = 16
_PASSING, _BROKEN = frozenset([408, 425, 429]), 500  # statuses that say nothing of a task
_MARK_LENGTH = 8
_BETWEEN = "~"


class VendorClient(ABC, Generic[R, M]):
    """Calls one vendor; a VendorUpstream."""

    def __init__(  # noqa: PLR0913  # the last is for who simulates the world
        self,
        name: str,
        plan: UpstreamPlan,
        profile: VendorProfile[M],
        timeouts: Timeouts,
        watch: DeadlineWatcher,
        *,
        max_concurrency: int = 64,
        policy: RetryPolicy | None = None,
    ) -> None:
        """Create a client without connections.

        Args:
            name: in settings, usage rows and logs.
            plan: keys and addresses, and the default model.
            profile: what the vendor's models take.
            timeouts: for connecting; silences are as long as a model's time.
            watch: ends calls from outside.
            max_concurrency: calls that go on at the same time in this process.
            policy: when attempts are repeated that provably were none.
        """
        self.name = name
        self.default_model = plan.model
        self.profile_name = profile.name
        self.result_hosts = profile.result_hosts
        self.urls = tuple(endpoint.url for endpoint in plan.endpoints)
        self._profile = profile
        self._drain = watch.drain
        self._policy = policy or RetryPolicy()
        longest = max((model.seconds for model in profile.models.values()), default=300.0)
        self._timeouts = replace(timeouts, first_byte=longest, idle=longest)
        self._marked = {_mark_of(one): self._endpoint(one, plan, watch) for one in plan.endpoints}
        self.endpoints = EndpointPool(list(self._marked.values()), max_concurrency, _QUEUE_S)
        self._protocols = {one.name: self._speaker(one) for one in profile.models.values()}

    @abstractmethod
    def fit(self, request: R, model: str) -> FittedRequest:
        """See VendorUpstream."""

    @abstractmethod
    def _speaker(self, model: M) -> VendorProtocol:
        """Return what speaks with a model."""

    def _endpoint(
        self, endpoint: Endpoint, plan: UpstreamPlan, watch: DeadlineWatcher
    ) -> VendorEndpoint:
        number = plan.endpoints.index(endpoint) + 1
        name = self.name if len(plan.endpoints) == 1 else f"{self.name}/{number}"
        transport = VendorTransport(endpoint, self._timeouts, watch, _MAX_IDLE_CONNECTIONS)
        return VendorEndpoint(
            name,
            transport,
            self._policy.new_health(name, plan.model),
            endpoint.url,
            self.profile_name,
        )

    def knows(self, model: str) -> bool:
        """Whether the profile says what a model takes."""
        return self._profile.model(model) is not None

    def preview(self, request: FittedRequest) -> list[Mapping[str, Any]]:
        """See VendorUpstream."""
        traits = self.traits_of(request.model)
        protocol = self._protocols[traits.name]
        asked = (protocol.create(request, n, lambda _: b"") for n in range(len(request.parts)))
        return [
            {
                "method": one.method,
                "url": target_of(self.urls[0], traits.root, one.path).url,
                "body": described(one.body, one.content_type),
            }
            for one in asked
        ]

    def new_call(
        self,
        is_disconnected: Callable[[], bool],
        on_first_attempt: Callable[[], None],
        *,
        time_limit: float,
        caller: Caller | None = None,
    ) -> UpstreamCall:
        """See VendorUpstream."""
        return UpstreamCall(
            total=time_limit,
            is_disconnected=is_disconnected,
            must_end=self._drain.is_expired_for_paid,
            on_first_attempt=on_first_attempt,
            caller=caller,
        )

    def create(  # see VendorUpstream
        self,
        request: FittedRequest,
        part: int,
        call: UpstreamCall,
        load: Loader,
        *,
        on_sent: Callable[[], None],
        on_preview: Callable[[Preview], None] | None = None,
    ) -> VendorResult | VendorTask:
        """See VendorUpstream."""
        traits = self.traits_of(request.model)
        protocol = self._protocols[traits.name]
        answer = CreatedAnswer(
            protocol,
            request.parts[part],
            on_preview,
            idle=self._timeouts.idle,
            may_stream="partial_images" in request.fields,
        )
        about = {"model": request.model, **({"images": True} if request.references else {})}
        attempt = PaidAttempt(self.name, self.endpoints, about, answer.read, on_sent)
        has_other = partial(self.endpoints.has_other, call, about)
        with self.endpoints.slot(call):
            written = protocol.create(request, part, load)
            send = partial(attempt.make, partial(self._outgoing, traits, written), call)
            try:
                endpoint, made = self._policy.run(call, send, has_other)
            except faults.Fault as fault:
                raise fault.error from fault
        return self._marked_task(made, endpoint) if isinstance(made, VendorTask) else made

    def poll(self, task_id: str, model: str, looked: int) -> VendorResult | VendorTask:
        """See VendorUpstream."""
        traits = self.traits_of(model)
        endpoint, own_id = self._whose(task_id)
        later = VendorTask(own_id, traits.after(looked), "")
        protocol = self._protocols[traits.name]
        try:
            answer = self._asked(protocol.poll(own_id, looked), traits, endpoint)
        except faults.Fault:
            return self._marked_task(later, endpoint)
        found = protocol.read_polled(own_id, answer, looked)
        return self._marked_task(found, endpoint) if isinstance(found, VendorTask) else found

    def cancel(self, task_id: str, model: str) -> CancelState:
        """See VendorUpstream."""
        traits = self.traits_of(model)
        endpoint, own_id = self._whose(task_id)
        protocol = self._protocols[traits.name]
        request = protocol.cancel(own_id)
        if request is None:
            return CancelState.NOT_SUPPORTED
        try:
            answer = self._asked(request, traits, endpoint)
            if answer.status in _PASSING or answer.status >= _BROKEN:
                raise faults.bad_response(f"status {answer.status} in place of a word")
            ends = protocol.is_cancelled(answer)
        except faults.Fault as fault:
            raise fault.error from fault
        except ApiError:
            ends = False
        return CancelState.CANCELLED if ends else CancelState.TOO_LATE

    def close(self) -> None:
        """Close the idle connections."""
        self.endpoints.close()

    def traits_of(self, model: str) -> M:
        """Return what a model takes; raises NotFound."""
        traits = self._profile.model(model)
        if traits is None:
            message = f"The vendor's profile {self._profile.name} does not know this model."
            raise NotFound(message, reason="model_not_found")
        return traits

    @staticmethod
    def _outgoing(traits: M, request: VendorRequest, endpoint: VendorEndpoint) -> Outgoing:
        """Address a request to an endpoint."""
        return Outgoing(
            request.method,
            target_of(endpoint.url, traits.root, request.path).path,
            request.body,
            request.content_type,
            request.headers,
        )

    def _asked(self, request: VendorRequest, traits: M, endpoint: VendorEndpoint) -> VendorAnswer:
        """Ask about a task at the endpoint that has it; raises faults.Fault."""
        call = UpstreamCall(total=_LOOK_S, must_end=self._drain.is_expired)
        outgoing = self._outgoing(traits, request, endpoint)
        with endpoint.transport.send(outgoing, call) as response:
            return read_whole(response, traits.max_n)

    def _marked_task(self, task: VendorTask, endpoint: VendorEndpoint) -> VendorTask:
        """Name the key of a task in its id, where there are several: others do not know it."""
        if len(self._marked) == 1:
            return task
        mark = next(mark for mark, one in self._marked.items() if one is endpoint)
        return replace(task, id=f"{mark}{_BETWEEN}{task.id}")

    def _whose(self, task_id: str) -> tuple[VendorEndpoint, str]:
        """Return the endpoint that has a task, and the vendor's own id."""
        mark, _, own_id = task_id.partition(_BETWEEN)
        if mark in self._marked and own_id:
            return self._marked[mark], own_id
        return next(iter(self._marked.values())), task_id


def _mark_of(endpoint: Endpoint) -> str:
    """Return what names a key at an address, whatever its place in the settings."""
    text = f"{endpoint.url} {endpoint.key}"
    return hashlib.sha256(text.encode()).hexdigest()[:_MARK_LENGTH]
