"""Clients that want pictures, many at once, and what a service's processes take meanwhile."""

import contextlib
import dataclasses
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping

from benchmarks.harness.process import process_tree, resident_mib
from benchmarks.harness.servers import BenchmarkError, Server

CLIENTS = 20
_TIMEOUT = 120.0
_PIECE_BYTES = 65_536
_PAUSE = 0.01
_NICENESS = 15


@dataclasses.dataclass(frozen=True)
class Wish:
    """A request for a picture, and where the bytes of its picture are."""

    name: str
    path: str
    body: bytes
    content_type: str = "application/json"


def made(megabytes: int) -> Wish:
    """Return a wish for a picture of so many megabytes, kept by the service."""
    body = {"prompt": f"a picture of {megabytes} MB"}
    return Wish(f"made, {megabytes} MB", "/api/v1/images/generate", json.dumps(body).encode())


def made_in_base64(megabytes: int) -> Wish:
    """Return a wish for the same picture within the answer."""
    body = {"prompt": f"a picture of {megabytes} MB", "response_format": "b64_json"}
    name = f"made, {megabytes} MB, as base64"
    return Wish(name, "/v1/images/generations", json.dumps(body).encode())


def sent(picture: bytes, megabytes: int) -> Wish:
    """Return a wish for an edit of a picture, which is sent along."""
    fields = b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na cat\r\n'
    fields += b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n'
    body = fields + b"Content-Type: image/png\r\n\r\n" + picture + b"\r\n--x--\r\n"
    name = f"sent, {megabytes} MB"
    return Wish(name, "/v1/images/edits", body, "multipart/form-data; boundary=x")


def fulfil(server: Server, wish: Wish) -> None:
    """Send a wish and read its answer; BenchmarkError where that is no picture."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=_TIMEOUT)
    with contextlib.closing(connection):
        connection.request("POST", wish.path, wish.body, {"Content-Type": wish.content_type})
        response = connection.getresponse()
        start = response.read(500)
        while response.read(_PIECE_BYTES):
            pass
    if response.status != http.client.OK:
        raise BenchmarkError(f"{wish.name}: {response.status} {start!r}", server.log)


def fulfil_at_once(server: Server, wish: Wish) -> None:
    """Send a wish for each client, all at once; BenchmarkError where one failed."""
    failed: list[BenchmarkError | OSError] = []

    def one() -> None:
        # On Linux a thread's own: what the clients take of the processors is not the service's.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        try:
            fulfil(server, wish)
        except (BenchmarkError, OSError) as error:
            failed.append(error)

    threads = [threading.Thread(target=one) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise BenchmarkError(f"{len(failed)} of {CLIENTS} failed: {failed[0]}", server.log)


@contextlib.contextmanager
def crowding(
    server: Server, wish: Wish, *, round_seconds: float = 0.0
) -> Iterator[Mapping[str, float]]:
    """Send a wish for each client again and again while the block runs.

    Yields how often that was, and the seconds of a round. A round takes `round_seconds` at least.
    """
    is_over = threading.Event()
    pace = {"rounds": 0.0, "seconds": 0.0}
    failed: list[BenchmarkError] = []

    def crowd() -> None:
        began = time.monotonic()
        while not is_over.is_set():
            try:
                fulfil_at_once(server, wish)
            except BenchmarkError as error:
                failed.append(error)
                return
            pace["rounds"] += 1
            is_over.wait(began + pace["rounds"] * round_seconds - time.monotonic())
            pace["seconds"] = (time.monotonic() - began) / pace["rounds"]

    thread = threading.Thread(target=crowd)
    thread.start()
    try:
        yield pace
    finally:
        is_over.set()
        thread.join()
    if failed:
        raise failed[0]


@contextlib.contextmanager
def busy_cores() -> Iterator[None]:
    """Keep every core busy while the block runs, with processes that give way to all others."""
    spin = "import os\nos.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\nwhile True: pass"
    burners = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for one in burners:
            one.kill()
            one.wait()


@contextlib.contextmanager
def watching(server: Server) -> Iterator[list[float]]:
    """Yield a list that has the memory of a server's processes in MiB, again and again."""
    is_over = threading.Event()
    seen = [_memory(server)]

    def watch() -> None:
        while not is_over.is_set():
            seen.append(_memory(server))
            time.sleep(_PAUSE)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        is_over.set()
        thread.join()


def _memory(server: Server) -> float:
    return sum(resident_mib(pid) for pid in process_tree(server.pid))
