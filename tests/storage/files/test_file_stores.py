"""Files in a folder and on an S3 server keep the contract of file stores."""

import json
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from llm_api.domain.files import FilesPlan
from llm_api.storage import FileStore, StoreError
from llm_api.storage.factory import open_file_store
from tests.storage.contract_file_bytes import NAME, NOISE, FileStoreContract, whole
from tests.support.peer import RecordedRequest
from tests.support.ports import LOOPBACK, closed_port
from tests.support.replies import Whole
from tests.support.s3 import Bucket, S3Server
from tests.support.service import REPOSITORY_ROOT
from tests.support.upstream import ScriptedUpstream
from tests.support.wire import response_bytes

KEYS = {"region": "us-east-1", "access_key_id": "AKHUNTER2", "secret_access_key": "hunter2"}


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    """Run an S3 server."""
    with S3Server() as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server) -> Bucket:
    """Make a bucket."""
    return s3.new_bucket()


def plan_of(bucket: Bucket, **changes: str) -> FilesPlan:
    """Name a bucket, with a prefix."""
    settings = {"url": f"s3://{bucket.name}/pre/fix", "endpoint": bucket.server.url, **KEYS}
    return FilesPlan(retention_days=7, **{**settings, **changes})  # type: ignore[arg-type]


class TestFolder(FileStoreContract):
    """In a folder that is made with the first file."""

    folder: Path

    @pytest.fixture
    def files(self, tmp_path: Path) -> FileStore:
        """Open the folder."""
        type(self).folder = tmp_path / "instance" / "files"
        return open_file_store(FilesPlan(f"file://{self.folder}", 7))

    @pytest.fixture
    def unreachable(self, tmp_path: Path) -> FileStore:
        """Open a folder whose place a file has."""
        (tmp_path / "hunter2").write_text("no folder")
        return open_file_store(FilesPlan(f"file://{tmp_path / 'hunter2'}", 7))

    def assert_no_trace(self) -> None:
        """Look for files of any name."""
        assert list(self.folder.iterdir()) == []


class TestS3(FileStoreContract):
    """In a bucket, below a prefix."""

    bucket: Bucket

    @pytest.fixture
    def files(self, bucket: Bucket) -> FileStore:
        """Open the bucket."""
        type(self).bucket = bucket
        return open_file_store(plan_of(bucket))

    @pytest.fixture
    def unreachable(self, bucket: Bucket) -> Iterator[FileStore]:
        """Open it where nothing listens."""
        with closed_port() as port:
            yield open_file_store(plan_of(bucket, endpoint=f"http://{LOOPBACK}:{port}"))

    def assert_no_trace(self) -> None:
        """Look for objects, and for uploads that have not ended."""
        assert self.bucket.names() == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Name a folder."""
    return tmp_path / "files"


@pytest.fixture
def folder_files(folder: Path) -> FileStore:
    """Open it."""
    return open_file_store(FilesPlan(f"file://{folder}", 7))


def test_only_the_service_s_user_may_read_a_folder(folder: Path, folder_files: FileStore) -> None:
    folder_files.put(NAME, [b"cat"])

    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder / NAME, folder)] == [
        0o600,
        0o700,
    ]


def test_what_a_killed_process_left_half_written_is_deleted_by_its_name(
    folder: Path, folder_files: FileStore
) -> None:
    program = """
import os, sys
from pathlib import Path
from llm_api.storage.files.folder import FolderFiles
def pieces():
    yield b"half of a "
    os.kill(os.getpid(), 9)
FolderFiles(Path(sys.argv[1])).put("file_1", pieces())
"""
    command = [sys.executable, "-c", program, str(folder)]
    assert subprocess.run(command, cwd=REPOSITORY_ROOT, check=False).returncode == -9
    assert len(list(folder.iterdir())) == 1

    with pytest.raises(StoreError, match="not there"):
        whole(folder_files, "file_1")
    folder_files.delete("file_1")

    assert list(folder.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_says_so(folder: Path, folder_files: FileStore) -> None:
    folder.mkdir(mode=0o500)

    with pytest.raises(StoreError, match="may not use the folder"):
        folder_files.check()


def test_a_full_disk_says_so(folder: Path, folder_files: FileStore) -> None:
    """Bytes that exceed the limit of a file's length are refused as those of a full disk are."""
    with limited_files(1_000), pytest.raises(StoreError, match=r"cannot be used|is full"):
        folder_files.put("file_1", [NOISE])

    assert list(folder.iterdir()) == []


