"""Links are followed where they may be, and nowhere else."""

import errno
import gzip
import io
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from llm_api.runtime.deadlines import DeadlineWatcher
from llm_api.upstream.http.resolver import Resolver
from llm_api.upstream.media.fetching import MAX_REDIRECTS, PAUSES_S, LinkClient, result_error
from llm_api.upstream.media.links import LinkFailed, LinkPolicy
from tests.support.ports import LOOPBACK, closed_port
from tests.support.replies import (
    Reply,
    Whole,
    close_before_answer,
    dribble,
    gzip_bomb,
    hang,
    raw_reply,
    redirect,
    reset_before_answer,
)
from tests.support.tls import TlsUpstream
from tests.support.upstream import ScriptedUpstream
from tests.support.wire import response_bytes
from tests.upstream.conftest import SELF_SIGNED

PRIVATE = "127.0.0.2"  # of this machine, too; the tests say which of its addresses are public
METADATA = "169.254.169.254"
CAT = bytes(range(256)) * 3_000
POLICY = LinkPolicy(max_bytes=1 << 20, timeout=20.0, hosts=("cdn.test", "*.cdn.test"))
LinkClientOf = Callable[..., LinkClient]


class Names:
    """A name server that gives each name its addresses, from one look-up to the next."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        """Give the answers; every other name is the loopback address's."""
        self._answers = {name.replace("_", "."): list(found) for name, found in answers.items()}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, **_: Any) -> list[Any]:
        """Answer as `socket.getaddrinfo` does."""
        self.asked.append(host)
        answers = self._answers.get(host, [[LOOPBACK]])
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(0, 0, 0, "", (address, port)) for address in found]


class Watched:
    """A port of the private address, at which nobody may knock."""

    def __init__(self) -> None:
        """Listen."""
        self._listener = socket.create_server((PRIVATE, 0))
        self.port = self._listener.getsockname()[1]

    @property
    def was_reached(self) -> bool:
        """Whether anybody has connected."""
        self._listener.settimeout(0)
        try:
            self._listener.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()


@pytest.fixture
def private() -> Iterator[Watched]:
    """Listen where nobody may connect to."""
    watched = Watched()
    yield watched
    watched.close()


def good(body: bytes = CAT, **headers: str) -> Reply:
    """Answer with a picture."""
    return Whole(response_bytes(200, body, [("Content-Type", "image/png"), *headers.items()]))


def client_of(watch: DeadlineWatcher, names: Names | None = None, **options: Any) -> LinkClient:
    """Make a client to which the loopback address is public, and all others are private."""
    usual: dict[str, Any] = {
        "resolver": Resolver(names or Names()),
        "reaches": lambda address: address == LOOPBACK,
        "sleep": lambda _: None,
    }
    return LinkClient(watch, **{**usual, **options})


@pytest.fixture
def client(watch: DeadlineWatcher) -> LinkClient:
    """Make a client to which every name is the scripted server's."""
    return client_of(watch)


def link_to(
    server: ScriptedUpstream, path: str = "/a.png?sig=%2B&x=1", host: str = "cdn.test"
) -> str:
    """Write a link to the server under a name."""
    return f"http://{host}:{server.port}{path}"


def failure(client: LinkClient, url: str, policy: LinkPolicy = POLICY) -> tuple[str, str]:
    """Return what becomes of a link that is not fetched: the defect, and the clause."""
    with pytest.raises(LinkFailed) as caught:
        client.fetch(url, policy)
    assert "test" not in caught.value.problem
    assert LOOPBACK not in caught.value.problem
    return caught.value.defect, caught.value.problem


# --- what is fetched ---


