"""gunicorn's settings of a project, with a sampler of the worker's main thread.

`BENCH_CONF` is the project's own gunicorn.conf.py, `BENCH_SAMPLES` the file that the samples are
written to when the worker ends: CPU seconds by stack of files, and those of all other threads.
"""

import collections
import json
import os
import pathlib
import signal
import time

_INTERVAL_S = 0.001
_DEPTH = 60

exec(compile(pathlib.Path(os.environ["BENCH_CONF"]).read_text(), os.environ["BENCH_CONF"], "exec"))  # noqa: S102  # as gunicorn reads it

_project_init, _project_exit = post_worker_init, worker_exit  # noqa: F821  # the project's
_stacks = collections.Counter()
_other_threads = [0.0]
_last = [0.0, 0.0]


def _sample(_number, frame):
    main, process = time.thread_time(), time.process_time()
    stack = []
    while frame is not None and len(stack) < _DEPTH:
        stack.append(frame.f_code.co_filename)
        frame = frame.f_back
    _stacks["\n".join(stack)] += main - _last[0]
    _other_threads[0] += process - _last[1] - (main - _last[0])
    _last[:] = main, process


def _start(*_):
    """Start sampling, on SIGUSR2: what went before is no part of it."""
    _stacks.clear()
    _other_threads[0] = 0.0
    _last[:] = time.thread_time(), time.process_time()
    signal.setitimer(signal.ITIMER_PROF, _INTERVAL_S, _INTERVAL_S)


def post_worker_init(worker):
    """Prepare the sampler."""
    _project_init(worker)
    signal.signal(signal.SIGPROF, _sample)
    signal.signal(signal.SIGUSR2, _start)


def worker_exit(server, worker):
    """Write the samples."""
    signal.setitimer(signal.ITIMER_PROF, 0)
    report = {"stacks": dict(_stacks), "other_threads": _other_threads[0]}
    pathlib.Path(os.environ["BENCH_SAMPLES"]).write_text(json.dumps(report))
    _project_exit(server, worker)
