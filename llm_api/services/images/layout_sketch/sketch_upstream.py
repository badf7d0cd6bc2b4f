"""The layout sketch as an upstream, beside the vendors: it has no address and costs nothing."""

import base64
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from llm_api.domain.calls import Caller
from llm_api.domain.images import ImageRequest
from llm_api.domain.making import FittedRequest, MadeUsage, VendorFile, VendorResult, VendorTask
from llm_api.domain.tasks import CancelState
from llm_api.errors import NotFound, Unavailable
from llm_api.pictures.facts import PicturesUnavailable
from llm_api.pictures.pictures import Pictures
from llm_api.services.images.layout_sketch import palette, sketch_drawing
from llm_api.services.images.layout_sketch.sketch_fitting import DEFAULT_SIZE, fitted
from llm_api.upstream.call import UpstreamCall
from llm_api.upstream.media.vendor_protocol import Loader, Preview

NAME = "layout-sketch"
KIND = "layout_sketch"
_MAX_SEED = 2**31


class LayoutSketch:
    """Implements `ImageUpstream`: draws what the parser understands of a prompt.

    The usage of its results has a `raw` with `kind`, and with the lists `drawn` and `not_drawn`.
    """

    def __init__(self, pictures: Pictures) -> None:
        """Draw with some pictures' processes."""
        self._pictures = pictures

    @property
    def name(self) -> str:
        """Its name."""
        return NAME

    @property
    def default_model(self) -> str:
        """Its only model, which has its name."""
        return NAME

    def fit(self, request: ImageRequest, model: str) -> FittedRequest:
        """See `ImageUpstream.fit`."""
        return fitted(request, model)

    def preview(self, request: FittedRequest) -> list[Mapping[str, Any]]:  # noqa: ARG002  # nothing is sent
        """Return no request: nothing leaves the service."""
        return []

    def new_call(
        self,
        is_disconnected: Callable[[], bool],
        on_first_attempt: Callable[[], None],
        *,
        time_limit: float,
        caller: Caller | None = None,
    ) -> UpstreamCall:
        """See `ImageUpstream.new_call`."""
        del caller  # nothing here can fail for one caller alone, or asks an upstream
        return UpstreamCall(
            total=time_limit, is_disconnected=is_disconnected, on_first_attempt=on_first_attempt
        )

    def create(  # as `ImageUpstream` has it
        self,
        request: FittedRequest,
        part: int,
        call: UpstreamCall,
        load: Loader,  # noqa: ARG002  # there are no input pictures
        *,
        on_sent: Callable[[], None],
        on_preview: Callable[[Preview], None] | None = None,  # noqa: ARG002  # it is done at once
    ) -> VendorResult | VendorTask:
        """Draw a part of the pictures.

        Raises ApiError: Unavailable where the drawing fails; nothing was charged then.
        """
        given = request.seed_of(part)
        first = secrets.randbelow(_MAX_SEED) if given is None else given
        with call.attempt(NAME, "built-in", request.model):
            on_sent()
            seeds = [first + index for index in range(request.parts[part])]
            made = [self._drawn(request, seed) for seed in seeds]
        size, (_, raw) = request.size or DEFAULT_SIZE, made[0]
        return VendorResult(
            tuple(picture for picture, _ in made),
            usage=MadeUsage(images=len(made), pixels=size.pixels * len(made), raw=raw),
        )

    def _drawn(self, request: FittedRequest, seed: int) -> tuple[VendorFile, Mapping[str, Any]]:
        fields, size = request.fields, request.size or DEFAULT_SIZE
        sketch = sketch_drawing.sketched(request.prompt, fields.get("negative_prompt"), size, seed)
        drawing = {
            "width": size.width,
            "height": size.height,
            "background": None if fields.get("background") == "transparent" else palette.PAPER,
            "output_format": fields.get("output_format", "png"),
            "compression": fields.get("output_compression"),
            "items": sketch.items,
        }
        try:
            file = self._pictures.draw(drawing)
        except PicturesUnavailable as error:
            message = "The layout sketch cannot be drawn at the moment. Try again."
            raise Unavailable(message, reason="overloaded") from error
        raw = {"kind": KIND, "drawn": list(sketch.drawn), "not_drawn": list(sketch.not_drawn)}
        return VendorFile(base64=base64.b64encode(file), seed=seed), raw

    def poll(self, task_id: str, model: str, looked: int) -> VendorResult | VendorTask:
        """Raise NotFound: it never has tasks."""
        del task_id, model, looked
        raise NotFound("The layout sketch has no such task.", reason="not_found")

    def cancel(self, task_id: str, model: str) -> CancelState:
        """Return that this cannot be: it never has tasks."""
        del task_id, model
        return CancelState.NOT_SUPPORTED

    def close(self) -> None:
        """Close nothing: the processes are those of all pictures."""
