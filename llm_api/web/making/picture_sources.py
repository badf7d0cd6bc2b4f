"""Callers' pictures, wherever they are: in the body, behind an address, or kept by this service."""

import binascii
import re
from collections.abc import Iterable
from typing import Any

from flask import g, has_request_context
from marshmallow import ValidationError

from llm_api.domain.judging import JudgedPicture
from llm_api.domain.making import InputPicture
from llm_api.errors import BodyTooLarge, InvalidRequest
from llm_api.runtime.turns import base64_decoded
from llm_api.services.images import ImageInputs
from llm_api.services.judge import JudgeService
from llm_api.web.making.orders import Source
from llm_api.web.making.picture_bodies import Inline, Upload
from llm_api.web.request.context import RequestState
from llm_api.web.schema_fields import FieldProblem, String, wrong_type

MAX_PICTURES = 16
MAX_PICTURE_BYTES = 10_000_000
MAX_ALL_BYTES = 50_000_000
MAX_ADDRESS_CHARS = 2_048
# What a text must be, for the API document: the forms in the words below it.
_DATA_PATTERN = "[Dd][Aa][Tt][Aa]:[Ii][Mm][Aa][Gg][Ee]/[A-Za-z0-9.+-]+;[Bb][Aa][Ss][Ee]64,"
_NAMED_PATTERN = "https?://|(/?api/v1/files/)?[A-Za-z0-9_-]{8,128}$"
_FORMS = "a data URI with a picture in base64, an https address, or the id or link of a file here"
_MASK_FORMS = "a data URI with a picture in base64"
_DATA = re.compile(r"data:(image/[a-z0-9.+-]+);base64,", re.IGNORECASE)
_FILES = "api/v1/files/"
_FILE_ID = re.compile(r"[A-Za-z0-9_-]{8,128}")
_START = 128  # of a text, within which its form shows


class PictureField(String):
    """A picture of the caller, as a text or as a file of a form."""

    def __init__(self, **options: Any) -> None:
        """Describe the forms; nothing is read yet."""
        about = {"description": f"Is {_FORMS}.", "pattern": f"^({_DATA_PATTERN}|{_NAMED_PATTERN})"}
        super().__init__(metadata=about, **options)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if _has_bytes(value):
            return value
        if not isinstance(value, str | Inline):
            raise wrong_type(_FORMS)
        if isinstance(value, str) and _is_address(value):
            return value
        raise ValidationError([FieldProblem(f"must be {_FORMS}.", "invalid_url")])


class MaskField(String):
    """What is to be painted: a picture of the size of the first one, transparent there."""

    def __init__(self) -> None:
        """Describe the form; nothing is read yet."""
        about = "Is a data URI of the first picture's size: its transparent parts are painted."
        described = {"description": about, "pattern": f"^{_DATA_PATTERN}"}
        super().__init__(allow_none=True, metadata=described)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if _has_bytes(value):
            return value
        raise ValidationError([FieldProblem(f"must be {_MASK_FORMS}.", "invalid_url")])


def judged_picture(
    source: Source, field: str, judge: JudgeService, left: int = MAX_ALL_BYTES
) -> JudgedPicture:
    """Return a picture that is to be judged; raises InvalidRequest, which names the field.

    Args:
        source: where it is.
        field: the name of that field, for errors.
        judge: reads pictures.
        left: how many bytes it may have, beside those before it.
    """
    state: RequestState = g.request_state
    if isinstance(source, str) and not _has_bytes(source):
        file_id = _file_id(source)
        if file_id is None:
            picture = judge.fetch_picture(source, field)
        else:
            picture = judge.own_picture(file_id, state.key, field)
        if len(picture.original) > left:
            raise _too_large_to_judge(_too_large(field, is_one=False))
        return picture
    stated = _DATA.match(source.start if isinstance(source, Inline) else str(source)[:_START])
    try:
        data = bytes_of(source, field, left)
    except InvalidRequest as error:
        raise _too_large_to_judge(error) from error
    return judge.read_picture(data, field, stated[1] if stated else None)


