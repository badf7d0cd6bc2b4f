"""Large work is done a piece a turn, and everything else has the turns between."""

import base64
import binascii
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.runtime.turns import LARGE_WORK, base64_decoded, base64_encoded, gathered
from tests.support.service import REPOSITORY_ROOT

SIZE = LARGE_WORK.piece_bytes
PACKAGE = REPOSITORY_ROOT / "llm_api"
PATCHED = """
from gevent import monkey
monkey.patch_all()
import gevent
"""
# Three workers with ten pieces each, and one that counts the turns which are left to it.
WORKERS = """
from llm_api.runtime.turns import Turns

turns, done = Turns(), []

def work(name):
    for _ in range(10):
        turns.wait()
        done.append(name)

def other():
    while len([one for one in done if one != "other"]) < 30:
        done.append("other")
        gevent.sleep(0)

gevent.joinall([*(gevent.spawn(work, name) for name in "abc"), gevent.spawn(other)])
text = "".join(one[0] for one in done)
print(max(map(len, text.split("o"))))
"""
# A socket has something at once, again and again; how many pieces are done before it is asked?
SOCKET = """
from gevent.socket import socketpair, wait_read
from llm_api.runtime.turns import Turns

turns, pieces, most = Turns(), 0, 0
near, far = socketpair()

def work():
    global pieces
    for _ in range(500):
        turns.wait()
        pieces += 1

def call():
    global most
    for _ in range(20):
        near.send(b"x")
        before = pieces
        wait_read(far.fileno())
        far.recv(1)
        most = max(most, pieces - before)

gevent.joinall([gevent.spawn(work), gevent.spawn(call)])
print(most)
"""
# One that waits is ended; the next one still has its turn.
ENDED = """
from llm_api.runtime.turns import Turns

turns, done = Turns(), []

def work(name):
    turns.wait()
    done.append(name)

one, other = gevent.spawn(work, "one"), gevent.spawn(work, "other")
gevent.sleep(0)
one.kill(block=False)
gevent.joinall([one, other], timeout=10)
print(len(done))
"""
# Counts how often another greenlet has its turn while something is done.
BESIDE = """
import io, os
from functools import partial

from llm_api.runtime.turns import LARGE_WORK, base64_decoded, base64_encoded, gathered

count, is_over = 0, False

def other():
    global count
    while not is_over:
        count += 1
        gevent.sleep(0)

def beside(work):
    global is_over
    gevent.sleep(0)
    work()
    is_over = True

data = os.urandom(LARGE_WORK.piece_bytes * 20)
{setup}
gevent.joinall([gevent.spawn(other), gevent.spawn(beside, {work})])
print(count)
"""
# Whatever is done with the bytes of pictures in a worker: what does it, and what that needs first.
LARGE: dict[str, str | tuple[str, str]] = {
    "base64 that is decoded": "partial(base64_decoded, base64_encoded(data))",
    "base64 that is encoded": "partial(base64_encoded, data)",
    "pieces that become one": "partial(gathered, [data], len(data))",
    "an answer with a picture": (
        "from llm_api.upstream.media.long_texts import read_json",
        "partial(read_json, b'[\"' + base64_encoded(data) + b'\"]')",
    ),
    "a request with a picture": (
        "from llm_api.upstream.media.long_texts import written",
        "partial(written, [base64_encoded(data)])",
    ),
    "a form with a picture": (
        """
from llm_api.upstream.media.protocols.multipart import Form
form = Form()
form.add_file("image", "a.png", "image/png", data)
""",
        "form.body",
    ),
    "a data URI": (
        """
from llm_api.web.making.picture_bodies import Inline
from llm_api.web.making.picture_sources import bytes_of
picture = Inline("data:image/png;base64," + base64_encoded(data).decode())
""",
        "partial(bytes_of, picture, 'image', 2 * len(data))",
    ),
    "an upload": (
        """
from llm_api.web.making.picture_bodies import Upload
upload = Upload(io.BytesIO(data), len(data))
""",
        "upload.read",
    ),
    "the body of an answer": (
        """
from llm_api.upstream.http.framing import ResponseHead
from llm_api.upstream.http.response_body import RawBody, UpstreamResponse
from llm_api.upstream.http.large_body import read_large_body

class Socket:
    def __init__(self):
        self.file = io.BytesIO(data)
    def recv(self, size):
        return self.file.read(size)

head = ResponseHead(200, [], len(data), False, False, False)
response = UpstreamResponse(head, RawBody(Socket(), head))
""",
        "partial(read_large_body, response, len(data))",
    ),
    "the pixels of a JPEG": (
        """
from tests.support.pictures import picture
from llm_api.pictures.headers import read_facts
whole = picture("JPEG")
end = whole.rindex(b"\\xff\\xd9")
long = whole[:end] + data.replace(b"\\xff", b"a") * 4 + whole[end:]
""",
        "partial(read_facts, long)",
    ),
}


