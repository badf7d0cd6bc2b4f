"""Callers' pictures, as a judge gets them: turned, without metadata, of one largest size."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from llm_api.domain.access import ApiKey
from llm_api.domain.judging import JudgedPicture
from llm_api.errors import ApiError, BodyTooLarge, InvalidRequest, NotFound
from llm_api.pictures.facts import PictureError, PicturesUnavailable
from llm_api.pictures.pictures import Pictures
from llm_api.services.files import PICTURES_AWAY, FileService

MAX_SIDE = 1_536
MAX_BYTES = 20 << 20  # of one picture
MAX_PIXELS = 36_000_000
_TOO_LARGE = frozenset({"too_many_bytes", "too_many_pixels"})


@dataclass(frozen=True, slots=True)
class JudgedPictures:
    """Reads pictures; `fetch` returns what is at a caller's address, and raises ApiError."""

    files: FileService
    pictures: Pictures
    fetch: Callable[[str, str], bytes]

    def read(self, data: bytes, field: str, media_type: str | None = None) -> JudgedPicture:
        """Return a picture of its bytes.

        Args:
            data: a JPEG, PNG, WebP, BMP or still GIF file.
            field: where the request has it, for errors.
            media_type: what the request says it is, if it does.

        Raises:
            InvalidRequest: it cannot be used: `invalid_image`, or `image_too_large`.
            Unavailable: no picture can be read at the moment.
        """
        with picture_errors(field):
            facts = self.pictures.inspect(data)
            _check(facts.media_type, facts.frames, field, media_type)
            prepared = self.pictures.prepare(
                data,
                field=field,
                max_bytes=MAX_BYTES,
                max_pixels=MAX_PIXELS,
                max_side=MAX_SIDE,
                keeps_alpha=False,
            )
        size = prepared.facts
        return JudgedPicture(prepared.data, size.media_type, size.width, size.height, data)

    def own(self, file_id: str, key: ApiKey | None, field: str) -> JudgedPicture:
        """Return a picture of this service that a caller may read; raises InvalidRequest."""
        try:
            file, pieces = self.files.open(file_id, key)
        except NotFound as error:
            raise InvalidRequest.of_field(
                field, "must be the id of a file of yours.", reason="file_not_found"
            ) from error
        picture = self.read(b"".join(pieces), field)
        return replace(picture, file_id=file.id, job_id=file.task_id)


@contextmanager
def picture_errors(field: str) -> Iterator[None]:
    """Raise the ApiError of a picture that cannot be used; `field` has it."""
    try:
        yield
    except PictureError as error:
        raise _refused(error, field) from error
    except PicturesUnavailable as error:
        raise PICTURES_AWAY.replaced() from error


def _check(media_type: str, frames: int, field: str, stated: str | None) -> None:
    if stated is not None and stated.lower().replace("image/jpg", "image/jpeg") != media_type:
        problem = f"is {media_type}, and the request says that it is {stated.lower()}."
        raise InvalidRequest.of_field(field, problem, reason="invalid_image")
    if frames > 1:
        problem = f"is animated, with {frames} pictures in it. Send a still one."
        raise InvalidRequest.of_field(field, problem, reason="invalid_image")


def _refused(error: PictureError, field: str) -> ApiError:
    if error.defect in _TOO_LARGE:
        return BodyTooLarge.of_field(field, error.problem, reason="image_too_large")
    return InvalidRequest.of_field(field, error.problem, reason="invalid_image")
