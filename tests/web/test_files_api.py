"""`/api/v1/files/{id}`: pictures are read by their key, whole and in parts."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from llm_api.domain.files import StoredFile
from llm_api.services.files import FileService
from llm_api.storage.sql.tables import files
from tests.conftest import AppOf
from tests.storage.changing import change
from tests.support.documented import ApiDocument
from tests.web.keyed import CLOSED, bearer, issue, refusal_of

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9_000
FILES = "/api/v1/files"


def files_of(app: Flask) -> FileService:
    """Return the service of files."""
    service: FileService = app.extensions["llm_api"].files
    return service


def saved(app: Flask, data: bytes = PICTURE, **properties: object) -> StoredFile:
    """Save a picture of nobody's."""
    usual = {"task_id": "img_1", "key_id": None, "media_type": "image/png"}
    return files_of(app).save(data=data, **{**usual, **properties})  # type: ignore[arg-type]


@pytest.fixture
def file(app: Flask) -> StoredFile:
    """Save a picture."""
    return saved(app)


def get(client: FlaskClient, file: StoredFile, **headers: str) -> TestResponse:
    """Ask for a file, with headers whose names have no hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get(f"{FILES}/{file.id}", headers=named)


# --- whole ---


def test_a_picture_is_sent_whole(client: FlaskClient, file: StoredFile) -> None:
    answer = get(client, file)

    assert answer.status_code == HTTPStatus.OK
    assert answer.data == PICTURE
    assert answer.content_length == len(PICTURE)
    assert answer.content_type == "image/png"
    headers = answer.headers
    assert headers["ETag"] == f'"{file.id}"'
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["Content-Disposition"] == f'inline; filename="{file.id}.png"'
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert headers.getlist("Cache-Control") == ["private, max-age=604800, immutable"]


def test_its_head_is_sent_alone(client: FlaskClient, file: StoredFile) -> None:
    answer = client.head(f"{FILES}/{file.id}")
    whole = get(client, file)

    assert (answer.status_code, answer.data) == (HTTPStatus.OK, b"")
    for name in ("Content-Length", "Content-Type", "ETag", "Accept-Ranges", "Content-Disposition"):
        assert answer.headers[name] == whole.headers[name]


@pytest.mark.parametrize(
    ("media_type", "sent", "disposition"),
    [
        ("image/jpeg", "image/jpeg", "inline; filename=*.jpg"),
        ("image/webp", "image/webp", "inline; filename=*.webp"),
        ("image/svg+xml", "application/octet-stream", "attachment; filename=*.bin"),
        ("text/html", "application/octet-stream", "attachment; filename=*.bin"),
    ],
)
def test_what_is_no_picture_of_a_browser_s_is_a_download(
    app: Flask, media_type: str, sent: str, disposition: str
) -> None:
    file = saved(app, media_type=media_type)

    # What runs in a browser is never saved, nor documented; if it were, no browser would run it.
    answer = FlaskClient(app, app.response_class).get(f"{FILES}/{file.id}")

    assert answer.content_type == sent
    named = answer.headers["Content-Disposition"].replace(f'"{file.id}.', "*.").rstrip('"')
    assert named == disposition


def test_an_empty_file_is_sent(app: Flask, client: FlaskClient) -> None:
    answer = get(client, saved(app, b""))

    assert (answer.status_code, answer.data) == (HTTPStatus.OK, b"")


# --- again ---


@pytest.mark.parametrize("known", ['"{}"', 'W/"{}"', '"other", "{}"', "*"])
def test_what_a_client_has_is_not_sent_again(
    client: FlaskClient, file: StoredFile, known: str
) -> None:
    answer = get(client, file, If_None_Match=known.format(file.id))

    assert (answer.status_code, answer.data) == (HTTPStatus.NOT_MODIFIED, b"")
    assert answer.headers["ETag"] == f'"{file.id}"'
    assert "Content-Type" not in answer.headers


def test_another_version_is_sent(client: FlaskClient, file: StoredFile) -> None:
    assert get(client, file, If_None_Match='"other"').data == PICTURE


def test_a_cache_keeps_it_no_longer_than_we_do(app: Flask, client: FlaskClient) -> None:
    file = saved(app)
    ends_at = datetime.now(UTC) + timedelta(hours=1)
    change(
        app.config["DATABASE_OF_THE_TEST"],
        [sa.update(files).values(expires_at=ends_at.replace(tzinfo=None))],
    )

    age = int(get(client, file).headers["Cache-Control"].split("=")[1].split(",")[0])

    assert 3_500 < age <= 3_600


# --- parts ---

SIZE = len(PICTURE)


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-9", 5, 10),
        ("bytes=1100000-", 1_100_000, SIZE),
        ("bytes=-7", SIZE - 7, SIZE),
        (f"bytes=0-{SIZE * 2}", 0, SIZE),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
    ],
)
def test_a_part_is_sent(
    client: FlaskClient, file: StoredFile, wanted: str, start: int, end: int
) -> None:
    answer = get(client, file, Range=wanted)

    assert answer.data == PICTURE[start:end]
    assert answer.content_length == end - start
    assert answer.status_code == HTTPStatus.PARTIAL_CONTENT
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{SIZE}"


@pytest.mark.parametrize(
    "wanted", ["bytes=0-1,5-6", "pages=1-2", "bytes=9-5", "bytes", "bytes=a-b", ""]
)
def test_what_is_no_part_is_the_whole(client: FlaskClient, file: StoredFile, wanted: str) -> None:
    answer = get(client, file, Range=wanted)

    assert (answer.status_code, answer.data) == (HTTPStatus.OK, PICTURE)


@pytest.mark.parametrize("wanted", [f"bytes={SIZE}-", "bytes=99999999-99999999"])
def test_a_part_behind_the_end_is_refused_with_the_length(
    client: FlaskClient, file: StoredFile, wanted: str
) -> None:
    answer = get(client, file, Range=wanted)

    assert answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    assert answer.headers["Content-Range"] == f"bytes */{SIZE}"
    assert refusal_of(FILES, answer).reason == "range_not_satisfiable"


@pytest.mark.parametrize(("version", "status"), [('"{}"', 206), ('"other"', 200), ("a date", 200)])
def test_the_rest_of_another_version_is_not_sent(
    client: FlaskClient, file: StoredFile, version: str, status: int
) -> None:
    answer = get(client, file, Range="bytes=5-9", If_Range=version.format(file.id))

    assert answer.status_code == status


# --- whose it is ---


@pytest.fixture
def closed(app_of: AppOf, upstream_env: dict[str, str]) -> Flask:
    """Build an application that needs keys."""
    return app_of({**upstream_env, **CLOSED})


def test_where_keys_are_required_a_file_is_its_key_s_alone(closed: Flask) -> None:
    client = closed.test_client()
    alice, bob = issue(closed, "alice"), issue(closed, "bob")
    file = saved(closed, key_id=alice.key.id)

    def ask(**headers: str) -> TestResponse:
        return client.get(f"{FILES}/{file.id}", headers=headers)

    assert ask(**bearer(alice.secret)).data == PICTURE
    assert ask().status_code == HTTPStatus.UNAUTHORIZED
    foreign = refusal_of(FILES, ask(**bearer(bob.secret)))
    unknown = client.get(f"{FILES}/file_{'0' * 32}", headers=bearer(bob.secret))
    assert foreign.reason == "file_not_found"
    assert foreign.message == refusal_of(FILES, unknown).message
    assert unknown.status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("name", ["file_1", "x" * 3_000, "..%2f..%2fetc%2fpasswd", "%00", "猫"])
def test_what_is_no_file_is_not_found(client: FlaskClient, name: str) -> None:
    assert client.get(f"{FILES}/{name}").status_code == HTTPStatus.NOT_FOUND


def test_what_a_caller_sent_is_not_found(app: Flask, client: FlaskClient) -> None:
    assert get(client, saved(app, is_input=True)).status_code == HTTPStatus.NOT_FOUND


# --- what fails ---


def test_a_file_whose_bytes_are_away_is_an_error_and_no_empty_file(
    client: FlaskClient, file: StoredFile, tmp_path: Path
) -> None:
    (tmp_path / "root" / "instance" / "files" / file.id).unlink()

    answer = get(client, file)

    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert refusal_of(FILES, answer).reason == "store_unavailable"
    assert "immutable" not in answer.headers["Cache-Control"]
    assert client.head(f"{FILES}/{file.id}").status_code == HTTPStatus.OK


# --- the document ---


@pytest.fixture
def document(client: FlaskClient) -> ApiDocument:
    """Fetch the API document."""
    answer = client.get("/openapi.json")
    assert answer.json is not None
    return ApiDocument(answer.json)


def test_the_route_is_documented(document: ApiDocument) -> None:
    operation = document.operation("GET", f"{FILES}/file_1")

    assert operation is not None
    assert operation["operationId"] == "getFile"
    assert {"200", "206", "304", "404", "416", "503"} <= set(operation["responses"])
    assert set(operation["responses"]["200"]["content"]) == {
        *("image/png", "image/jpeg", "image/webp"),
        *("video/mp4", "video/quicktime", "video/webm"),
    }
    assert set(operation["responses"]["206"]["content"]) == {"image/png", "video/mp4"}


def test_a_key_for_other_routes_reads_the_files_that_it_made(closed: Flask) -> None:
    client = closed.test_client()
    alice, bob = (issue(closed, name, routes=("/v1/*",)) for name in ("alice", "bob"))
    path = f"{FILES}/{saved(closed, key_id=alice.key.id).id}"

    answers = [client.get(path, headers=bearer(one.secret)) for one in (alice, bob)]

    assert [one.status_code for one in answers] == [HTTPStatus.OK, HTTPStatus.NOT_FOUND]
    assert answers[0].data == PICTURE
    elsewhere = client.get("/api/v1/images/tasks/img_1", headers=bearer(alice.secret))
    assert elsewhere.status_code == HTTPStatus.FORBIDDEN
