"""Files in storage that speaks S3's protocol; the only place that knows obstore.

obstore is imported with this module, and this module only where FILES_URL names such a store. Its
first request must come after the fork of the workers: behind one of the parent, requests of a child
never return. All settings are given here: it would read those that are left out from AWS_…
variables, and a proxy from HTTP_PROXY.
"""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from llm_api.domain.files import FilesPlan
from llm_api.storage import StoreError
from llm_api.storage.files import check_name

if TYPE_CHECKING:
    from obstore.store import S3Credential  # it is not there when the program runs

# Up to here a file is one request, which is done or not: a multipart upload that a crash leaves
# behind costs money until the bucket's rules remove it.
_PART_BYTES = 16 << 20
_PARTS_AT_ONCE = 2
# A request for each: the time-out of a response that is read slowly would include the reader's.
_READ_BYTES = 1 << 20
_RETRIES: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}
_OPTIONS: Any = {
    "connect_timeout": timedelta(seconds=5),
    "timeout": timedelta(seconds=60),
    # A proxy that is used for no host: there is no other way to leave HTTP_PROXY unread.
    "proxy_url": "http://127.0.0.1:9",
    "proxy_excludes": "*,0.0.0.0/0,::/0",
}


class S3Files:
    """Keeps each file as an object under its name, below the prefix of the address."""

    def __init__(self, plan: FilesPlan) -> None:
        """Use the bucket of an s3:// address; no request is made yet."""
        self._store = _store_of(plan)

    def put(self, name: str, pieces: Iterable[bytes]) -> int:
        """See FileStore."""
        path = check_name(name)
        source = _Counted(pieces)
        head: list[bytes] = []
        while source.size <= _PART_BYTES and (piece := next(source, None)) is not None:
            head.append(piece)
        with _translated():
            if source.size <= _PART_BYTES:
                obstore.put(self._store, path, b"".join(head), use_multipart=False)
            else:
                obstore.put(
                    self._store,
                    path,
                    chain(head, source),
                    chunk_size=_PART_BYTES,
                    max_concurrency=_PARTS_AT_ONCE,
                )
        return source.size

    def read(self, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """See FileStore."""
        path = check_name(name)
        with _translated():
            stop = obstore.head(self._store, path)["size"] if end is None else end
            while start < stop:
                until = min(stop, start + _READ_BYTES)
                piece = obstore.get_range(self._store, path, start=start, end=until)
                if not len(piece):
                    return
                yield bytes(piece)
                start += len(piece)

    def delete(self, name: str) -> None:
        """See FileStore."""
        with _translated():
            obstore.delete(self._store, check_name(name))

    def check(self) -> None:
        """See FileStore."""
        name = f"check-{secrets.token_hex(8)}"
        self.put(name, [b"\0" * 16])
        self.delete(name)

    def close(self) -> None:
        """See FileStore."""


class _Counted:
    """Passes pieces on, and counts their bytes."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self.size = 0

    def __iter__(self) -> "_Counted":
        return self

    def __next__(self) -> bytes:
        piece = next(self._pieces)
        self.size += len(piece)
        return piece


def _store_of(plan: FilesPlan) -> S3Store:
    address = urlsplit(plan.url)
    endpoint = plan.endpoint or f"https://s3.{plan.region}.amazonaws.com"
    host = urlsplit(endpoint).hostname or ""
    options: Any = {**_OPTIONS, "allow_http": endpoint.startswith("http://")}
    return S3Store(
        address.netloc,
        prefix=address.path.strip("/") or None,
        endpoint=endpoint,
        region=plan.region,
        # Alibaba's OSS and others take the bucket only as a part of the host's name.
        virtual_hosted_style_request=host.startswith(f"{address.netloc}."),
        # Where keys are given as options, an AWS_SESSION_TOKEN is added to them.
        credential_provider=lambda: _credentials(plan),
        # Not every store has the request that deletes several, which is sent even for one.
        disable_bulk_delete=True,
        client_options=options,
        retry_config=_RETRIES,
    )


def _credentials(plan: FilesPlan) -> "S3Credential":
    return {
        "access_key_id": plan.access_key_id,
        "secret_access_key": plan.secret_access_key,
        "token": None,
        "expires_at": None,
    }


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:  # also where the bucket is not there
        raise StoreError("The file, or the bucket of FILES_URL, is not there.") from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise StoreError("The store of FILES_URL refused FILES_ACCESS_KEY_ID.") from error
    except (BaseError, OSError) as error:
        raise StoreError("The store of FILES_URL could not be used.") from error
