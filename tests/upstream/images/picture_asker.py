"""A client of one scripted vendor of pictures, and what it was asked for."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from llm_api.domain.calls import never
from llm_api.domain.images import ImageRequest
from llm_api.domain.making import FittedRequest, InputPicture, VendorFile, VendorResult, VendorTask
from llm_api.domain.tasks import CancelState
from llm_api.domain.upstream_plans import Endpoint, Timeouts, UpstreamPlan
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.settings.image_profiles import read_image_profiles
from llm_api.settings.settings import PROJECT_ROOT
from llm_api.upstream.media.image_client import ImageClient
from llm_api.upstream.media.vendor_protocol import Preview
from llm_api.upstream.resilience.retry_policy import RetryPolicy
from tests.support.image_upstream import ImageVendor
from tests.support.pictures import picture

PROFILES = read_image_profiles(PROJECT_ROOT)
KEY = "sk-canary-of-the-key"
REFERENCE = InputPicture("one", "image/png", 1024, 1024, len(picture()))
MANY_LOOKS = 20
_TIMEOUTS = Timeouts(connect=3.0, first_byte=20.0, idle=20.0, total=60.0, stream=60.0)


class PictureAsker:
    """Asks a model for pictures through the client, and follows its tasks to their end."""

    def __init__(self, dialect: str, profile: str, model: str, watch: DeadlineWatcher) -> None:
        """Open no connection yet."""
        self.vendor = ImageVendor(dialect)
        self._profile, self._model, self._watch = PROFILES[profile], model, watch
        self.pauses: list[float] = []
        self.previews: list[Preview] = []
        self.fitted: FittedRequest | None = None
        self.looks = 0

    def __enter__(self) -> Self:
        """Start the vendor, and a client of it."""
        self.vendor.__enter__()
        plan = UpstreamPlan((Endpoint(self.vendor.url, self._model, KEY),))
        self.client = ImageClient(
            "image",
            plan,
            self._profile,
            _TIMEOUTS,
            self._watch,
            policy=RetryPolicy(sleep=self.pauses.append),
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop both."""
        self.client.close()
        self.vendor.__exit__(kind, error, trace)

    def fit(self, prompt: str = "A cat", **fields: Any) -> FittedRequest:
        """Put a request into the model's terms; raises InvalidRequest."""
        self.fitted = self.client.fit(ImageRequest(prompt, **fields), self._model)
        return self.fitted

    def ask(self, prompt: str = "A cat", **fields: Any) -> VendorResult:
        """Ask for pictures, and return those of all calls; raises ApiError."""
        fitted = self.fit(prompt, **fields)
        results = [self._part(fitted, part) for part in range(len(fitted.parts))]
        pictures = [one for result in results for one in result.files]
        failed = [one for result in results for one in result.failed]
        last = results[-1]
        return VendorResult(tuple(pictures), tuple(failed), last.usage, last.vendor_request_id)

    def picture(self, **fields: Any) -> VendorFile:
        """Ask for one picture."""
        return self.ask(**fields).files[0]

    def sent(self, **fields: Any) -> Mapping[str, Any]:
        """Ask for pictures, and return the body of the first request for them."""
        self.ask(**fields)
        return dict(self.vendor.creates[0].json)

    @property
    def notices(self) -> list[tuple[str, str]]:
        """The fields about which the last caller was told something."""
        assert self.fitted is not None
        return [(notice.field, notice.code) for notice in self.fitted.notices]

    def submitted(self, **fields: Any) -> VendorTask:
        """Ask for a picture of a vendor with tasks, and return the task."""
        made = self._create(self.fit(**fields), 0)
        assert isinstance(made, VendorTask)
        return made

    def look(self, task: VendorTask, looked: int = 0) -> VendorResult | VendorTask:
        """Look at a task once."""
        return self.client.poll(task.id, self._model, looked)

    def cancel(self, task: VendorTask) -> CancelState:
        """Cancel a task."""
        return self.client.cancel(task.id, self._model)

    def _create(self, fitted: FittedRequest, part: int) -> VendorResult | VendorTask:
        call = self.client.new_call(never, lambda: None, time_limit=60)
        return self.client.create(
            fitted,
            part,
            call,
            lambda _: picture(),
            on_sent=lambda: None,
            on_preview=self.previews.append,
        )

    def _part(self, fitted: FittedRequest, part: int) -> VendorResult:
        made = self._create(fitted, part)
        for looked in range(MANY_LOOKS):
            if isinstance(made, VendorResult):
                return made
            self.looks += 1
            made = self.look(made, looked)
        raise AssertionError("the task does not end")
