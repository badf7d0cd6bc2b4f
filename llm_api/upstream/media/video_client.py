"""The client of one vendor of films."""

from collections.abc import Callable
from typing import BinaryIO

from llm_api.domain.calls import Caller
from llm_api.domain.making import FittedRequest, VendorTask
from llm_api.domain.tasks import CancelState
from llm_api.domain.videos import VideoRequest
from llm_api.errors import ApiError, Gone
from llm_api.upstream import faults
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.http.large_body import body_pieces
from llm_api.upstream.media.fitting.video_fitting import fitted_video
from llm_api.upstream.media.protocols.films import film_protocol_of
from llm_api.upstream.media.vendor_client import VendorClient
from llm_api.upstream.media.vendor_protocol import VendorProtocol, VendorRequest
from llm_api.upstream.media.video_profiles import VideoModel

_OK = 200
_GONE = frozenset([404, 410])  # of a film that was made
_DOWNLOAD_S = 600.0  # of what a server of one's own has made
_ACCEPTS_S = 300.0  # with the upload of 50 MB


class VideoClient(VendorClient[VideoRequest, VideoModel]):
    """Calls one vendor; a VendorUpstream of films."""

    def fit(self, request: VideoRequest, model: str) -> FittedRequest:
        """See VendorUpstream."""
        return fitted_video(request, self.traits_of(model), model)

    def new_call(
        self,
        is_disconnected: Callable[[], bool],
        on_first_attempt: Callable[[], None],
        *,
        time_limit: float,
        caller: Caller | None = None,
    ) -> UpstreamCall:
        """See VendorUpstream; the call is for a task, and a film's time is not that of its answer.

        A vendor that says nothing for minutes will not say whether it has begun.
        """
        limit = min(time_limit, _ACCEPTS_S)
        return super().new_call(is_disconnected, on_first_attempt, time_limit=limit, caller=caller)

    def cancel(self, task_id: str, model: str) -> CancelState:
        """See VendorUpstream; a film that is done, and paid for, is not deleted by it."""
        protocol = film_protocol_of(self.traits_of(model))
        if protocol.cancels_what_is_done and not self._waits(task_id, model):
            return CancelState.TOO_LATE
        return super().cancel(task_id, model)

    def download(self, path: str, task_id: str, model: str, file: BinaryIO, max_bytes: int) -> None:
        """Write what the endpoint of a task has at a path to a file.

        Raises ApiError; or OSError where the file takes no more.
        """
        traits = self.traits_of(model)
        endpoint, _ = self._whose(task_id)
        call = UpstreamCall(total=_DOWNLOAD_S, must_end=self._drain.is_expired)
        request = VendorRequest("GET", path, headers={"Accept": "*/*"})
        try:
            with endpoint.transport.send(self._outgoing(traits, request, endpoint), call) as came:
                if came.status_code in _GONE:
                    raise Gone(
                        "The model service does not have its film any more.",
                        reason="result_expired",
                    )
                if came.status_code != _OK:
                    raise faults.bad_response(f"status {came.status_code} in place of a film")
                file.writelines(body_pieces(came, max_bytes))
        except faults.Fault as fault:
            raise fault.error from fault

    def _waits(self, task_id: str, model: str) -> bool:
        """Whether the vendor says that it has not begun; raises ApiError where it says nothing."""
        try:
            found = self.poll(task_id, model, 0)
        except ApiError:
            return False
        if isinstance(found, VendorTask) and not found.state:
            raise faults.bad_response("nothing of a task").error
        return isinstance(found, VendorTask) and found.state == "queued"

    def _speaker(self, model: VideoModel) -> VendorProtocol:
        return film_protocol_of(model)
