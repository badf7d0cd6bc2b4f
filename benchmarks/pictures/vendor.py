"""A vendor of pictures: `python -m benchmarks.pictures.vendor PORT`.

It answers OpenAI's two image routes at once, with a picture of as many megabytes as the prompt
says, which it has made before.
"""

import base64
import functools
import json
import os
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from benchmarks.pictures.files import photograph

_MEGABYTES = re.compile(rb"picture of (\d+) MB")


class Vendor(BaseHTTPRequestHandler):
    """Answers requests for pictures, and says that it is there."""

    protocol_version = "HTTP/1.1"
    # Head and body are two writes: with Nagle's algorithm the second would wait for the client.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Say that it is there."""
        self._send(b"{}")

    def do_POST(self) -> None:
        """Send the picture that the prompt asks for, or a small one."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        wanted = _MEGABYTES.search(body)
        if "/images/" in self.path:
            self._send(answer(int(wanted[1]) if wanted else 0))
        else:
            self._send(b"{}", 404)

    def _send(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
        """Log nothing."""


class VendorServer(ThreadingHTTPServer):
    """Serves as many clients at once as come: the usual five in the queue reset the others."""

    request_queue_size = 256


@functools.cache
def answer(megabytes: int) -> bytes:
    """Return the answer with a picture of so many megabytes."""
    picture = base64.b64encode(photograph(megabytes or 0.01)).decode()
    return json.dumps({"created": 1, "data": [{"b64_json": picture}]}).encode()


def main() -> None:
    """Serve until the process ends."""
    os.nice(15)  # what the vendor takes of the processors is not the service's
    for megabytes in (0, 6, 8):
        answer(megabytes)
    VendorServer(("127.0.0.1", int(sys.argv[1])), Vendor).serve_forever()


if __name__ == "__main__":
    main()
