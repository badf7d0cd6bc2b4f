"""gunicorn's HTTP/1 request, with header lines that were seen before not checked again."""

import re
from functools import lru_cache
from typing import Any

from gunicorn.http.message import RFC9110_5_5_INVALID_AND_DANGEROUS, TOKEN_RE, Request

_LONGEST = 200  # bytes of a line that is kept
# Names whose values say who calls, and not for whom: nothing secret is kept, and nothing that
# belongs to one request alone.
_LASTING = re.compile(
    rb"(?i)(?:host|user-agent|accept(?:-[a-z]+)?|connection|content-type|cache-control|origin"
    rb"|sec-[a-z-]+|x-stainless-(?!retry-count|timeout|read-timeout)[a-z-]+|openai-beta):",
)


class KnownRequest(Request):  # type: ignore[misc]  # gunicorn ships no types
    """A request of gunicorn's whose head is cheaper to read.

    A client sends the same lines with each request, an OpenAI SDK eighteen of them. gunicorn checks
    each of them every time, which takes 2 µs of CPU a line; what is not plain is left to gunicorn.
    """

    def parse_headers(self, data: bytes, from_trailer: bool = False) -> Any:  # noqa: FBT001, FBT002  # gunicorn's signature
        """Return the fields of a head, as names in capitals and values."""
        lines = data.split(b"\r\n")
        fields = [_known(line) for line in lines]
        is_plain = (
            not from_trailer
            and None not in fields
            # A name that comes twice can be an error; gunicorn knows which.
            and len({field[0] for field in fields if field}) == len(fields)
            and len(fields) <= self.limit_request_fields
            and max(map(len, lines)) + len(b"\r\n") <= self.limit_request_field_size
            and not self.cfg.secure_scheme_headers
            and not self.cfg.strip_header_spaces
        )
        return fields if is_plain else super().parse_headers(data, from_trailer)


def _known(line: bytes) -> tuple[str, str] | None:
    if len(line) <= _LONGEST and _LASTING.match(line):
        return _field(line)
    return _field.__wrapped__(line)


@lru_cache(maxsize=1024)
def _field(line: bytes) -> tuple[str, str] | None:
    """Parse a line; None for what gunicorn refuses, joins, drops or acts upon."""
    name, colon, value = line.decode("latin-1").partition(":")
    if not colon or not TOKEN_RE.fullmatch(name) or "_" in name:
        return None
    name, value = name.upper(), value.strip(" \t")
    if name == "EXPECT" or RFC9110_5_5_INVALID_AND_DANGEROUS.search(value):
        return None
    return name, value
