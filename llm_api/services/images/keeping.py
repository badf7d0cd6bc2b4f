"""Turns what a vendor hands out into files of ours, at once: its links die within the hour."""

import binascii
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llm_api.domain.making import DecodedBase64, MakingFailure, VendorFile
from llm_api.errors import ApiError
from llm_api.pictures.facts import PictureError, PictureFacts, PicturesUnavailable
from llm_api.runtime.turns import base64_decoded
from llm_api.services.images.image_document import ImageDocument
from llm_api.services.jobs.document import KeptFile
from llm_api.services.jobs.file_keeping import FileKeeper
from llm_api.services.tasks.claimed import ClaimedTask, ClaimLost

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Keeper(FileKeeper):
    """Keeps the pictures of vendors.

    `fetch` returns what is at an address, for the upstream of a name; raises ApiError, whose
    `retries_exhausted` says that another look does not help. `pauses` are the seconds before a link
    is looked at again that has led to no picture.
    """

    fetch: Callable[[str, str], bytes]
    pauses: Sequence[float] = (1.0, 4.0, 15.0)

    def keep(
        self,
        claimed: ClaimedTask,
        found: VendorFile,
        document: ImageDocument,
    ) -> KeptFile | MakingFailure:
        """Keep one picture of a job, or return why that is not possible; raises ClaimLost."""
        fitted, compression = document.fitted, document.request.output_compression
        try:
            data, facts = self._picture(found, document.upstream, claimed)
        except ApiError as error:
            return MakingFailure(error.reason, error.message)
        except PictureError:
            message = "The image model has sent something that is no picture."
            return MakingFailure("no_image_returned", message)
        # Some vendors take a format, and send another one.
        wanted = fitted.convert_to or fitted.fields.get("output_format")
        if wanted is not None and facts.media_type != f"image/{wanted}":
            data, facts = self._converted(data, facts, wanted, compression)
        file = self.save(claimed, data, facts.media_type, facts.width, facts.height)
        return KeptFile(file.id, facts.width, facts.height, found.seed, found.prompt)

    def _picture(
        self, found: VendorFile, upstream: str, claimed: ClaimedTask
    ) -> tuple[bytes, PictureFacts]:
        """Return a picture's bytes and what it is; a link is looked at again while it may live.

        Raises ApiError, PictureError or ClaimLost.
        """
        pauses = iter(self.pauses if found.base64 is None else ())
        while True:
            try:
                data = self._bytes_of(found, upstream)
                return data, self.pictures.inspect(data)
            except (ApiError, PictureError) as error:
                is_over = isinstance(error, ApiError) and error.retries_exhausted
                pause = None if is_over else next(pauses, None)
                if claimed.must_end and found.base64 is None:  # the next process can fetch it
                    raise ClaimLost from error
                if pause is None:
                    raise
            time.sleep(pause)

    def _converted(
        self, data: bytes, facts: PictureFacts, wanted: str, compression: int | None
    ) -> tuple[bytes, PictureFacts]:
        """Write a picture in another format; where that fails it stays: it was paid for."""
        try:
            data = self.pictures.convert(data, wanted, compression)
            return data, self.pictures.inspect(data)
        except (PictureError, PicturesUnavailable) as error:
            logger.warning("picture keeps its format", extra={"cause": type(error).__name__})
            return data, facts

    def _bytes_of(self, found: VendorFile, upstream: str) -> bytes:
        if found.base64 is None:
            return self.fetch(found.url or "", upstream)
        try:
            return _decoded(found.base64)
        except binascii.Error as error:
            raise PictureError("", "is no base64.", defect="cut_off") from error


def _decoded(base64: bytes | DecodedBase64) -> bytes:
    return base64.data if isinstance(base64, DecodedBase64) else base64_decoded(base64)
