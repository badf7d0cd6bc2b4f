"""Who is measured: the service, the build before it, nginx, and the peers that are installed.

Where no key is required none is looked at, so calls with a key have a service of their own.
"""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import copytree

from benchmarks.harness import keys, peers
from benchmarks.harness.console import announce
from benchmarks.harness.installation import copied, exported
from benchmarks.harness.measure import (
    CHAT,
    RESPONSES,
    RESPONSES_STREAM,
    ROUTES,
    STREAM,
    Contender,
    with_headers,
)
from benchmarks.harness.programs import nginx_program, service_program, upgrade_database
from benchmarks.harness.servers import BenchmarkError, Server, free_ports, running

SERVICE = "service"
BEFORE = "before"
WITH_KEY = "-with-key"


def builds(root: Path, revision: str | None, directory: Path) -> Mapping[str, Path]:
    """Return the folders of the service and, where a revision is named, of the build before."""
    folders = {SERVICE: copied(root, directory / SERVICE)}
    if revision is not None:
        folders[BEFORE] = exported(root, revision, directory / BEFORE)
    return folders


def start_contenders(
    folders: Mapping[str, Path], upstream: Server, directory: Path, stack: contextlib.ExitStack
) -> Sequence[Contender]:
    """Start every server, ended with the stack; return what each of them is measured with."""
    # Services of one folder would share the files in which usage rows wait.
    keyed = {f"{name}{WITH_KEY}": folder for name, folder in folders.items()}
    keyed = {
        name: Path(copytree(folder, directory / name, symlinks=True))
        for name, folder in keyed.items()
    }
    contenders = [open_service(folder, name, upstream, stack) for name, folder in folders.items()]
    contenders += [keyed_service(folder, name, upstream, stack) for name, folder in keyed.items()]
    [port] = free_ports(1)
    nginx = nginx_program(port, upstream.port, directory)
    if nginx is not None:
        contenders.append(Contender(stack.enter_context(running(nginx)), ROUTES, [STREAM]))
    return contenders


def start_peers(
    names: Sequence[str], upstream: Server, directory: Path, stack: contextlib.ExitStack
) -> Sequence[Contender]:
    """Start the peers of these names; one that does not start is announced and left out."""
    ports = free_ports(3)
    headers = peers.portkey_headers(upstream.port)
    chat, stream = with_headers(CHAT, headers), with_headers(STREAM, headers)
    candidates = []
    if peers.PORTKEY_NAME in names:
        shipped = peers.portkey_program(ports[0], directory, is_mended=False)
        mended = peers.portkey_program(ports[1], directory, is_mended=True)
        candidates += [(shipped, [chat], [stream]), (mended, [], [stream])]
    if peers.LITELLM_NAME in names:
        litellm = peers.litellm_program(ports[2], upstream.port, directory)
        candidates.append((litellm, [CHAT], [STREAM]))
    started_peers = []
    for program, calls, streams in candidates:
        try:
            server = stack.enter_context(running(program))
        except BenchmarkError as error:
            announce(str(error))
            continue
        started_peers.append(Contender(server, calls, streams))
    return started_peers


def open_service(
    folder: Path, name: str, upstream: Server, stack: contextlib.ExitStack
) -> Contender:
    """Start a build of the service that everybody may call."""
    server = started(folder, name, upstream.port, stack, {})
    if name == SERVICE:  # a build before may not have the newer API
        return Contender(server, [*ROUTES, RESPONSES], [STREAM, RESPONSES_STREAM])
    return Contender(server, ROUTES, [STREAM])


def keyed_service(
    folder: Path, name: str, upstream: Server, stack: contextlib.ExitStack
) -> Contender:
    """Start a build of the service that requires a key, and create the one of its calls."""
    server = started(folder, name, upstream.port, stack, keys.SETTINGS)
    headers = keys.headers_with_key(server)
    return Contender(server, [with_headers(CHAT, headers)], [with_headers(STREAM, headers)])


def started(
    folder: Path,
    name: str,
    upstream_port: int,
    stack: contextlib.ExitStack,
    settings: Mapping[str, str],
) -> Server:
    """Start a service with one worker and a database of its own."""
    [port] = free_ports(1)
    program = service_program(folder, port, upstream_port, folder, settings, name=name)
    upgrade_database(program)
    return stack.enter_context(running(program))
