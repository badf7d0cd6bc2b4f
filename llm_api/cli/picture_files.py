"""Files of pictures on the command line: those that are sent, and those that are written."""

import base64
from pathlib import Path

import click

from llm_api.cli.new_files import require_free, require_name, write_new

_FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
_ADDRESSES = ("http://", "https://")
_MAX_BYTES = 10_000_000  # as the API has it; larger ones need not be sent to be refused


def picture_argument(named: str) -> str:
    """Return a picture as a body has it: an address as it is, a file as a data URL.

    Raises BadParameter for a file that cannot be read, or has more than 10 MB.
    """
    if named.startswith(_ADDRESSES):
        return named
    try:
        content = Path(named).read_bytes()
    except OSError as error:
        raise click.BadParameter(f"{named} cannot be read: {error.strerror}.") from error
    if len(content) > _MAX_BYTES:
        raise click.BadParameter(f"{named} must have 10 MB at most.")
    # The service looks at the bytes themselves.
    kind = _FORMATS.get(Path(named).suffix.lower(), "png")
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


class OutFile:
    """Where pictures are written: what is there is not written over, unless that is wanted."""

    def __init__(self, path: Path, *, is_forced: bool) -> None:
        """Check the name; raises UsageError."""
        require_name(path, _FORMATS)
        self._path = path
        self._is_forced = is_forced
        self.format = _FORMATS[path.suffix.lower()]

    def require_free(self, count: int) -> None:
        """Look whether files for so many pictures can be written; raises UsageError."""
        for number in range(1, count + 1):
            path = self._numbered(None if count == 1 else number)
            require_free(path, is_forced=self._is_forced)

    def write(self, content: bytes, media_type: str, number: int | None) -> Path:
        """Write a picture, and return its file; raises CommandFailed.

        Args:
            content: of the file.
            media_type: such as `image/png`; the name does not lie about it.
            number: of several pictures, from 1; None for the only one.
        """
        path = self._numbered(number)
        kind = media_type.partition("/")[2]
        if _FORMATS[path.suffix.lower()] != kind:
            path = path.with_suffix(f".{kind}")
        write_new(path, content, is_forced=self._is_forced)
        return path

    def _numbered(self, number: int | None) -> Path:
        path = self._path
        return path if number is None else path.with_stem(f"{path.stem}-{number}")
