"""docs/nginx.conf before the service: clients are told apart, streams flow, errors are JSON."""

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests

from llm_api.web.making.picture_bodies import MAX_PICTURES_BODY_BYTES
from llm_api.web.request.body import MAX_BODY_BYTES
from tests.storage.checkout import fast_upstream, own_service
from tests.support.paced import Gated
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import Child
from tests.support.service import REPOSITORY_ROOT, Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.web.refusals import CHATS, COMPLETIONS, JSON_TYPE, good_body, read_refusal
from tests.web.streams import HELLO, frame

NGINX = shutil.which("nginx", path=f"{os.defpath}:/usr/sbin:/usr/local/sbin")
CERTIFICATES = REPOSITORY_ROOT / "tests" / "faults" / "certificates"
LIMIT = 5
PATIENCE = 20.0
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


@pytest.fixture(scope="module")
def module_upstream() -> Iterator[ScriptedUpstream]:
    """Run the upstream of the module's service."""
    with ScriptedUpstream() as server:
        yield server


@pytest.fixture(scope="module")
def nginx(
    tmp_path_factory: pytest.TempPathFactory, module_upstream: ScriptedUpstream
) -> Iterator[str]:
    """Run the service behind nginx, and return nginx's URL."""
    directory = tmp_path_factory.mktemp("nginx")
    with behind_nginx(directory, module_upstream, "1000/hour") as (_, url):
        yield url


@contextmanager
def behind_nginx(
    directory: Path, upstream: ScriptedUpstream, limit: str
) -> Iterator[tuple[Service, str]]:
    """Run a service with a rate limit, and nginx with the example in front of it."""
    env = {"TRUSTED_PROXIES": "1", "RATE_LIMIT": limit}
    port, home = free_port(), directory / "home"
    home.mkdir()
    with own_service(directory, fast_upstream(upstream.url) | env) as service:
        (home / "nginx.conf").write_text(configuration(service, port, home))
        command = [str(NGINX), "-e", "stderr", "-p", home, "-c", home / "nginx.conf"]
        child = Child(command, log=home / "log", env={"PATH": os.defpath}, cwd=home)
        try:
            wait_until(lambda: listens(port), PATIENCE, (home / "log").read_text)
            yield service, f"https://{LOOPBACK}:{port}"
        finally:
            child.end(signal.SIGTERM, 5)


def configuration(service: Service, port: int, home: Path) -> str:
    """Put the test's names into the example, and around it what a distribution has there."""
    text = (REPOSITORY_ROOT / "docs" / "nginx.conf").read_text()
    host, its_port = service.address
    for theirs, ours in {
        "listen 443 ssl": f"listen {LOOPBACK}:{port} ssl",
        "/etc/ssl/llm.example.pem": str(CERTIFICATES / "good.pem"),
        "/etc/ssl/llm.example.key": str(CERTIFICATES / "good.pem"),
        "127.0.0.1:8000": f"{host}:{its_port}",
    }.items():
        assert theirs in text
        text = text.replace(theirs, ours)
    folders = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{name}_temp_path {home}/{name};\n" for name in folders)
    user = "user root;\n" if os.geteuid() == 0 else ""
    around = f"{user}daemon off;\npid {home}/pid;\nerror_log stderr;\nevents {{}}\n"
    return f"{around}http {{\naccess_log off;\n{temporary}{text}\n}}\n"


def listens(port: int) -> bool:
    """Tell whether somebody accepts connections."""
    with socket.socket() as client:
        return client.connect_ex((LOOPBACK, port)) == 0


@pytest.fixture
def client() -> Iterator[requests.Session]:
    """Trust the authority of the tests."""
    with requests.Session() as session:
        session.trust_env = False  # REQUESTS_CA_BUNDLE would win
        session.verify = str(CERTIFICATES / "authority.pem")
        yield session


@pytest.mark.parametrize("path", CHATS)
def test_a_call_is_answered_over_tls(nginx: str, client: requests.Session, path: str) -> None:
    answer = client.post(nginx + path, json=good_body(path), timeout=PATIENCE)

    assert answer.status_code == 200
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not any(sign.isdigit() for sign in answer.headers["Server"])


def test_the_service_knows_that_its_client_speaks_tls(nginx: str, client: requests.Session) -> None:
    page = client.get(f"{nginx}/", timeout=PATIENCE)

    assert f"{nginx}/v1" in page.text  # with the port


def test_events_leave_nginx_as_they_come(
    nginx: str, client: requests.Session, module_upstream: ScriptedUpstream
) -> None:
    reply = Gated([frame(HELLO), frame("[DONE]")])
    module_upstream.script(reply)
    reply.let_go()
    body = good_body(COMPLETIONS) | {"stream": True}

    with client.post(nginx + COMPLETIONS, json=body, timeout=PATIENCE, stream=True) as answer:
        pieces = answer.iter_content(None)
        assert b"Hel" in next(pieces)
        reply.let_go()
        assert b"data: " in b"".join(pieces)