def test_a_picture_is_fetched_as_its_link_says(
    client: LinkClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(good())

    assert client.fetch(link_to(upstream), POLICY) == CAT

    (request,) = upstream.requests
    assert (request.method, request.path) == ("GET", "/a.png?sig=%2B&x=1")
    assert request.header("Host") == f"cdn.test:{upstream.port}"
    assert request.header("Accept-Encoding") == "identity"
    assert request.header("Authorization") is None


@pytest.mark.parametrize(
    "payload",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ncat\r\n2\r\ns!\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\ncats!",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\ncats! and more",
    ],
    ids=["chunks", "until the end", "more than its length"],
)
def test_bodies_of_every_framing_are_read(
    client: LinkClient, upstream: ScriptedUpstream, payload: bytes
) -> None:
    upstream.script(raw_reply(payload))

    assert client.fetch(link_to(upstream), POLICY) == b"cats!"


def test_a_body_that_comes_compressed_is_inflated(
    client: LinkClient, upstream: ScriptedUpstream
) -> None:
    encoded = [("Content-Encoding", "gzip")]
    upstream.script(Whole(response_bytes(200, gzip.compress(CAT), encoded)))

    assert client.fetch(link_to(upstream), POLICY) == CAT


class Full(io.BytesIO):
    """A file that takes so many pieces, and remembers how long the longest was."""

    def __init__(self, pieces: int) -> None:
        """Be empty."""
        super().__init__()
        self.longest = 0
        self._left = pieces

    def write(self, data: Any, /) -> int:
        """Write, while there is room."""
        self._left -= 1
        if self._left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.longest = max(self.longest, len(data))
        return super().write(data)

    def writelines(self, pieces: Any, /) -> None:
        """Write them one by one."""
        for piece in pieces:
            self.write(piece)


def test_a_file_that_takes_no_more_is_no_fault_of_the_server(
    client: LinkClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(good())

    with pytest.raises(OSError, match="No space left"):
        client.fetch_into(link_to(upstream), POLICY, Full(1))

    assert len(upstream.requests) == 1


def test_a_body_that_comes_compressed_is_never_whole_in_memory(
    client: LinkClient, upstream: ScriptedUpstream
) -> None:
    film, file = bytes(1 << 20), Full(1 << 20)
    upstream.script(Whole(response_bytes(200, gzip.compress(film), [("Content-Encoding", "gzip")])))

    client.fetch_into(link_to(upstream), POLICY, file)

    assert file.getvalue() == film
    assert file.longest < len(film) / 4


def test_tls_is_verified(watch: DeadlineWatcher) -> None:
    with TlsUpstream(SELF_SIGNED) as server:
        url = f"https://localhost:{server.port}/a.png"
        policy = replace(POLICY, hosts=None)
        server.script(good())

        assert client_of(watch, ca_file=str(SELF_SIGNED)).fetch(url, policy) == CAT
        assert failure(client_of(watch), url, policy) == (
            "failed",
            "could not be fetched: its server's certificate is not valid.",
        )


# --- where it leads ---


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("http://other.example/a.png", POLICY.hosts),
        ("http://xcdn.test/a.png", POLICY.hosts),
        ("http://cdn.test.other.example/a.png", POLICY.hosts),
        ("ftp://cdn.test/a.png", POLICY.hosts),
        ("file:///etc/passwd", POLICY.hosts),
        ("//cdn.test/a.png", POLICY.hosts),
        ("http://user@cdn.test/a.png", POLICY.hosts),
        ("http://cdn.test\\@other.example/a.png", POLICY.hosts),
        ("http://cdn.test/a\r\nX: y", POLICY.hosts),
        ("http://cdn.test:99999/", POLICY.hosts),
        ("http:///a.png", POLICY.hosts),
        ("http://[::1/a.png", POLICY.hosts),
        ("http://cdn.test/" + "a" * 9_000, POLICY.hosts),
        ("http://cdn.test/a.png", None),
    ],
)
def test_other_links_are_refused_before_a_name_is_looked_up(
    watch: DeadlineWatcher, url: str, hosts: tuple[str, ...] | None
) -> None:
    names = Names()

    defect, _ = failure(client_of(watch, names), url, replace(POLICY, hosts=hosts))

    assert defect == "refused"
    assert names.asked == []


