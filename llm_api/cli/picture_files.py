"""Pictures that commands send: files of this machine, and addresses."""

import base64
from pathlib import Path

import click

PICTURE_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
}
# The last is that of files of the service, as its answers have them.
_ADDRESSES = ("http://", "https://", "/api/v1/files/")
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
    kind = PICTURE_TYPES.get(Path(named).suffix.lower(), "image/png")
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
