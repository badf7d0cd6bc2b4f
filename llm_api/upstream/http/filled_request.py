"""Requests to an upstream, whose bytes are written once but for the body and its length."""

import requests


class FilledRequest(requests.PreparedRequest):
    """A request made of a template; all but its body and the length of that was written once."""

    head: bytes
    body: bytes

    def __init__(self, template: requests.PreparedRequest, head: bytes, body: bytes | None) -> None:
        """Fill a template, whose `head` lacks the length of the body; None is no body."""
        self.method, self.url, self.headers = template.method, template.url, template.headers
        self.hooks = template.hooks
        self.body = body or b""
        length = b"" if body is None else b"Content-Length: %d\r\n" % len(body)
        self.head = head + length + b"\r\n"


def head_of(request: requests.PreparedRequest) -> bytes:
    """Write the request line and the headers; none of them has a part that a caller chooses."""
    lines = [f"{request.method} {request.path_url} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def headers_with(key: str) -> dict[str, str]:
    """Return the headers of every request to an upstream, with its key; "" is none."""
    headers = {
        "User-Agent": "llm_api",
        "Accept": "application/json, text/event-stream",
        # Nothing is gained from compression between two servers, and a bomb needs it.
        "Accept-Encoding": "identity",
    }
    return headers | ({"Authorization": f"Bearer {key}"} if key else {})