@pytest.mark.parametrize("host", ["cdn.test", "A.CDN.test", "a.b.cdn.test", "cdn.test."])
def test_hosts_of_the_list_are_followed(
    client: LinkClient, upstream: ScriptedUpstream, host: str
) -> None:
    upstream.script(good())

    assert client.fetch(link_to(upstream, host=host), POLICY) == CAT


@pytest.mark.parametrize(
    "addresses", [[PRIVATE], [PRIVATE, "::1", METADATA]], ids=["one", "several"]
)
def test_a_host_with_private_addresses_is_refused_before_connecting(
    watch: DeadlineWatcher, private: Watched, addresses: list[str]
) -> None:
    client = client_of(watch, Names(cdn_test=[addresses]))

    assert failure(client, f"http://cdn.test:{private.port}/") == (
        "refused",
        "must be the address of a public host.",
    )
    assert not private.was_reached


def test_of_public_and_private_addresses_the_public_ones_are_used(
    watch: DeadlineWatcher, upstream: ScriptedUpstream
) -> None:
    upstream.script(good())
    client = client_of(watch, Names(cdn_test=[[PRIVATE, METADATA, LOOPBACK]]))

    assert client.fetch(link_to(upstream), POLICY) == CAT


def test_a_name_is_looked_up_once_a_connection_and_cannot_become_private_in_between(
    watch: DeadlineWatcher, upstream: ScriptedUpstream
) -> None:
    names = Names(cdn_test=[[LOOPBACK], [PRIVATE]])
    upstream.script(good())

    assert client_of(watch, names).fetch(link_to(upstream), POLICY) == CAT
    assert names.asked == ["cdn.test"]


def test_a_name_that_has_become_private_is_refused_at_the_next_connection(
    watch: DeadlineWatcher, private: Watched
) -> None:
    with ScriptedUpstream(port=private.port) as server:
        server.script(redirect(302, "/b.png"))
        client = client_of(watch, Names(cdn_test=[[LOOPBACK], [PRIVATE]]))

        assert failure(client, link_to(server))[0] == "refused"

    assert not private.was_reached


@pytest.mark.parametrize("host", [PRIVATE, f"[::ffff:{PRIVATE}]", "localhost"])
def test_a_link_to_a_private_address_is_refused(
    watch: DeadlineWatcher, private: Watched, host: str
) -> None:
    client = client_of(watch, Names(localhost=[[PRIVATE]]), ca_file=str(SELF_SIGNED))
    policy = replace(POLICY, hosts=None)

    assert failure(client, f"https://{host}:{private.port}/", policy)[0] == "refused"
    assert not private.was_reached


# --- redirects ---


def test_redirects_are_followed(client: LinkClient, upstream: ScriptedUpstream) -> None:
    elsewhere = link_to(upstream, "/c.png", "a.cdn.test")
    upstream.script(redirect(301, "/b.png"), redirect(307, elsewhere), redirect(303, "d?e"), good())

    assert client.fetch(link_to(upstream), POLICY) == CAT

    assert [request.path for request in upstream.requests][1:] == ["/b.png", "/c.png", "/d?e"]


def test_too_many_redirects_are_not_followed(
    client: LinkClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(*[redirect(302, "/again")] * (MAX_REDIRECTS + 1), good())

    assert failure(client, link_to(upstream)) == ("failed", "redirects too often.")
    assert len(upstream.requests) == MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    "target",
    [
        f"http://{METADATA}/latest/meta-data/",
        f"http://{PRIVATE}/",
        "http://other.example/",
        "file:///etc/passwd",
        "gopher://cdn.test/",
        "//user@cdn.test/",
    ],
)
@pytest.mark.parametrize("hosts", [POLICY.hosts, None], ids=["listed", "any"])
def test_a_redirect_to_where_no_link_may_lead_is_refused(
    watch: DeadlineWatcher,
    target: str,
    hosts: tuple[str, ...] | None,
) -> None:
    with TlsUpstream(SELF_SIGNED) as server:
        server.script(redirect(302, target), good())
        names = Names(other_example=[[PRIVATE]])
        client = client_of(watch, names, ca_file=str(SELF_SIGNED))
        policy = replace(POLICY, hosts=hosts and ("localhost",))

        assert failure(client, f"https://localhost:{server.port}/", policy)[0] == "refused"
        assert len(server.requests) == 1
        assert METADATA not in names.asked


