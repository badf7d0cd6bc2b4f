"""The API of AUTOMATIC1111's web UI for Stable Diffusion, and of those that have copied it."""

from typing import Any

import orjson

from llm_api.domain.making import FittedRequest, MadeUsage, VendorFile, VendorResult, VendorTask
from llm_api.upstream.media.long_texts import base64_of, base64_picture, written
from llm_api.upstream.media.making_errors import no_image, vendor_request_id
from llm_api.upstream.media.protocols.openai import read_answer
from llm_api.upstream.media.protocols.without_tasks import WithoutTasks
from llm_api.upstream.media.vendor_protocol import Loader, VendorAnswer, VendorRequest

WIRE_WORDS: frozenset[str] = frozenset()
_ANY_SEED = -1


class A1111(WithoutTasks):
    """Writes requests for `txt2img` and `img2img`, and reads their answers."""

    def create(self, request: FittedRequest, part: int, load: Loader) -> VendorRequest:
        """See VendorProtocol."""
        body: dict[str, Any] = {
            **request.constants,
            "prompt": request.prompt,
            "negative_prompt": request.fields.get("negative_prompt", ""),
            "seed": _ANY_SEED if request.fields.get("seed") is None else request.seed_of(part),
            "batch_size": request.parts[part],
            "n_iter": 1,
            "send_images": True,
            "save_images": False,
        }
        settings = dict(request.constants.get("override_settings", {}))
        body["override_settings"] = settings | {"sd_model_checkpoint": request.model}
        if request.size is not None:
            body |= {"width": request.size.width, "height": request.size.height}
        if not request.references:
            return VendorRequest("POST", "/txt2img", written(body))
        body["init_images"] = [base64_picture(one, load) for one in request.references]
        if request.mask is not None:
            # It paints what is opaque in the mask, and we what is transparent.
            body |= {"mask": base64_picture(request.mask, load), "inpainting_mask_invert": 1}
        return VendorRequest("POST", "/img2img", written(body))

    def read_created(self, answer: VendorAnswer) -> VendorResult | VendorTask:
        """See VendorProtocol."""
        document = read_answer(self._model.vendor, answer, self._field_names)
        images = document.get("images")
        found = [base64_of(one) for one in images] if isinstance(images, list) else []
        seeds, first = _facts(document.get("info"), len(found))
        wanted = found[first : first + len(seeds)] if seeds else found
        pictures = tuple(
            VendorFile(base64=base64, seed=seeds[place] if place < len(seeds) else None)
            for place, base64 in enumerate(wanted)
            if base64 is not None
        )
        if not pictures:
            raise no_image()
        usage = MadeUsage(images=len(pictures))
        request_id = vendor_request_id(answer, document)
        return VendorResult(pictures, usage=usage, vendor_request_id=request_id)


def _facts(info: object, count: int) -> tuple[list[int], int]:
    """Return the seeds of the pictures, and which is the first: a grid of all may stand before.

    `info` is JSON in a text, empty at some servers; `count` is how many pictures there are.
    """
    try:
        facts = orjson.loads(info) if isinstance(info, str | bytes) else None
    except orjson.JSONDecodeError:
        facts = None
    if not isinstance(facts, dict):
        return [], 0
    seeds = facts.get("all_seeds")
    if not isinstance(seeds, list) or not all(type(seed) is int for seed in seeds):
        return [], 0
    first = facts.get("index_of_first_image")
    if type(first) is not int:
        first = 1 if count > len(seeds) else 0
    return seeds, max(first, 0)
