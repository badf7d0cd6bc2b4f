"""CPU time and memory of a process tree, read from Linux's /proc (see `man 5 proc`)."""

import contextlib
import os
import time
from pathlib import Path

PROC = Path("/proc")
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
KIB_A_MIB = 1024
# Positions after the command name, which stands in parentheses and may hold spaces itself.
PARENT_FIELD = 1
ENDED_CHILDREN_CPU_FIELDS = slice(13, 15)
CPU_CLOCK = 2  # CPUCLOCK_SCHED of the kernel: all threads of the process


def stat_fields(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat after the command name, or None for a process gone."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(")") + 1 :].split()


def children_by_parent() -> dict[int, list[int]]:
    """Return the direct children of every process that has some."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        fields = stat_fields(int(entry.name))
        if fields is not None:
            children.setdefault(int(fields[PARENT_FIELD]), []).append(int(entry.name))
    return children


def process_tree(root: int) -> list[int]:
    """Return `root` and all its descendants that are alive."""
    children = children_by_parent()
    tree = [root]
    for pid in tree:
        tree.extend(children.get(pid, []))
    return tree


def tree_cpu_seconds(root: int) -> float:
    """Return the user and system CPU time that a process tree has used, all threads included.

    Descendants that have ended are counted once their parent has waited for them
    (cutime and cstime), so that a worker replaced in the middle of a run loses nothing.
    """
    seconds = 0.0
    for pid in process_tree(root):
        fields = stat_fields(pid)
        if fields is not None:
            ended = sum(int(field) for field in fields[ENDED_CHILDREN_CPU_FIELDS])
            seconds += own_cpu_seconds(pid) + ended / TICKS_A_SECOND
    return seconds


def own_cpu_seconds(pid: int) -> float:
    """Return the CPU time of one process, all its threads included; 0 for a process gone.

    /proc counts it in steps of 10 ms, its clock in nanoseconds (see `man 3 clock_getcpuclockid`).
    """
    with contextlib.suppress(OSError):
        return time.clock_gettime(~pid << 3 | CPU_CLOCK)
    return 0.0


def resident_mib(pid: int) -> float:
    """Return the resident memory of one process, shared pages included; 0 for a process gone."""
    try:
        status = (PROC / str(pid) / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / KIB_A_MIB
    return 0.0


def largest_worker_mib(master: int) -> float:
    """Return the resident memory of the largest worker of a server."""
    return max(resident_mib(pid) for pid in workers_of(master))


def workers_of(master: int) -> list[int]:
    """Return the direct children of a server, or the server itself if it does the work alone."""
    return children_by_parent().get(master, [master])


def private_mib(pid: int) -> float:
    """Return the memory of one process that no other has; 0 for a process gone."""
    try:
        rollup = (PROC / str(pid) / "smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    lines = [line.split() for line in rollup.splitlines() if line.startswith("Private_")]
    return sum(int(kib) for _, kib, _ in lines) / KIB_A_MIB
