"""Pictures that callers send with a request: vetted, written anew, and kept with its job."""

from collections.abc import Callable
from dataclasses import dataclass

from llm_api.domain.calls import Caller
from llm_api.domain.making import InputPicture, Size
from llm_api.errors import InvalidRequest, NotFound
from llm_api.pictures.facts import PictureError, PicturesUnavailable, PreparedPicture
from llm_api.pictures.pictures import Pictures
from llm_api.services.files import PICTURES_AWAY, FileService

MAX_BYTES = 20 << 20  # of one picture
MAX_PIXELS = 36_000_000
MAX_SIDE = 8_192


@dataclass(frozen=True, slots=True)
class InputTools:
    """What inputs are read with; `fetch` returns what is at a caller's address."""

    files: FileService
    pictures: Pictures
    fetch: Callable[[str, str], bytes]


class ImageInputs:
    """The pictures of one request; they belong to the job with the id `job_id`."""

    def __init__(self, tools: InputTools, job_id: str, caller: Caller) -> None:
        """Have no picture yet."""
        self.job_id = job_id
        self._tools = tools
        self._key = caller.key
        self._has_files = False

    def read(self, data: bytes, field: str) -> InputPicture:
        """Keep a picture from its bytes; raises InvalidRequest, which names the field."""
        return self._kept(
            lambda: self._tools.pictures.prepare(
                data,
                field=field,
                max_bytes=MAX_BYTES,
                max_pixels=MAX_PIXELS,
                max_side=MAX_SIDE,
                keeps_alpha=True,
            )
        )

    def read_mask(self, data: bytes, field: str, size: Size) -> InputPicture:
        """Keep a mask for a picture of a size; raises InvalidRequest."""
        return self._kept(
            lambda: self._tools.pictures.prepare_mask(
                data,
                field=field,
                max_bytes=MAX_BYTES,
                max_pixels=MAX_PIXELS,
                size=(size.width, size.height),
            )
        )

    def fetch(self, url: str, field: str) -> InputPicture:
        """Keep the picture at an address; raises InvalidRequest."""
        return self.read(self._tools.fetch(url, field), field)

    def own(self, file_id: str, field: str) -> InputPicture:
        """Keep a copy of a file of this service that the caller may read; raises InvalidRequest."""
        return self.read(self._own_bytes(file_id, field), field)

    def _own_bytes(self, file_id: str, field: str) -> bytes:
        try:
            return b"".join(self._tools.files.open(file_id, self._key)[1])
        except NotFound as error:
            raise InvalidRequest.of_field(
                field, "must be the id of a file of yours.", reason="file_not_found"
            ) from error

    def discard(self) -> None:
        """Delete what was kept: there will be no job."""
        if self._has_files:
            self._tools.files.delete_of_task(self.job_id)

    def _kept(self, prepare: Callable[[], PreparedPicture]) -> InputPicture:
        try:
            prepared = prepare()
        except PictureError as error:
            raise InvalidRequest.of_field(
                error.field, error.problem, reason="invalid_image"
            ) from error
        except PicturesUnavailable as error:
            raise PICTURES_AWAY.replaced() from error
        facts = prepared.facts
        file = self._tools.files.save(
            self.job_id,
            None if self._key is None else self._key.id,
            prepared.data,
            facts.media_type,
            width=facts.width,
            height=facts.height,
            is_input=True,
        )
        self._has_files = True
        return InputPicture(
            file.id, facts.media_type, facts.width, facts.height, file.size_bytes, facts.has_alpha
        )
