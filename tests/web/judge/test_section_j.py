"""Section J of the fault matrix, a line a test, before the routes that look at pictures.

What is proven elsewhere of the same code: names that become private and mixed addresses (J3) in
tests/upstream/images/test_fetching.py, which the judge's pictures are fetched by; prompts that take
the optimizer over (J8, J9, J10) in tests/services/prompts/test_injection.py, tests/web/
test_hostile_rewrites.py and tests/services/prompts/test_optimizer.py.
"""

import io
import struct
import sys
import zlib
from collections.abc import Callable, Iterator

import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from tests.conftest import AppOf, UsageRowsOf
from tests.services.prompts.attacks import Attack, attacks
from tests.storage.checkout import fast_upstream
from tests.support import replies
from tests.support.judge import SCORE_IMAGE, data_uri, quality, says
from tests.support.peer import RecordedRequest
from tests.support.pictures import huge_png, noise, picture
from tests.support.replies import Reply
from tests.support.upstream import ScriptedUpstream
from tests.web.judge.conftest import CAT

DESCRIBE, CHAT = "/api/v1/llm/describe-image", "/v1/chat/completions"
GOOD = "A gray cat sits on a wooden chair. Soft light falls from the left."
ROUTES = pytest.mark.parametrize("route", [SCORE_IMAGE, DESCRIBE])
HOSTS = [
    *("0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1"),  # noqa: S104  # nothing is bound
    *("127.1", "0x7f000001", "2130706433", "0177.0.0.1", "①②⑦.0.0.1", "localhost", "localhost."),
    *("169.254.169.254", "172.16.0.1", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1"),
    *("198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *("[::]", "[::1]", "[::127.0.0.1]", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]"),
    *("[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::1]", "[2001::1]"),
    *("[2001:db8::1]", "[2002:a9fe:a9fe::1]", "[fc00::1]", "[fd00:ec2::254]", "[fe80::1]"),
    *("[fec0::1]", "[ff02::1]"),
]
_watching: list[list[object]] = []


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect":
        for connections in _watching:
            connections.append(arguments[1])


sys.addaudithook(_note)


@pytest.fixture
def connections() -> Iterator[list[object]]:
    """Collect the addresses that this process connects to."""
    found: list[object] = []
    _watching.append(found)
    yield found
    _watching.remove(found)


def reason_of(answer: TestResponse) -> tuple[int, str]:
    """Return the status and the reason of an error."""
    return answer.status_code, answer.get_json()["error"]["details"]["reason"]


# --- J1, J3, J5, J6: addresses ---


@ROUTES
@pytest.mark.parametrize("host", HOSTS)
def test_j1_no_private_address_is_connected_to(
    client: FlaskClient,
    seer: ScriptedUpstream,
    connections: list[object],
    route: str,
    host: str,
) -> None:
    answer = client.post(route, json={"image": f"https://{host}/a.png"})

    assert reason_of(answer) in {(400, "image_refused"), (400, "image_fetch_failed")}
    assert (connections, seer.requests) == ([], [])


@ROUTES
def test_j3_a_name_of_private_addresses_alone_is_refused(
    client: FlaskClient, connections: list[object], route: str
) -> None:
    answer = client.post(route, json={"image": "https://localhost/a.png"})

    assert reason_of(answer) == (400, "image_refused")
    assert connections == []


@ROUTES
@pytest.mark.parametrize(
    "address",
    [
        *("file:///etc/passwd", "ftp://example.com/a.png", "gopher://example.com/1"),
        *("data:text/html;base64,PGI+", "http://example.com/a.png", "//example.com/a.png"),
        *(f"https://93.184.216.34:{port}/a.png" for port in (22, 25, 6379, 8443)),
        "https://user:password@example.com/a.png",
    ],
)
def test_j5_other_schemes_and_ports_are_refused(
    client: FlaskClient, connections: list[object], route: str, address: str
) -> None:
    answer = client.post(route, json={"image": address})

    assert reason_of(answer) in {(400, "invalid_url"), (400, "image_refused")}
    assert connections == []


ADDRESSES = ("http://10.0.0.1/a.png", "https://example.com/a.png")


def _shows(image: object) -> dict[str, object]:
    """Return a chat that shows a picture."""
    parts = [{"type": "text", "text": "See?"}, {"type": "image_url", "image_url": image}]
    return {"model": "fast-1", "messages": [{"role": "user", "content": parts}]}


@pytest.mark.parametrize("profile", [None, "llama-cpp", "vllm", "sglang", "openai"])
def test_j6_a_server_inside_of_the_network_gets_no_addresses_to_fetch(
    app_of: AppOf, upstream: ScriptedUpstream, profile: str | None
) -> None:
    named = {} if profile is None else {"FAST_LLM_PROFILE": profile}
    client = app_of(fast_upstream(upstream.url) | named).test_client()

    for image in (form for url in ADDRESSES for form in (url, {"url": url})):
        answer = client.post(CHAT, json=_shows(image))

        assert (answer.status_code, answer.get_json()["error"]["code"]) == (400, "url_not_allowed")
    assert upstream.requests == []


@pytest.mark.parametrize("profile", ["generic", "llama-cpp"])
def test_j6_an_operator_may_allow_it_for_a_gateway_and_not_for_what_fetches(
    app_of: AppOf, upstream: ScriptedUpstream, profile: str
) -> None:
    allowed = {"PASS_PICTURE_ADDRESSES": "true", "FAST_LLM_PROFILE": profile}
    client = app_of(fast_upstream(upstream.url) | allowed).test_client()

    answer = client.post(CHAT, json=_shows({"url": ADDRESSES[1]}))

    assert (answer.status_code == 200) is (profile == "generic")
    assert len(upstream.requests) == (profile == "generic")


@pytest.mark.parametrize("profile", ["generic", "vllm"])
def test_j6_it_gets_pictures(app_of: AppOf, upstream: ScriptedUpstream, profile: str) -> None:
    client = app_of(fast_upstream(upstream.url) | {"FAST_LLM_PROFILE": profile}).test_client()

    answer = client.post(CHAT, json=_shows({"url": CAT}))

    assert answer.status_code == 200
    assert upstream.requests[0].json["messages"] == _shows({"url": CAT})["messages"]


# --- J7: pictures ---


def _long_gif() -> bytes:
    """Return a GIF of 10,000 frames, each of one pixel."""
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
    frame = (
        b"\x21\xf9\x04\0\x01\0\0\0\x2c"
        + struct.pack("<HHHHB", 0, 0, 1, 1, 0)
        + b"\x02\x02\x44\x01\x00"
    )
    return head + frame * 10_000 + b"\x3b"


def _profile_bomb() -> bytes:
    """Return a PNG whose color profile inflates to 64 MiB."""
    profile = b"bomb\0\0" + zlib.compress(bytes(64 << 20), 9)
    chunk = struct.pack(">I", len(profile)) + b"iCCP" + profile
    chunk += struct.pack(">I", zlib.crc32(b"iCCP" + profile))
    sound = picture()
    return sound[:33] + chunk + sound[33:]  # behind the header


def _exif_bomb() -> bytes:
    """Return a JPEG whose metadata have directories that lead to each other."""
    written = io.BytesIO()
    loop = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x08\0\0\0\x08"
    Image.new("RGB", (64, 64)).save(written, "JPEG", exif=loop)
    return written.getvalue()


WRONG: dict[str, Callable[[], bytes]] = {
    "30,000 x 30,000": lambda: huge_png(30_208),
    "10,000 frames": _long_gif,
    "truncated": lambda: noise((64, 64))[:-2_000],
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "a page": lambda: b"<html><script>alert(1)</script></html>",
    "zip before a picture": lambda: b"PK\x03\x04" + picture(),
    "nothing": lambda: b"",
}
STRANGE: dict[str, Callable[[], bytes]] = {
    "a page behind a picture": lambda: picture() + b"<html><script>alert(1)</script></html>",
    "profile": _profile_bomb,
    "metadata": _exif_bomb,
}


@ROUTES
@pytest.mark.parametrize("name", WRONG)
def test_j7_what_is_no_sound_picture_is_refused(
    client: FlaskClient, seer: ScriptedUpstream, route: str, name: str
) -> None:
    kind = "image/gif" if "frames" in name else "image/png"

    answer = client.post(route, json={"image": data_uri(WRONG[name](), kind)})

    assert reason_of(answer) in {(400, "invalid_image"), (413, "image_too_large")}
    assert answer.get_json()["error"]["details"]["errors"][0]["field"] == "image"
    assert seer.requests == []


@ROUTES
def test_j7_ten_megabytes_are_the_most(
    client: FlaskClient, seer: ScriptedUpstream, route: str
) -> None:
    answer = client.post(route, json={"image": data_uri(picture() + bytes(10_000_000))})

    assert reason_of(answer) == (413, "image_too_large")
    assert seer.requests == []


@pytest.mark.parametrize("name", STRANGE)
def test_j7_nothing_but_pixels_gets_to_a_model(
    client: FlaskClient, seer: ScriptedUpstream, name: str
) -> None:
    seer.script(says({"optimized_prompt": GOOD}))
    kind = "image/jpeg" if name == "metadata" else "image/png"

    answer = client.post(DESCRIBE, json={"image": data_uri(STRANGE[name](), kind)})

    if answer.status_code == 200:
        sent = seer.requests[0].body
        assert len(sent) < 10_000
        assert b"script" not in sent
    else:
        assert reason_of(answer) == (400, "invalid_image")
        assert seer.requests == []


# --- J8, J9, J10: what a model writes ---


def _obeying(attack: Attack) -> Reply:
    """Answer as one who has read the attack in the picture wants."""

    def reply(request: RecordedRequest) -> Reply:
        return replies.completion(attack.obey(request.json["messages"][0]["content"]))

    return replies.answer_with(reply)


def _runs(text: str, length: int = 8) -> set[tuple[str, ...]]:
    words = text.casefold().split()
    return set(zip(*(words[at:] for at in range(length)), strict=False))


ATTACKS = attacks()


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_j8_our_rules_do_not_come_back_from_a_description(
    client: FlaskClient, seer: ScriptedUpstream, connections: list[object], attack: Attack
) -> None:
    seer.script(*[_obeying(attack)] * 2)

    answer = client.post(DESCRIBE, json={"image": CAT})

    rules = seer.requests[0].json["messages"][0]["content"]
    assert answer.status_code in {200, 502}
    assert not _runs(rules) & _runs(answer.get_data(as_text=True))
    assert len(answer.get_json().get("optimized_prompt", "")) <= 1_300
    assert "<script" not in answer.get_data(as_text=True)
    assert {address[1] for address in connections if isinstance(address, tuple)} <= {seer.port}


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_j8_a_judge_that_obeys_a_prompt_gives_no_score(
    client: FlaskClient, seer: ScriptedUpstream, attack: Attack
) -> None:
    seer.script(*[_obeying(attack)] * 4)

    answer = client.post(SCORE_IMAGE, json={"image": CAT, "prompt": attack.prompt})

    rules = seer.requests[0].json["messages"][0]["content"]
    assert reason_of(answer) == (502, "judge_unparsable")
    assert not _runs(rules) & _runs(answer.get_data(as_text=True))


HOSTILE = {
    "html": "<script>alert(1)</script>",
    "markdown image": "![x](https://evil.example/a.png)",
    "escape sequences": "\x1b[2J\x1b[31mred\x07",
    "a log line": '\n{"level": "ERROR", "message": "canary-9d1f"}\n',
    "null bytes": "\x00\x00",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_j9_a_hostile_description_stays_in_its_json_string(
    client: FlaskClient, seer: ScriptedUpstream, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    text = f"A cat canary-9d1f {HOSTILE[name]} sits on a chair. {GOOD}"
    seer.script(*[says({"optimized_prompt": text})] * 2)

    answer = client.post(DESCRIBE, json={"image": CAT})

    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    body = answer.get_data(as_text=True)
    assert not [sign for sign in ("<script", "![x]", "\x1b", "\x00", "\\u001b") if sign in body]
    logged = capfd.readouterr().err
    assert "canary-9d1f" not in logged
    assert "\x1b" not in logged


@pytest.mark.parametrize("name", HOSTILE)
def test_j9_hostile_evidence_stays_in_its_json_string(
    client: FlaskClient, seer: ScriptedUpstream, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    said = quality()
    said["summary"] = f"canary-9d1f {HOSTILE[name]}"
    seer.script(says(said))

    answer = client.post(SCORE_IMAGE, json={"image": CAT})

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not [sign for sign in ("\x1b", "\x00", "\n{") if sign in answer.get_data(as_text=True)]
    assert "canary-9d1f" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("route", "reason", "status"),
    # The judge's calls have rows of their own, whose calls were answered.
    [(SCORE_IMAGE, "judge_unparsable", "ok"), (DESCRIBE, "description_unusable", "upstream_error")],
)
def test_j10_what_is_not_the_expected_json_is_asked_for_once_more(
    client: FlaskClient,
    seer: ScriptedUpstream,
    usage_rows_of: UsageRowsOf,
    route: str,
    reason: str,
    status: str,
) -> None:
    seer.script(*[says('{"mood": "happy"}')] * 2)

    answer = client.post(route, json={"image": CAT})

    error = answer.get_json()["error"]["details"]
    assert (answer.status_code, error["reason"], error["retryable"]) == (502, reason, True)
    assert len(seer.requests) == 2
    row = usage_rows_of(client.application)[-1]
    assert (row["attempts"], row["status"], row["prompt_tokens"]) == (2, status, 10)
    first, _ = row["attempts_detail"]
    assert first["reason"] in {"judge_unparsable", "unusable_answer"}
