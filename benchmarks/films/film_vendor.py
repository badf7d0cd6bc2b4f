"""A vendor of films that never ends one: `python -m benchmarks.films.film_vendor PORT`.

It accepts tasks as Volcengine Ark does, and says of each that it runs. `GET /looks` has the number
of looks so far.
"""

import itertools
import os
import sys

from benchmarks.pictures.vendor import Vendor, VendorServer

_numbers, _looks = itertools.count(1), itertools.count()
_ACCEPTED = b'{"id":"cgt-%d"}'
_RUNS = b'{"id":"%b","model":"m","status":"running","created_at":1,"updated_at":2,"error":null}'


class FilmVendor(Vendor):
    """Accepts tasks, and looks at them."""

    def do_GET(self) -> None:  # noqa: N802  # the library's name
        """Say how far a task is, or how often that was asked."""
        if self.path == "/looks":
            self._send(b"%d" % next(_looks))
            return
        if "/tasks/" in self.path:
            next(_looks)
            self._send(_RUNS % self.path.rpartition("/")[2].encode())
        else:
            self._send(b"{}")

    def do_POST(self) -> None:  # noqa: N802  # the library's name
        """Accept a task."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self._send(_ACCEPTED % next(_numbers))


def main() -> None:
    """Serve until the process ends."""
    os.nice(15)  # what the vendor takes of the processors is not the service's
    VendorServer(("127.0.0.1", int(sys.argv[1])), FilmVendor).serve_forever()


if __name__ == "__main__":
    main()