@pytest.mark.parametrize("path", CHATS)
@pytest.mark.parametrize("is_chunked", [False, True], ids=["known length", "chunked"])
def test_a_body_that_nginx_refuses_is_told_the_service_s_limit(
    nginx: str, client: requests.Session, path: str, *, is_chunked: bool
) -> None:
    body = b" " * (MAX_BODY_BYTES + 1)
    sent = iter([body]) if is_chunked else body

    answer = client.post(nginx + path, data=sent, headers=dict([JSON_TYPE]), timeout=PATIENCE)

    refusal = read_refusal(path, answer.status_code, with_both_ids(answer), answer.content)
    assert refusal.verdict == (413, "VALIDATION_ERROR", "body_too_large", False)
    assert f"at most {MAX_BODY_BYTES >> 20} MiB" in refusal.message


@pytest.mark.parametrize("path", CHATS)
def test_a_body_of_exactly_the_limit_is_read_by_the_service(
    nginx: str, client: requests.Session, path: str
) -> None:
    body = json.dumps(good_body(path)).encode().ljust(MAX_BODY_BYTES)

    answer = client.post(nginx + path, data=body, headers=dict([JSON_TYPE]), timeout=PATIENCE)

    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/images/generate", "/v1/images/generations"])
def test_pictures_may_make_a_body_larger(nginx: str, client: requests.Session, path: str) -> None:
    sizes = (MAX_BODY_BYTES + 1, MAX_PICTURES_BODY_BYTES + 1)

    answers = [
        client.post(
            nginx + path,
            data=b'{"prompt": ""}'.ljust(size),
            headers=dict([JSON_TYPE]),
            timeout=PATIENCE,
        )
        for size in sizes
    ]

    assert [answer.status_code for answer in answers] == [400, 413]
    refusal = read_refusal(path, 413, with_both_ids(answers[1]), answers[1].content)
    assert f"at most {MAX_PICTURES_BODY_BYTES >> 20} MiB" in refusal.message


@pytest.mark.parametrize("path", CHATS)
def test_what_nginx_refuses_itself_is_refused_in_json(
    nginx: str, client: requests.Session, path: str
) -> None:
    answer = client.post(nginx + path, headers={"X-Long": "x" * 9_000}, timeout=PATIENCE)

    refusal = read_refusal(path, answer.status_code, with_both_ids(answer), answer.content)
    assert refusal.verdict == (400, "VALIDATION_ERROR", "bad_request", False)


@pytest.mark.parametrize(
    ("rest", "status"), [("%zz", 400), ("x" * 9_000, 414)], ids=["no hexadecimal", "too long"]
)
@pytest.mark.parametrize("path", CHATS)
def test_an_address_that_nginx_cannot_read_is_refused_in_json(
    nginx: str, path: str, rest: str, status: int
) -> None:
    host, port = nginx.removeprefix("https://").split(":")
    context = ssl.create_default_context(cafile=CERTIFICATES / "authority.pem")
    # A session of requests would write %25zz.
    connection = http.client.HTTPSConnection(host, int(port), timeout=PATIENCE, context=context)
    with closing(connection):
        connection.request("GET", f"{path}/{rest}")
        answer = connection.getresponse()
        refusal = read_refusal(path, answer.status, with_both_ids(answer), answer.read())

    assert refusal.verdict == (status, "VALIDATION_ERROR", "bad_request", False)


def test_http_on_the_port_of_tls_is_refused_in_json(nginx: str, client: requests.Session) -> None:
    answer = client.get(nginx.replace("https", "http") + "/v1/models", timeout=PATIENCE)

    refusal = read_refusal(CHATS[1], answer.status_code, with_both_ids(answer), answer.content)
    assert refusal.verdict == (400, "VALIDATION_ERROR", "bad_request", False)


def test_no_header_gives_a_client_behind_nginx_a_fresh_limit(
    tmp_path: Path, upstream: ScriptedUpstream, client: requests.Session
) -> None:
    names = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP")
    faked = [dict.fromkeys(names, f"192.0.2.{n}") for n in range(LIMIT + 3)]

    with behind_nginx(tmp_path, upstream, f"{LIMIT}/hour") as (_, url):
        answers = [client.get(f"{url}/v1/models", headers=one, timeout=PATIENCE) for one in faked]

    assert [answer.status_code for answer in answers] == [200] * LIMIT + [429] * 3


def test_a_service_that_is_away_is_told_in_json(
    tmp_path: Path, upstream: ScriptedUpstream, client: requests.Session
) -> None:
    with behind_nginx(tmp_path, upstream, "1000/hour") as (service, url):
        service.terminate(PATIENCE)
        answers = [client.post(url + path, json={}, timeout=PATIENCE) for path in CHATS]

    for path, answer in zip(CHATS, answers, strict=True):
        refusal = read_refusal(path, answer.status_code, with_both_ids(answer), answer.content)
        assert refusal.verdict == (502, "SERVICE_ERROR", "service_unreachable", True)
        assert answer.headers["Retry-After"] == "1"


def with_both_ids(answer: requests.Response | http.client.HTTPResponse) -> dict[str, str]:
    """Return the headers of nginx's own answer, which has the id under one name only."""
    headers = {name: answer.headers[name] for name in ("Content-Type", "x-request-id")}
    return {**headers, "request-id": headers["x-request-id"]}
