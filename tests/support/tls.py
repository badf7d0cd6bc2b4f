"""A scripted upstream behind TLS, with a certificate that a test chooses."""

import socket
import ssl
from contextlib import suppress
from pathlib import Path

from tests.support.upstream import ScriptedUpstream


class TlsUpstream(ScriptedUpstream):
    """A scripted upstream that shows a certificate, good or bad."""

    def __init__(self, certificate: Path) -> None:
        """Take the file of the certificate and its key."""
        super().__init__()
        self.show(certificate)

    def show(self, certificate: Path) -> None:
        """Show another certificate from the next connection on; those that are open are cut."""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self.close_connections()

    def _converse(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):  # a client that does not like the certificate leaves
            super()._converse(self._context.wrap_socket(connection, server_side=True))