def test_a_redirect_to_the_metadata_of_a_cloud_is_refused_for_everybody(
    watch: DeadlineWatcher,
) -> None:
    """Also where private addresses are allowed, and over https."""
    with TlsUpstream(SELF_SIGNED) as server:
        server.script(redirect(302, f"https://{METADATA}/latest/meta-data/"))
        client = client_of(watch, ca_file=str(SELF_SIGNED))
        policy = replace(POLICY, hosts=None, allows_private=True)

        assert failure(client, f"https://localhost:{server.port}/", policy)[0] == "refused"


# --- an upstream's own links ---


def test_an_upstream_s_own_links_are_followed_wherever_it_is(watch: DeadlineWatcher) -> None:
    host = "model.lan"
    client = client_of(watch, Names(model_lan=[[PRIVATE]]), reaches=lambda _: False)
    with closed_port() as port:
        near = replace(POLICY, near=(f"http://{host}:{port}/v1",))

        assert failure(client, f"http://{host}:{port}/files/a.png", near)[0] == "failed"
        assert failure(client, f"http://{host}:{port}/files/a.png")[0] == "refused"
        assert failure(client, f"https://{host}:{port}/a.png", near)[0] == "refused"
        assert failure(client, f"http://{host}:{port - 1}/", near)[0] == "refused"


@pytest.mark.parametrize("host", [LOOPBACK, "localhost"])
def test_an_upstream_of_this_machine_may_link_to_its_other_ports(
    watch: DeadlineWatcher, upstream: ScriptedUpstream, host: str
) -> None:
    upstream.script(good())
    client = client_of(watch, reaches=lambda _: False)
    near = replace(POLICY, near=("http://127.0.0.1:1/v1",))

    assert client.fetch(link_to(upstream, host=host), near) == CAT
    assert failure(client, f"http://model.lan:{upstream.port}/", near)[0] == "refused"


def test_an_upstream_elsewhere_may_not_link_to_this_machine(
    watch: DeadlineWatcher, upstream: ScriptedUpstream
) -> None:
    client = client_of(watch, reaches=lambda _: False)
    near = replace(POLICY, near=("https://api.example/v1",))

    assert failure(client, link_to(upstream, host=LOOPBACK), near)[0] == "refused"
    assert upstream.requests == []


# --- bounds ---


