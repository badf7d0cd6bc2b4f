"""Callers' pictures."""

from typing import Protocol

from llm_api.domain.images import InputPicture


class ImageInputs(Protocol):
    """The pictures of one request."""

    def read(self, data: bytes, field: str) -> InputPicture:
        """Read a picture."""

    def fetch(self, url: str, field: str) -> InputPicture:
        """Fetch a picture."""

    def own(self, file_id: str, field: str) -> InputPicture:
        """Return a file of the caller."""

    def discard(self) -> None:
        """Delete them."""
