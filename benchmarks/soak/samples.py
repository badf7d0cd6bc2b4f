"""What the processes of a service hold: memory, file descriptors and threads, from /proc."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.harness.process import KIB_A_MIB, PROC, process_tree, stat_fields

PARENT_FIELD, THREADS_FIELD, START_FIELD = 1, 17, 19  # behind the command name; `man 5 proc`
REMOTE, INODE = 2, 9  # columns of /proc/net/tcp
MASTER, WORKER, CHILD = "master", "worker", "child"


@dataclass(frozen=True)
class ProcessSample:
    """One process at one moment.

    Attributes:
        process: its number and the time of its start, in ticks since the machine's: numbers are
            used again.
        role: `master`, `worker` (a fork of it) or `child` (any other below them).
        at: seconds since the start of the run.
        rss_mib, pss_mib, private_mib: resident memory, that with its part of shared pages, and
            that which no other process has.
    """

    process: str
    role: str
    at: float
    rss_mib: float
    pss_mib: float
    private_mib: float
    descriptors: int
    upstream_connections: int
    threads: int


def sampled(master: int, upstream_port: int, began: float) -> list[ProcessSample]:
    """Return a sample of every process of a service; those that end meanwhile are left out.

    Args:
        master: the number of its first process.
        upstream_port: of 127.0.0.1.
        began: when the run began, of the monotonic clock.
    """
    at, command = time.monotonic() - began, _command(master)
    found = []
    for pid in process_tree(master):
        with contextlib.suppress(OSError, KeyError):
            role = _role(pid, master, command)
            found.append(_sample(pid, role, at, upstream_port))
    return found


def memory_of(rollup: str) -> tuple[float, float, float]:
    """Return MiB of RSS, PSS and private memory from the text of smaps_rollup."""
    kib: dict[str, int] = {}
    for line in rollup.splitlines()[1:]:
        name, number, *_ = line.split()
        kib[name.rstrip(":")] = int(number)
    private = kib["Private_Clean"] + kib["Private_Dirty"]
    return kib["Rss"] / KIB_A_MIB, kib["Pss"] / KIB_A_MIB, private / KIB_A_MIB


def sockets_to(port: int, table: str) -> set[str]:
    """Return the sockets that are connected to a port, as links in /proc name them.

    Args:
        port: of any address.
        table: the text of /proc/PID/net/tcp; see `man 5 proc`.
    """
    rows = [line.split() for line in table.splitlines()[1:]]
    wanted = f"{port:04X}"
    return {f"socket:[{row[INODE]}]" for row in rows if row[REMOTE].endswith(f":{wanted}")}


def _sample(pid: int, role: str, at: float, upstream_port: int) -> ProcessSample:
    fields = stat_fields(pid)
    if fields is None:
        raise ProcessLookupError
    rss, pss, private = memory_of((PROC / str(pid) / "smaps_rollup").read_text())
    links = list(_links(pid))
    connections = sockets_to(upstream_port, (PROC / str(pid) / "net" / "tcp").read_text())
    of_upstream = sum(1 for link in links if link in connections)
    return ProcessSample(
        process=f"{pid}@{fields[START_FIELD]}",
        role=role,
        at=at,
        rss_mib=rss,
        pss_mib=pss,
        private_mib=private,
        descriptors=len(links) - of_upstream,
        upstream_connections=of_upstream,
        threads=int(fields[THREADS_FIELD]),
    )


def _links(pid: int) -> Iterator[str]:
    """Yield what every descriptor of a process is, but those that are closed meanwhile."""
    for entry in (PROC / str(pid) / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            yield str(entry.readlink())


def _role(pid: int, master: int, command: bytes) -> str:
    if pid == master:
        return MASTER
    fields = stat_fields(pid)
    is_direct = fields is not None and fields[PARENT_FIELD] == str(master)
    # A worker is a fork; whatever else the master starts is another program.
    return WORKER if is_direct and _command(pid) == command else CHILD


def _command(pid: int) -> bytes:
    return (PROC / str(pid) / "cmdline").read_bytes()
