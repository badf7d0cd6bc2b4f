"""Items of answers are kept for their caller, for an hour, within bounds."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from llm_api.storage.item_memory import KEEP_S, MAX_ITEM_BYTES, MemoryItems
from llm_api.storage.kept_items import ItemStore
from llm_api.storage.redis.connection import make_client
from llm_api.storage.redis.shared_items import RedisItems
from tests.support.servers import ValkeyServer
from tests.support.service import REPOSITORY_ROOT
from tests.support.waiting import wait_until

SAID = {"id": "msg_1", "type": "message", "role": "assistant", "content": [{"text": "ä"}]}
THOUGHT = {"id": "rs_1", "type": "reasoning", "summary": []}
MakeStore = Callable[[], ItemStore]


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """Run Valkey."""
    with ValkeyServer(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest, valkey: ValkeyServer) -> Iterator[ItemStore]:
    """Open each store."""
    opened = MemoryItems() if request.param == "memory" else RedisItems(valkey.url)
    yield opened
    opened.close()


def test_items_are_found_by_their_ids(store: ItemStore) -> None:
    store.keep("key_1", [SAID, THOUGHT])

    assert store.find("key_1", ["rs_1", "msg_1", "msg_1", "msg_9"]) == {
        "msg_1": SAID,
        "rs_1": THOUGHT,
    }
    assert store.find("key_1", []) == {}


def test_nobody_finds_the_items_of_another_caller(store: ItemStore) -> None:
    store.keep("key_1", [SAID])

    assert store.find("key_2", ["msg_1"]) == {}
    assert store.find("", ["msg_1"]) == {}


def test_the_newest_of_a_name_is_found(store: ItemStore) -> None:
    store.keep("key_1", [SAID])
    store.keep("key_1", [SAID | {"content": []}])

    assert store.find("key_1", ["msg_1"])["msg_1"]["content"] == []


def test_what_was_found_can_be_changed_without_harm(store: ItemStore) -> None:
    store.keep("key_1", [SAID])

    store.find("key_1", ["msg_1"])["msg_1"]["content"].clear()

    assert store.find("key_1", ["msg_1"]) == {"msg_1": SAID}


def test_an_item_that_is_too_large_is_not_kept(store: ItemStore) -> None:
    huge = {"id": "msg_2", "content": "a" * MAX_ITEM_BYTES}

    store.keep("key_1", [huge, SAID])

    assert list(store.find("key_1", ["msg_1", "msg_2"])) == ["msg_1"]


# --- memory ---


def test_memory_forgets_after_an_hour_and_where_there_is_no_room() -> None:
    now = [0.0]
    store = MemoryItems(max_bytes=10_000, clock=lambda: now[0])
    named = [{"id": f"msg_{number}", "content": "a" * 1_000} for number in range(20)]

    store.keep("key_1", named)
    kept = list(store.find("key_1", [one["id"] for one in named]))
    now[0] = KEEP_S + 1

    assert kept == [f"msg_{number}" for number in range(14, 20)]
    assert store.find("key_1", kept) == {}


_GROWTH = """
from llm_api.storage.item_memory import MemoryItems

def private_kib():
    with open("/proc/self/smaps_rollup") as lines:
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private"))

store = MemoryItems()
store.keep("key_1", [{"id": "msg", "content": "a" * 150}])
before = private_kib()
for number in range(4_000):
    store.keep("key_1", [{"id": f"msg_{number}", "content": "a" * 150}])
print(private_kib() - before)
"""


def test_an_item_takes_hardly_more_memory_than_is_counted() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _GROWTH],
        cwd=REPOSITORY_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert int(ran.stdout) < 4_000 * 1.5  # KiB; 17,000 while orjson's own bytes were kept


# --- Redis ---


def test_processes_share_items_and_redis_forgets_them(valkey: ValkeyServer) -> None:
    brief = RedisItems(valkey.url, keep_s=0.3)
    with closing(brief) as one, closing(RedisItems(valkey.url)) as other:
        one.keep("key_1", [SAID])

        assert other.find("key_1", ["msg_1"]) == {"msg_1": SAID}
        wait_until(lambda: not other.find("key_1", ["msg_1"]), 20, "It is still there.")


def test_a_caller_has_at_most_so_many_items_and_takes_none_of_another(valkey: ValkeyServer) -> None:
    store = RedisItems(valkey.url, max_items=3)
    named = [{"id": f"msg_{number}"} for number in range(5)]
    store.keep("key_2", [SAID])

    store.keep("key_1", named[:2])
    store.keep("key_1", named[2:])

    found = store.find("key_1", [one["id"] for one in named])
    store.close()
    assert list(found) == ["msg_2", "msg_3", "msg_4"]
    with_other = RedisItems(valkey.url)
    assert with_other.find("key_2", ["msg_1"]) == {"msg_1": SAID}
    with_other.close()


@pytest.mark.parametrize("garbage", [b"", b"no JSON", b"\xff", b"null", b"5", b"[" * 2_000])
def test_what_is_no_item_is_none(valkey: ValkeyServer, garbage: bytes) -> None:
    store = RedisItems(valkey.url)
    store.keep("key_1", [SAID])
    with closing(make_client(valkey.url)) as client:
        for name in client.scan_iter("llm_api:item:*"):
            client.set(name, garbage)

    found = store.find("key_1", ["msg_1"])

    store.close()
    assert found == {}


def test_while_redis_is_away_a_process_keeps_its_own(tmp_path: Path) -> None:
    store = RedisItems(f"redis+unix://{tmp_path}/nobody.sock")

    store.keep("key_1", [SAID])

    assert store.find("key_1", ["msg_1", "msg_2"]) == {"msg_1": SAID}
    assert store.find("key_2", ["msg_1"]) == {}
    store.close()
