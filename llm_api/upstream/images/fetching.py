"""Stub until the real one is merged."""

from dataclasses import dataclass
from typing import Any

from llm_api.errors import UpstreamFault


class LinkRefused(Exception):
    problem = ""


@dataclass(frozen=True)
class LinkPolicy:
    max_bytes: int = 0
    timeout: float = 0
    hosts: Any = None
    http_hosts: Any = ()
    near: str | None = None
    allows_private: bool = False


class LinkClient:
    def __init__(self, watch: Any) -> None: ...

    def fetch(self, url: str, policy: LinkPolicy) -> bytes:
        raise UpstreamFault("stub", reason="result_download_failed")

    def post(self, url: str, body: bytes, headers: Any, policy: LinkPolicy) -> int:
        return 500