def output_of(program: str) -> int:
    ran = subprocess.run(
        [sys.executable, "-c", PATCHED + program],
        cwd=REPOSITORY_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(ran.stdout)


def test_no_turn_of_the_loop_has_two_pieces() -> None:
    assert output_of(WORKERS) == 1


def test_nothing_else_takes_sleep_for_a_turn() -> None:
    # A body of two pieces at most may; it waits for no picture.
    sleeping = {path for path in PACKAGE.rglob("*.py") if "sleep(0)" in path.read_text("utf-8")}

    assert sleeping == {PACKAGE / "runtime" / "turns.py", PACKAGE / "web" / "request" / "body.py"}


def test_sockets_are_asked_between_two_pieces() -> None:
    assert output_of(SOCKET) <= 2


def test_who_is_ended_while_it_waits_holds_up_nobody() -> None:
    assert output_of(ENDED) == 1


@pytest.mark.parametrize("case", LARGE.values(), ids=list(LARGE))
def test_others_have_their_turns_between_the_pieces(case: str | tuple[str, str]) -> None:
    setup, work = ("", case) if isinstance(case, str) else case

    assert output_of(BESIDE.format(setup=setup, work=work)) >= 15


@given(st.binary(max_size=50), st.integers(0, 2), st.binary(max_size=9))
def test_base64_is_that_of_the_library(data: bytes, times: int, prefix: bytes) -> None:
    data += bytes(times * (SIZE - 10))

    text = base64_encoded(data, prefix)

    assert text == prefix + base64.b64encode(data)
    assert base64_decoded(text[len(prefix) :]) == data


def test_base64_in_lines_is_decoded() -> None:
    data = bytes(range(256)) * 3_000

    assert base64_decoded(base64.encodebytes(data)) == data


@pytest.mark.parametrize("is_strict", [False, True])
@pytest.mark.parametrize("end", [b"Q", b"QQ", b"QQ=", b"QUJDQ"])
def test_base64_that_is_cut_off_is_none(end: bytes, *, is_strict: bool) -> None:
    with pytest.raises(binascii.Error):
        base64_decoded(b"QUJD" * SIZE + end, is_strict=is_strict)


@pytest.mark.parametrize("wrong", [b"\n", b" ", b"QQ==", b"-", b"\xff"])
@pytest.mark.parametrize("place", [0, 5, SIZE - 4, SIZE, 2 * SIZE + 8])
def test_strict_base64_has_nothing_else_in_it(wrong: bytes, place: int) -> None:
    text = b"QUJD" * SIZE
    with pytest.raises(binascii.Error):
        base64_decoded(text[:place] + wrong + text[place:], is_strict=True)


@pytest.mark.parametrize("length", [0, 7, 3 * SIZE])
def test_the_length_of_pieces_is_a_guess(length: int) -> None:
    assert gathered([b"a" * SIZE, b"b"], length) == b"a" * SIZE + b"b"
