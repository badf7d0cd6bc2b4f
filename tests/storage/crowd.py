"""Many writers at once, in threads and in processes of their own."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

from llm_api.domain.usage import UsageRecord
from llm_api.storage import StoreError, UsageStore

_TRIES = 200
# New processes are forked from one that has imported what all of them need, and has no threads.
_PROCESSES = get_context("forkserver")
_PROCESSES.set_forkserver_preload(
    ["tests.storage.contract", "tests.storage.contract_budgets", "tests.storage.contract_tasks"]
)


def in_threads(work: Callable[..., object], tasks: Sequence[Iterable[Any]]) -> None:
    """Run the work for each task at once; the first exception of one is raised here."""
    with ThreadPoolExecutor(len(tasks)) as pool:
        list(pool.map(lambda task: work(*task), tasks))


def in_processes(work: Callable[..., None], tasks: Sequence[Iterable[Any]]) -> None:
    """Do the same in processes, to which work and tasks are sent by pickle."""
    with ProcessPoolExecutor(len(tasks), mp_context=_PROCESSES) as pool:
        for running in [pool.submit(work, *task) for task in tasks]:
            running.result()


def add_until_kept(
    place: UsageStore | Callable[[], UsageStore], batches: Iterable[Sequence[UsageRecord]]
) -> None:
    """Add the batches one after the other, again where the store refuses, as the spool does.

    The place is a store, or opens one that only this writer has.
    """
    store = place() if callable(place) else place
    for batch in batches:
        _add(store, batch)
    if callable(place):
        store.close()


def _add(store: UsageStore, batch: Sequence[UsageRecord]) -> None:
    for last in range(_TRIES):
        try:
            store.add(batch)
        except StoreError:
            if last == _TRIES - 1:
                raise
        else:
            return