@pytest.mark.parametrize(
    "reply",
    [
        good(b"x" * ((1 << 20) + 1)),
        raw_reply(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\nx"),
        raw_reply(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (3 << 20)),
        gzip_bomb(64 << 20),
        gzip_bomb(64 << 20, layers=2),
    ],
    ids=["length", "length alone", "endless", "bomb", "bomb in a bomb"],
)
def test_a_body_over_the_cap_is_given_up(
    client: LinkClient, upstream: ScriptedUpstream, reply: Reply
) -> None:
    upstream.script(reply)

    assert failure(client, link_to(upstream)) == ("too_large", "must lead to at most 1 MiB.")
    assert len(upstream.requests) == 1


def test_a_body_of_the_cap_is_fetched(client: LinkClient, upstream: ScriptedUpstream) -> None:
    upstream.script(good(b"x" * (1 << 20)))

    assert len(client.fetch(link_to(upstream), POLICY)) == 1 << 20


@pytest.mark.parametrize(
    "reply",
    [hang(30), dribble(response_bytes(200, CAT), 0.05)],
    ids=["silence", "a byte at a time"],
)
def test_a_slow_server_is_given_up_at_the_deadline(
    client: LinkClient, upstream: ScriptedUpstream, reply: Reply
) -> None:
    upstream.script(reply)

    assert failure(client, link_to(upstream), replace(POLICY, timeout=0.5)) == (
        "failed",
        "could not be fetched in time.",
    )


# --- repeats ---

LOST = [
    close_before_answer(),
    reset_before_answer(),
    Whole(response_bytes(500)),
    Whole(response_bytes(503)),
    Whole(response_bytes(429)),
    raw_reply(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"),
    raw_reply(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"),
    raw_reply(b"no http\r\n\r\n"),
]


@pytest.mark.parametrize("reply", LOST, ids=range(len(LOST)))
def test_what_may_pass_is_tried_again(
    watch: DeadlineWatcher, upstream: ScriptedUpstream, reply: Reply
) -> None:
    slept: list[float] = []
    upstream.script(reply, reply, good())

    assert client_of(watch, sleep=slept.append).fetch(link_to(upstream), POLICY) == CAT
    assert slept == list(PAUSES_S)


@pytest.mark.parametrize("reply", LOST, ids=range(len(LOST)))
def test_what_does_not_pass_is_given_up(
    client: LinkClient, upstream: ScriptedUpstream, reply: Reply
) -> None:
    upstream.script(*[reply] * 4)

    assert failure(client, link_to(upstream))[0] == "failed"
    assert len(upstream.requests) == len(PAUSES_S) + 1


@pytest.mark.parametrize(
    ("status", "defect"),
    [
        (403, "gone"),
        (404, "gone"),
        (410, "gone"),
        (400, "failed"),
        (401, "failed"),
        (204, "failed"),
    ],
)
def test_what_does_not_pass_by_itself_is_not_tried_again(
    client: LinkClient, upstream: ScriptedUpstream, status: int, defect: str
) -> None:
    upstream.script(Whole(response_bytes(status)))

    assert failure(client, link_to(upstream))[0] == defect
    assert len(upstream.requests) == 1


def test_a_server_that_is_away_is_tried_again(watch: DeadlineWatcher) -> None:
    slept: list[float] = []
    client = client_of(watch, sleep=slept.append)
    with closed_port() as port:
        assert failure(client, f"http://cdn.test:{port}/") == (
            "failed",
            "could not be fetched: its server is not reached.",
        )
    assert slept == list(PAUSES_S)


# --- errors of results ---


def test_a_result_that_has_expired_or_is_lost_was_paid_for() -> None:
    expired = result_error(LinkFailed("leads to nothing.", "gone"))
    lost = result_error(LinkFailed("is of a host that is not known.", "refused"))

    assert (expired.status, expired.reason) == (410, "result_expired")
    assert (lost.status, lost.reason) == (502, "result_download_failed")
    assert expired.may_have_charged
    assert lost.may_have_charged
    assert not lost.retryable


# --- posting ---


def test_a_post_is_sent_once_and_its_status_returned(
    client: LinkClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(Whole(response_bytes(500)), redirect(302, "/elsewhere"))
    headers = {"Content-Type": "application/json", "webhook-id": "msg_1"}

    statuses = [client.post(link_to(upstream, "/hook"), b'{"a":1}', headers, POLICY) for _ in "ab"]

    assert statuses == [500, 302]
    assert len(upstream.requests) == 2
    request = upstream.requests[0]
    assert (request.method, request.path, request.body) == ("POST", "/hook", b'{"a":1}')
    assert request.header("webhook-id") == "msg_1"


def test_a_post_to_a_private_address_is_refused_unless_that_is_allowed(
    watch: DeadlineWatcher, private: Watched
) -> None:
    client = client_of(watch)
    policy = replace(POLICY, hosts=None)
    for scheme in ("http", "https"):
        with pytest.raises(LinkFailed):
            client.post(f"{scheme}://{PRIVATE}:{private.port}/", b"{}", {}, policy)
    assert not private.was_reached

    with ScriptedUpstream() as server:
        server.script(Whole(response_bytes(204)))
        allowed = replace(policy, allows_private=True)
        nobody = client_of(watch, reaches=lambda _: False)

        assert nobody.post(f"http://{LOOPBACK}:{server.port}/", b"{}", {}, allowed) == 204
