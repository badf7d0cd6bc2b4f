"""C3 and C38: whom the service trusts, whatever its surroundings say."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.faults.gateway import (
    ANSWER,
    JUDGED,
    Gateway,
    in_both_dialects,
    judged_by,
    told,
)
from tests.support.ports import LOOPBACK
from tests.support.replies import json_reply
from tests.support.tls import TlsUpstream
from tests.support.upstream import ScriptedUpstream
from tests.upstream.conftest import SELF_SIGNED
from tests.web.streams import KEY

CERTIFICATES = Path(__file__).with_name("certificates")
GOOD = CERTIFICATES / "good.pem"
BAD = {
    "expired": CERTIFICATES / "expired.pem",
    "wrong host": CERTIFICATES / "elsewhere.pem",
    "self-signed": SELF_SIGNED,
}
UNTRUSTED = (502, "SERVICE_ERROR", "upstream_tls", False)
# No connection stays open that would save the next test a handshake.
LAST_ANSWER = json_reply(200, ANSWER, [("Connection", "close")])
# The authority of the tests in the place of the public ones.
TRUST = f"""
import requests.utils
requests.utils.DEFAULT_CA_BUNDLE_PATH = {str(CERTIFICATES / "authority.pem")!r}
"""


@pytest.fixture(scope="module")
def judge() -> Iterator[TlsUpstream]:
    """Run the other upstream, behind TLS."""
    with TlsUpstream(GOOD) as server:
        yield server


@pytest.fixture(scope="module")
def proxy() -> Iterator[ScriptedUpstream]:
    """Run what the environment calls a proxy."""
    with ScriptedUpstream() as server:
        yield server


@pytest.fixture(scope="module")
def service_env(
    judge: TlsUpstream, proxy: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, str]:
    """Set all that Python's HTTP libraries take from their environment."""
    home = tmp_path_factory.mktemp("home")
    netrc = home / ".netrc"
    netrc.write_text(f"machine {LOOPBACK} login thief password of-the-netrc\n")
    netrc.chmod(0o600)
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    bundles = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    return {
        **judged_by(f"https://{LOOPBACK}:{judge.port}/v1"),
        **{name: proxy.url for upper in proxies for name in (upper, upper.lower())},
        **dict.fromkeys(bundles, str(SELF_SIGNED)),
        "NETRC": str(netrc),
        "HOME": str(home),
    }


@pytest.fixture(scope="module")
def prelude() -> str:
    """Trust the authority of the tests and no other."""
    return TRUST


@in_both_dialects
@pytest.mark.parametrize("certificate", BAD.values(), ids=BAD)
def test_c03_tls_that_cannot_be_verified(
    gateway: Gateway, judge: TlsUpstream, path: str, certificate: Path
) -> None:
    judge.clear()
    judge.show(certificate)

    left = gateway.fail(path, model=JUDGED)

    assert left == told(path, UNTRUSTED, hits=0, attempts=1)
    assert judge.requests == []


@in_both_dialects
def test_c03_tls_that_can_be_verified(gateway: Gateway, judge: TlsUpstream, path: str) -> None:
    judge.show(GOOD)
    judge.script(LAST_ANSWER)

    assert gateway.succeed(path, model=JUDGED) == (0, ("ok", None, 1))


@in_both_dialects
def test_c38_netrc_and_proxies(gateway: Gateway, proxy: ScriptedUpstream, path: str) -> None:
    assert gateway.succeed(path) == (1, ("ok", None, 1))

    assert gateway.upstream.requests[-1].header("Authorization") == f"Bearer {KEY}"
    assert proxy.connections == 0


@in_both_dialects
def test_c38_a_proxy_for_https(
    gateway: Gateway, judge: TlsUpstream, proxy: ScriptedUpstream, path: str
) -> None:
    judge.show(GOOD)
    judge.script(LAST_ANSWER)

    gateway.succeed(path, model=JUDGED)

    assert judge.requests[-1].header("Authorization") == "Bearer sk-canary-of-the-judge"
    assert proxy.connections == 0


def test_c38_certificates_of_the_environment(gateway: Gateway, judge: TlsUpstream) -> None:
    judge.clear()
    # The one that three variables name as an authority.
    judge.show(SELF_SIGNED)

    assert gateway.refuse(model=JUDGED).verdict == UNTRUSTED
    assert judge.requests == []
