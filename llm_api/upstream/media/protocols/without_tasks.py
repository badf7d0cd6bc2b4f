"""The part of a protocol that is the same for all vendors that answer with the pictures."""

from llm_api.domain.making import VendorResult, VendorTask
from llm_api.upstream.media.image_profiles import ImageModel
from llm_api.upstream.media.making_errors import task_not_found
from llm_api.upstream.media.vendor_protocol import EventReader, VendorAnswer, VendorRequest


class WithoutTasks:
    """A protocol whose vendor has no tasks."""

    def __init__(self, model: ImageModel) -> None:
        """Speak with a model."""
        self._model = model
        self._field_names = {vendors: ours for ours, vendors in model.names.items()}

    def events(self) -> EventReader | None:
        """Return None: the vendor never streams."""
        return None

    def poll(self, task_id: str, looked: int) -> VendorRequest:  # noqa: ARG002
        """Raise UpstreamFault."""
        raise task_not_found()

    def read_polled(
        self,
        task_id: str,  # noqa: ARG002
        answer: VendorAnswer,  # noqa: ARG002
        looked: int,  # noqa: ARG002
    ) -> VendorResult | VendorTask:
        """Raise UpstreamFault."""
        raise task_not_found()

    def cancel(self, task_id: str) -> VendorRequest | None:  # noqa: ARG002
        """Return None: there is nothing to cancel."""
        return None

    def is_cancelled(self, answer: VendorAnswer) -> bool:  # noqa: ARG002
        """Return False."""
        return False
