"""Files that are kept for callers."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a caller; times are timezone-aware, in UTC.

    Attributes:
        id: unguessable; a part of the address that callers get, and the name of its bytes.
        task_id: the task that made it, or that it was sent for.
        key_id: whose file it is; None for an anonymous caller.
        media_type: by its bytes.
        size_bytes: its length.
        width, height: of a picture.
        is_input: whether the caller has sent it.
    """

    id: str
    task_id: str
    key_id: str | None
    media_type: str
    size_bytes: int
    created_at: datetime
    expires_at: datetime
    width: int | None = None
    height: int | None = None
    is_input: bool = False


@dataclass(frozen=True, slots=True)
class FilesPlan:
    """Where files are kept, and for how long.

    Attributes:
        url: `file:///path`, or `s3://bucket/prefix`.
        retention_days: days for which files and ended tasks are kept.
        endpoint: the address of an S3 store; None: Amazon's.
        region, access_key_id, secret_access_key: of an S3 store.
    """

    url: str
    retention_days: int
    endpoint: str | None = None
    region: str = ""
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)