def judged_pictures(
    named: Iterable[tuple[str, Source]], judge: JudgeService, left: int = MAX_ALL_BYTES
) -> tuple[JudgedPicture, ...]:
    """Return pictures that a model is shown, by their fields; raises InvalidRequest.

    Args:
        named: the name of each field, and where its picture is.
        judge: reads pictures.
        left: how many bytes they may have together.
    """
    pictures = []
    for field, source in named:
        picture = judged_picture(source, field, judge, left)
        left -= len(picture.original)
        pictures.append(picture)
    return tuple(pictures)


def _too_large_to_judge(error: InvalidRequest) -> InvalidRequest:
    """Return an error as the judge's route has it: what is too large is a 413 there."""
    if error.reason != "image_too_large":
        return error
    return BodyTooLarge(error.message, reason=error.reason, fields=error.fields)


def read_picture(
    source: Source, field: str, inputs: ImageInputs, left: int
) -> tuple[InputPicture, int]:
    """Return a picture, and how many of the bytes that are `left` it takes."""
    if isinstance(source, str) and not _has_bytes(source):
        picture = _named(source, field, inputs)
        if picture.size_bytes > left:
            raise _too_large(field, is_one=False)
        return picture, picture.size_bytes
    return inputs.read(bytes_of(source, field, left), field), _size_of(source)


def bytes_of(source: Source, field: str, left: int) -> bytes:
    """Return the bytes of a picture that is in the body; raises InvalidRequest.

    Args:
        source: the picture.
        field: the name of its field, for errors.
        left: how many bytes it may have, beside those before it.
    """
    size = _size_of(source)
    if size > MAX_PICTURE_BYTES or size > left:
        raise _too_large(field, is_one=size > MAX_PICTURE_BYTES)
    if isinstance(source, Upload):
        return source.read()
    text = source.take() if isinstance(source, Inline) else source
    try:
        return base64_decoded(text[text.index(",") + 1 :].encode("ascii"), is_strict=True)
    except (binascii.Error, ValueError) as error:
        message = "must be a data URI whose base64 is valid."
        raise InvalidRequest.of_field(field, message, reason="invalid_url") from error


def _named(source: str, field: str, inputs: ImageInputs) -> InputPicture:
    file_id = _file_id(source)
    return inputs.fetch(source, field) if file_id is None else inputs.own(file_id, field)


def _is_address(text: str) -> bool:
    is_short = len(text) <= MAX_ADDRESS_CHARS
    return is_short and (text.startswith("https://") or _file_id(text) is not None)


def _file_id(source: str) -> str | None:
    """Return the id in a text that is one, or that is a link to one of our files."""
    starts = ["", f"/{_FILES}"]
    if has_request_context():  # a command reads requests, too
        state: RequestState = g.request_state
        starts.append(f"{state.incoming.host_url}{_FILES}")
    for start in starts:
        name = source.removeprefix(start)
        if source.startswith(start) and _FILE_ID.fullmatch(name):
            return name
    return None


def _has_bytes(source: Any) -> bool:
    """Whether a picture is in the body itself."""
    if isinstance(source, str):
        return bool(_DATA.match(source[:_START]))
    return isinstance(source, Upload) or (
        isinstance(source, Inline) and bool(_DATA.match(source.start))
    )


def _size_of(source: Source) -> int:
    if isinstance(source, Upload):
        return source.size_bytes
    return (source.text_length if isinstance(source, Inline) else len(source)) * 3 // 4


def _too_large(field: str, *, is_one: bool) -> InvalidRequest:
    limit = f"at most {MAX_PICTURE_BYTES // 1_000_000} MB"
    if not is_one:
        limit = f"at most {MAX_ALL_BYTES // 1_000_000} MB together with the others"
    return InvalidRequest.of_field(field, f"must be {limit}.", reason="image_too_large")
