"""What the tests of the layout sketch share: asking for one as the service does."""

import base64
from collections.abc import Mapping
from typing import Any

from llm_api.domain.images import ImageRequest
from llm_api.domain.making import Size, VendorResult
from llm_api.pictures.pictures import Pictures
from llm_api.services.images.layout_sketch.sketch_upstream import LayoutSketch
from llm_api.upstream.media.vendor_protocol import Loader

SIZE = Size(384, 288)


def no_pictures(_: object) -> bytes:
    """Load no input picture: there are none."""
    raise AssertionError("no picture was sent")


LOAD: Loader = no_pictures


def sketch(pictures: Pictures, prompt: str, **fields: Any) -> VendorResult:
    """Have a prompt drawn."""
    upstream = LayoutSketch(pictures)
    request = ImageRequest(prompt, **{"size": SIZE, "seed": 7, **fields})
    fitted = upstream.fit(request, upstream.default_model)
    call = upstream.new_call(lambda: False, lambda: None, time_limit=60)
    result = upstream.create(fitted, 0, call, LOAD, on_sent=lambda: None)
    assert isinstance(result, VendorResult)
    return result


def files(result: VendorResult) -> list[bytes]:
    """Return the files of a result."""
    return [base64.b64decode(picture.base64 or b"") for picture in result.files]


def told(pictures: Pictures, prompt: str, **fields: Any) -> Mapping[str, Any]:
    """Return what is told of a sketch beside its picture."""
    return sketch(pictures, prompt, **fields).usage.raw
