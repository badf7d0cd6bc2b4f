"""Files sent by a real worker: in pieces, whoever reads slowly."""

import http.client
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path

import pytest

from llm_api.domain.files import FilesPlan, StoredFile
from llm_api.services.files import FileService
from llm_api.storage.factory import open_file_store, open_work_stores
from llm_api.storage.threads import StoreThreads
from tests.support.s3 import S3Server
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.web.conftest import environment_of

MIB = 1 << 20
LARGE = 32 * MIB  # more than the sockets of both sides hold
READERS = 8
FILES = "/api/v1/files"


@pytest.fixture(scope="module", params=["folder", "s3"])
def plan(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FilesPlan]:
    """Say where files are kept."""
    if request.param == "folder":
        yield FilesPlan(f"file://{tmp_path_factory.mktemp('files')}", 7)
        return
    with S3Server() as server:
        url = f"s3://{server.new_bucket().name}/pre"
        yield FilesPlan(url, 7, server.url, "us-east-1", "AKID", "the-secret")


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, service_upstream: ScriptedUpstream, plan: FilesPlan
) -> Iterator[Service]:
    """Run the service with one worker."""
    env = {
        **environment_of(service_upstream),
        "FILES_URL": plan.url,
        "FILES_ENDPOINT": plan.endpoint or "",
        "FILES_ACCESS_KEY_ID": plan.access_key_id,
        "FILES_SECRET_ACCESS_KEY": plan.secret_access_key,
    }
    with Service(tmp_path_factory.mktemp("service"), env) as running:
        yield running


def large() -> bytes:
    """Make the file."""
    return bytes(range(256)) * (LARGE // 256)


@pytest.fixture(scope="module")
def file(service: Service, plan: FilesPlan) -> StoredFile:
    """Keep a large picture where the service has its own."""
    work = open_work_stores(service.env["DATABASE_URL"])
    store = open_file_store(plan)
    threads = {"row_threads": StoreThreads(1), "byte_threads": StoreThreads(1)}
    saved = FileService(work.files, store, timedelta(days=7), **threads).save(
        "img_1", None, large(), "image/png"
    )
    work.close()
    return saved


def ask(service: Service, file: StoredFile, **headers: str) -> http.client.HTTPConnection:
    """Ask for the file on a connection of its own."""
    connection = http.client.HTTPConnection(*service.address, timeout=30)
    connection.request("GET", f"{FILES}/{file.id}", headers=headers)
    return connection


def resident(service: Service) -> int:
    """Return the memory of the worker, in bytes."""
    (pid,) = service.worker_pids()
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4_096


def test_a_large_picture_arrives_whole_and_in_parts(
    sound_service: Service, file: StoredFile
) -> None:
    with closing(ask(sound_service, file)) as connection:
        assert connection.getresponse().read() == large()
    with closing(ask(sound_service, file, Range=f"bytes={MIB}-{2 * MIB}")) as connection:
        assert connection.getresponse().read() == large()[MIB : 2 * MIB + 1]


def test_readers_that_stand_still_hold_neither_the_worker_nor_their_file_in_memory(
    sound_service: Service, file: StoredFile
) -> None:
    with closing(ask(sound_service, file)) as connection:
        connection.getresponse().read()
    before = resident(sound_service)

    with ExitStack() as readers:
        for _ in range(READERS):
            waiting = readers.enter_context(closing(ask(sound_service, file)))
            response = waiting.getresponse()
            assert response.status == HTTPStatus.OK
            assert response.read(1_000) == large()[:1_000]

        assert sound_service.is_healthy()
        assert resident(sound_service) - before < READERS * LARGE / 4
        assert response.read() == large()[1_000:]
