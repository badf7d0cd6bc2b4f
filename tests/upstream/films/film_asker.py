"""A client of one scripted vendor of films, and what it was asked for."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import orjson
import pytest

from llm_api.domain.calls import never
from llm_api.domain.making import FittedRequest, InputPicture, VendorFile, VendorResult, VendorTask
from llm_api.domain.tasks import CancelState
from llm_api.domain.upstream_plans import Endpoint, Timeouts, UpstreamPlan
from llm_api.domain.videos import FIRST_FRAME, LAST_FRAME, REFERENCE, VideoRequest
from llm_api.errors import ApiError
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.settings.settings import PROJECT_ROOT
from llm_api.settings.video_profiles import read_video_profiles
from llm_api.upstream.media.video_client import VideoClient
from llm_api.upstream.resilience.retry_policy import RetryPolicy
from tests.support.film_upstream import FilmVendor
from tests.support.multipart import fields_of, files_of
from tests.support.pictures import picture

PROFILES = read_video_profiles(PROJECT_ROOT)
KEY = "sk-canary-of-the-key"
MANY_LOOKS = 20
_TIMEOUTS = Timeouts(connect=3.0, first_byte=20.0, idle=20.0, total=60.0, stream=60.0)


def frame(role: str) -> InputPicture:
    """Describe a picture of a caller."""
    return InputPicture(role, "image/png", 1024, 1024, len(picture()), role=role)


FIRST, LAST, SHOWN = frame(FIRST_FRAME), frame(LAST_FRAME), frame(REFERENCE)


class FilmAsker:
    """Asks a model for a film through the client, and follows its task to the end."""

    def __init__(self, dialect: str, profile: str, model: str, watch: DeadlineWatcher) -> None:
        """Open no connection yet."""
        self.vendor = FilmVendor(dialect)
        self.model = model
        self._profile, self._watch = PROFILES[profile], watch
        self.fitted: FittedRequest | None = None

    def __enter__(self) -> Self:
        """Start the vendor, and a client of it."""
        self.vendor.__enter__()
        plan = UpstreamPlan((Endpoint(self.vendor.url, self.model, KEY),))
        policy = RetryPolicy(sleep=lambda _: None)
        self.client = VideoClient(
            "video", plan, self._profile, _TIMEOUTS, self._watch, policy=policy
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
        self.fitted = self.client.fit(VideoRequest(prompt, **fields), self.model)
        return self.fitted

    def submit(self, prompt: str = "A cat", **fields: Any) -> VendorTask:
        """Ask for a film, and return its task."""
        call = self.client.new_call(never, lambda: None, time_limit=60)
        made = self.client.create(
            self.fit(prompt, **fields), 0, call, lambda _: picture(), on_sent=lambda: None
        )
        assert isinstance(made, VendorTask)
        return made

    def look(self, task: VendorTask, looked: int = 0) -> VendorResult | VendorTask:
        """Look at a task once."""
        return self.client.poll(task.id, self.model, looked)

    def ask(self, prompt: str = "A cat", **fields: Any) -> VendorResult:
        """Ask for a film, and wait until it is there; raises ApiError."""
        task = self.submit(prompt, **fields)
        for looked in range(MANY_LOOKS):
            found = self.look(task, looked)
            if isinstance(found, VendorResult):
                return found
        raise AssertionError("the task does not end")

    def film(self, **fields: Any) -> VendorFile:
        """Ask for a film, and return it as the vendor hands it out."""
        return self.ask(**fields).files[0]

    def fails(self, prompt: str = "A cat", **fields: Any) -> ApiError:
        """Ask, and return the error that must come."""
        with pytest.raises(ApiError) as raised:
            self.ask(prompt, **fields)
        return raised.value

    def sent(self, prompt: str = "A cat", **fields: Any) -> Mapping[str, Any]:
        """Ask for a film, and return the fields of the request for it."""
        self.submit(prompt, **fields)
        request = self.vendor.creates[0]
        form = fields_of(request)
        return {**form, **{one.name: one for one in files_of(request)}} or dict(
            orjson.loads(request.body)
        )

    def cancel(self, task: VendorTask) -> CancelState:
        """Cancel a task."""
        return self.client.cancel(task.id, self.model)

    @property
    def notices(self) -> list[tuple[str, str]]:
        """The fields about which the last caller was told something."""
        assert self.fitted is not None
        return [(notice.field, notice.code) for notice in self.fitted.notices]