@contextmanager
def limited_files(max_bytes: int) -> Iterator[None]:
    """Let no file of this process grow further."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, former)


def test_an_object_lies_below_the_prefix(bucket: Bucket) -> None:
    open_file_store(plan_of(bucket)).put(NAME, [b"cat"])

    assert bucket.names() == [f"pre/fix/{NAME}"]


def test_a_bucket_may_have_no_prefix(bucket: Bucket) -> None:
    open_file_store(plan_of(bucket, url=f"s3://{bucket.name}")).put(NAME, [b"cat"])

    assert bucket.names() == [NAME]


def test_a_bucket_that_is_not_there_says_so(bucket: Bucket) -> None:
    files = open_file_store(plan_of(bucket, url="s3://no-such-bucket"))

    with pytest.raises(StoreError, match="bucket of FILES_URL, is not there"):
        files.check()


@pytest.mark.parametrize("status", [401, 403])
def test_keys_that_are_refused_are_named(status: int) -> None:
    with ScriptedUpstream() as server:
        server.script(Whole(response_bytes(status)))
        plan = FilesPlan("s3://bucket", 7, f"http://{LOOPBACK}:{server.port}", **KEYS)

        with pytest.raises(StoreError, match="refused FILES_ACCESS_KEY_ID"):
            open_file_store(plan).check()


# Writes, reads and deletes a file in a process of its own.
REQUESTS = """
import json, sys
from llm_api.domain.files import FilesPlan
from llm_api.storage.factory import open_file_store
files = open_file_store(FilesPlan(**json.loads(sys.argv[1])))
files.put("file_1", [b"x" * 1000] * 3)
assert b"".join(files.read("file_1", 0, 3000)) == b"x" * 3000
files.delete("file_1")
"""
DATE = ("Last-Modified", "Sun, 29 Nov 2026 12:00:00 GMT")
STORED = Whole(response_bytes(200, b"", [("ETag", '"1"')]))
PART = [("ETag", '"1"'), DATE, ("Content-Range", "bytes 0-2999/3000")]
READ = Whole(response_bytes(206, b"x" * 3000, PART))
DELETED = Whole(response_bytes(204))


def asked_by(url: str = "s3://bucket/pre", **env: str) -> list[RecordedRequest]:
    """Return what a server is asked for when a small file is kept, read and deleted."""
    with ScriptedUpstream() as server:
        server.script(STORED, READ, DELETED)
        plan = {"url": url, "endpoint": f"http://{LOOPBACK}:{server.port}", "retention_days": 7}
        command = [sys.executable, "-c", REQUESTS, json.dumps({**plan, **KEYS})]
        subprocess.run(command, cwd=REPOSITORY_ROOT, env=env, check=True)
        return server.requests


def test_a_small_file_is_one_request_and_so_is_its_end() -> None:
    """An upload in parts that is not ended costs money; not every store deletes several at once."""
    assert [(request.method, request.path) for request in asked_by()] == [
        ("PUT", "/bucket/pre/file_1"),
        ("GET", "/bucket/pre/file_1"),
        ("DELETE", "/bucket/pre/file_1"),
    ]


def test_nothing_comes_from_the_environment() -> None:
    nowhere = "http://127.0.0.1:9"
    proxies = dict.fromkeys(["HTTP_PROXY", "http_proxy", "ALL_PROXY", "AWS_ENDPOINT_URL"], nowhere)
    names = ["AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"]

    requests = asked_by(**proxies, **dict.fromkeys(names, "surprise"))

    assert len(requests) == 3
    for request in requests:
        authorization = request.header("Authorization") or ""
        assert "Credential=AKHUNTER2/" in authorization
        assert "/us-east-1/s3/" in authorization
        assert request.header("x-amz-security-token") is None


def test_a_bucket_in_the_host_s_name_is_not_in_the_path() -> None:
    """Alibaba's OSS refuses it there. Of 127.0.0.1 the bucket is 127."""
    assert {request.path for request in asked_by("s3://127/pre")} == {"/pre/file_1"}


def test_workers_make_their_first_request_after_the_fork(bucket: Bucket) -> None:
    program = """
import json, os, sys
from llm_api.domain.files import FilesPlan
from llm_api.storage.factory import open_file_store
files = open_file_store(FilesPlan(**json.loads(sys.argv[1])))
child = os.fork()
files.put(f"file_{os.getpid()}", [b"cat"])
assert b"".join(files.read(f"file_{os.getpid()}")) == b"cat"
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
    plan = {"url": f"s3://{bucket.name}", "endpoint": bucket.server.url, "retention_days": 7}
    command = [sys.executable, "-c", program, json.dumps({**plan, **KEYS})]

    subprocess.run(command, cwd=REPOSITORY_ROOT, timeout=60, check=True)

    assert len(bucket.names()) == 2
