"""gunicorn's gevent worker and logger, with an end of a worker that loses no request.

What gunicorn's own lose is listed in docs/decisions/0013-process-life.md.
"""

import errno
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.http import wsgi
from gunicorn.http.parser import RequestParser
from gunicorn.sock import ssl_context
from gunicorn.util import write_nonblock
from gunicorn.workers.ggevent import GeventWorker

from llm_api.runtime.deadlines import lingering_close, shut_down
from llm_api.runtime.drain import OUT_OF_MEMORY, Drain
from llm_api.server.connections import LAST_CALLS_S, Connection, end_wait
from llm_api.server.gunicorn_errors import answer_to
from llm_api.server.http_request import KnownRequest
from llm_api.server.http_response import JoinedResponse
from llm_api.server.turnstile import Turnstile
from llm_api.settings.settings import SettingsError

_LOOK_S = 0.1
_LOOK_FOR_IDLE_S = 1.0
# What has not ended is cut so long before the master would kill the worker.
_CUT_BEFORE_S = 1.0
_NO_DESCRIPTOR = {errno.EMFILE, errno.ENFILE}
_DESCRIPTOR_PAUSE_S = 0.5
logger = logging.getLogger(__name__)


class ServiceLogger(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """A logger without an access log: the application logs each request itself.

    With `logconfig_dict` set, gunicorn formats every access line (0.04 ms), wanted or not.
    """

    def setup(self, cfg: Any) -> None:
        """Set logging up, and switch preloading off: gunicorn reads that setting after this.

        The master would import libraries and make locks before gevent has patched them, and the
        workers would deadlock in them.
        """
        super().setup(cfg)
        if cfg.preload_app and issubclass(cfg.worker_class, GeventWorker):
            cfg.set("preload_app", False)  # noqa: FBT003  # gunicorn's signature
            self.warning("preload_app is switched off: gevent workers load the application anew")

    def access(self, *_: Any) -> None:
        """Write nothing."""


@dataclass(frozen=True, slots=True)
class _Address:
    """The part of a listener that gunicorn uses; the socket may be closed by then."""

    name: Any

    def getsockname(self) -> Any:
        """Return the address, as `socket.getsockname` does."""
        return self.name


class _Server(StreamServer):  # type: ignore[misc]  # gevent ships no types
    """Accepts connections, and pauses while no file descriptor is free.

    gevent's own pauses too, and prints a traceback each time.
    """

    def do_read(self) -> Any:
        """Accept one connection; None where there is none to accept."""
        try:
            return super().do_read()
        except OSError as error:
            if error.errno not in _NO_DESCRIPTOR:
                raise
            logger.warning("no file descriptor is free; new connections wait")
            self.stop_accepting()
            gevent.spawn_later(_DESCRIPTOR_PAUSE_S, self._accept_again)
            return None

    def _accept_again(self) -> None:
        if not self.closed:
            self.start_accepting()

    def accept_rest(self) -> None:
        """Accept the connections in the kernel's queue, which closing the socket would reset."""
        while not self.full() and (accepted := self.do_read()) is not None:
            self.do_handle(*accepted)


class DrainingGeventWorker(GeventWorker):  # type: ignore[misc]  # gunicorn ships no types
    """A gevent worker that ends as soon as its calls have ended, and loses none of them.

    gunicorn 27's own waits for idle keep-alive connections, resets those that it has not accepted
    yet, and cuts streams that outlive `max_requests` by more than the grace time.
    """

    RETIRES_ON = signal.SIGHUP  # see Reloader
    alive: bool  # gunicorn's: false as soon as the worker is to end

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Pass on gunicorn's arguments."""
        super().__init__(*args, **kwargs)
        self.drain = Drain(self.cfg.graceful_timeout)  # until gunicorn.conf.py sets the service's
        self._connections: dict[gevent.Greenlet, Connection] = {}
        self._ends_at = float("inf")
        self._is_replaced = False

    def load_wsgi(self) -> None:
        """Load the application."""
        try:
            super().load_wsgi()
        except SettingsError as error:
            self.log.error("%s", error.line)  # noqa: TRY400  # the sentences say all
            sys.exit(Arbiter.APP_LOAD_ERROR)  # the master ends, too, instead of trying again
        self._settle(self.cfg)
        # gunicorn has no setting for it.
        RequestParser.mesg_class = KnownRequest

    @staticmethod
    def _settle(cfg: Any) -> None:
        """Make the settings plain attributes: they do not change any more.

        gunicorn looks up 25 of them for a request, each through two methods: 13 µs of CPU.
        """
        settled = {name: setting.get() for name, setting in cfg.settings.items()}
        believed = ("forwarder_headers", "secure_scheme_headers")
        if not any(settled[name] for name in believed) and settled["http2_cleartext"] == "off":
            # Nobody is believed anything: parsing each client's address is of no use.
            settled["forwarded_allow_ips"] = ["*"]
        cfg.__dict__.update(settled)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Answer one request; raises StopIteration if its connection is to end.

        As gunicorn's own method does it, without an access log, hooks and the clock for them.
        """
        self._turnstile.enter()
        response, environ = wsgi.create(
            req, sock, addr, listener_name, self.cfg, response_class=JoinedResponse
        )
        try:
            self._respond(response, environ)
        except (gevent.GreenletExit, OSError):
            raise
        except (Exception, SystemExit):
            if not response.headers_sent:
                raise  # handle_error answers it
            self.log.exception("Error handling request")
            shut_down(sock, socket.SHUT_RDWR)  # half an answer must not look like a whole one
            raise StopIteration from None
        if response.should_close():
            raise StopIteration

    def _respond(self, response: JoinedResponse, environ: dict[str, Any]) -> None:
        environ["wsgi.multithread"] = True
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("the worker has answered max_requests calls and is replaced")
            self.alive = False
        body = self.wsgi(environ, response.start_response)
        try:
            if OUT_OF_MEMORY in environ:
                self._end_for_lack_of_memory()
            if not self.alive or not self.cfg.keepalive:
                response.force_close()  # the head, which says so, goes out with the body
            for piece in body:
                response.write(piece)
            response.close()
        finally:
            if hasattr(body, "close"):
                body.close()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:  # noqa: ARG002  # gunicorn's signature
        """Answer a request that failed outside the application."""
        if isinstance(exc, MemoryError):
            self._end_for_lack_of_memory()
        if not isinstance(exc, Exception):
            return  # the worker ends, and this connection with it
        with suppress(OSError):  # such clients often do not wait for an answer
            write_nonblock(client, answer_to(exc))
            lingering_close(client)

    def _end_for_lack_of_memory(self) -> None:
        """Let the master replace the worker, which may have lost more than this request."""
        if self.alive:
            self.alive = False
            self.log.error("the worker ran out of memory and is replaced")

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve one connection."""
        greenlet = gevent.getcurrent()
        self._connections[greenlet] = Connection(client)
        try:
            super().handle(listener, client, addr)
        finally:
            del self._connections[greenlet]

    def timeout_ctx(self) -> Connection:
        """Bound the wait for a connection's next request; gunicorn calls it around that wait."""
        return self._connections[gevent.getcurrent()]

    def init_signals(self) -> None:
        """Listen to one more signal than gunicorn's workers do."""
        super().init_signals()
        signal.signal(self.RETIRES_ON, self._retire)
        signal.siginterrupt(self.RETIRES_ON, False)  # noqa: FBT003  # the signature is signal's

    def _retire(self, *_: Any) -> None:
        """Accept nothing more, and end with the last call: other workers were started."""
        self._is_replaced = True
        self.drain.retire()
        self.alive = False

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Start to end, on SIGTERM."""
        self._limit_end()
        super().handle_exit(sig, frame)

    def _limit_end(self) -> None:
        latest = time.monotonic() + max(self.cfg.graceful_timeout - _CUT_BEFORE_S, 0)
        self._ends_at = min(self._ends_at, latest)

    def run(self) -> None:
        """Serve until told to end, or until `max_requests` were answered."""
        self._turnstile = Turnstile()
        servers = [self._serve(listener) for listener in self.sockets]
        looked_at = 0.0
        while self.alive:
            self.notify()
            gevent.sleep(_LOOK_S)
            if (now := time.monotonic()) - looked_at >= _LOOK_FOR_IDLE_S:
                looked_at = now
                self._end_waits(lambda connection: connection.has_waited(self.cfg.keepalive))
        if self.cfg.workers == 1 and not self._is_replaced:
            # After `max_requests` the service is down until the next worker starts: it must not
            # wait for long streams.
            self.drain.start()
            self._limit_end()
        gevent.sleep(LAST_CALLS_S)
        for server in servers:
            server.accept_rest()
            server.close()
        while self._is_busy(servers) and time.monotonic() < self._ends_at:
            self._end_waits(Connection.may_end)
            self.notify()
            gevent.sleep(_LOOK_S)
        for server in servers:
            server.stop(timeout=_LOOK_S)
        # The master sends it until the worker is gone, and Python's end would make it deadly again.
        signal.signal(self.RETIRES_ON, signal.SIG_IGN)

    def _is_busy(self, servers: Sequence[_Server]) -> bool:
        """Whether calls are in progress, or work that outlives them."""
        return self.drain.is_busy or any(len(server.pool) for server in servers)

    def _serve(self, listener: Any) -> _Server:
        listener.setblocking(1)
        tls = {"ssl_context": ssl_context(self.cfg)} if self.cfg.is_ssl else {}
        handle = partial(self.handle, _Address(listener.getsockname()))
        server = _Server(listener, handle=handle, spawn=Pool(self.worker_connections), **tls)
        if self.cfg.workers > 1:
            server.max_accept = 1  # the others want to accept, too
        server.start()
        return server

    def _end_waits(self, may_end: Callable[[Connection], bool]) -> None:
        for greenlet, connection in self._connections.items():
            if may_end(connection):
                end = partial(end_wait, greenlet, connection, connection.waits_since, may_end)
                # In the hub: from here, the greenlet would not come back.
                gevent.get_hub().loop.run_callback(end)
