"""A client of one vendor of pictures, and what the vendor has received of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from llm_api.domain.calls import Caller, never
from llm_api.domain.images import ImageRequest, SizePolicy
from llm_api.domain.making import FittedRequest, InputPicture, Size, VendorResult, VendorTask
from llm_api.domain.upstream_plans import Endpoint, Timeouts, UpstreamPlan
from llm_api.errors import ApiError
from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.settings.image_profiles import read_image_profiles
from llm_api.settings.settings import PROJECT_ROOT
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.media.image_client import ImageClient
from llm_api.upstream.media.image_profiles import ImageProfile
from llm_api.upstream.media.vendor_protocol import Preview
from llm_api.upstream.resilience.retry_policy import RetryPolicy
from tests.support.image_upstream import ImageVendor
from tests.support.multipart import fields_of, files_of
from tests.support.peer import RecordedRequest

PROFILES = read_image_profiles(PROJECT_ROOT)
MODEL = "model-of-test"
KEY = "sk-canary-of-the-key"
PATIENT = Timeouts(connect=3.0, first_byte=10.0, idle=10.0, total=30.0, stream=30.0)
NEAREST = SizePolicy.NEAREST


def square(name: str = "a", side: int = 64, *, height: int | None = None) -> InputPicture:
    """Describe a picture of a caller; its bytes are those of its name."""
    return InputPicture(name, "image/png", side, height or side, len(stored(name)))


def stored(name: str) -> bytes:
    """Return the bytes of a picture of a caller."""
    return f"bytes of {name}".encode()


def load(picture: InputPicture) -> bytes:
    """Read a picture of a caller."""
    return stored(picture.name)


@dataclass
class Painter:
    """Asks one vendor for pictures; pauses between attempts are noted and not slept."""

    client: ImageClient
    pauses: list[float]
    sent: int = 0
    previews: list[Preview] = field(default_factory=list)
    calls: list[UpstreamCall] = field(default_factory=list)

    def fit(self, prompt: str = "A cat", *, model: str = MODEL, **fields: Any) -> FittedRequest:
        """Put a request into the model's terms."""
        return self.client.fit(ImageRequest(prompt, **fields), model)

    def paint(self, request: FittedRequest, part: int = 0) -> VendorResult:
        """Ask for one part of the pictures."""
        made = self.start(request, part)
        assert isinstance(made, VendorResult)
        return made

    def start(
        self, request: FittedRequest, part: int = 0, *, caller: str = ""
    ) -> VendorResult | VendorTask:
        """Ask for one part, whatever comes."""
        whose = Caller("", "", address=caller)
        call = self.client.new_call(never, lambda: None, time_limit=20.0, caller=whose)
        self.calls.append(call)
        return self.client.create(
            request, part, self.calls[-1], load, on_sent=self._note, on_preview=self.previews.append
        )

    def fail(self, prompt: str = "A cat", *, caller: str = "", **fields: Any) -> ApiError:
        """Ask, and return the error that must come."""
        with pytest.raises(ApiError) as raised:
            self.start(self.fit(prompt, **fields), caller=caller)
        return raised.value

    @property
    def attempts(self) -> list[str | None]:
        """How the attempts of the last call ended."""
        return [attempt.reason for attempt in self.calls[-1].attempts]

    def _note(self) -> None:
        self.sent += 1


@contextmanager
def painter_of(
    profile: str | ImageProfile,
    *urls: str,
    timeouts: Timeouts = PATIENT,
    model: str = MODEL,
    max_concurrency: int = 64,
) -> Iterator[Painter]:
    """Open a client of addresses, each with a key of its own."""
    watch, pauses = DeadlineWatcher(), list[float]()
    plan = UpstreamPlan(tuple(Endpoint(url, model, f"{KEY}-{n}") for n, url in enumerate(urls, 1)))
    chosen = PROFILES[profile] if isinstance(profile, str) else profile
    policy = RetryPolicy(sleep=pauses.append, uniform=lambda low, _: low)
    client = ImageClient(
        "image", plan, chosen, timeouts, watch, max_concurrency=max_concurrency, policy=policy
    )
    try:
        yield Painter(client, pauses)
    finally:
        client.close()
        watch.close()


@dataclass(frozen=True)
class Captured:
    """What a vendor has received."""

    request: RecordedRequest

    @property
    def fields(self) -> Mapping[str, Any]:
        """The fields, of JSON or of a form."""
        return fields_of(self.request) or orjson.loads(self.request.body)

    @property
    def files(self) -> list[tuple[str, bytes]]:
        """Names and contents of files."""
        return [(part.name, part.data) for part in files_of(self.request)]


def captured(
    profile: str, prompt: str = "A cat", *, model: str = MODEL, **fields: Any
) -> list[Captured]:
    """Ask a vendor for all parts of a request, and return what it has received."""
    dialect = "sd-server" if profile == "llama-swap" else profile
    with ImageVendor(dialect) as vendor, painter_of(profile, vendor.url) as painter:
        request = painter.fit(prompt, model=model, **fields)
        for part in range(len(request.parts)):
            painter.paint(request, part)
        return [Captured(one) for one in vendor.creates]


def size(text: str) -> Size:
    """Read a size."""
    width, _, height = text.partition("x")
    return Size(int(width), int(height))
