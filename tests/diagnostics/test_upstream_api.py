"""The doctor's look at TLS, at real servers with good and bad certificates."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from llm_api.diagnostics import doctor
from llm_api.diagnostics.results import CheckResult
from llm_api.diagnostics.upstream_api import ApiChecks
from llm_api.diagnostics.upstream_route import CheckedUpstream, RouteChecks
from llm_api.domain.upstream_plans import Endpoint, Timeouts
from tests.support.ports import LOOPBACK
from tests.support.tls import TlsUpstream
from tests.support.upstream import ScriptedUpstream
from tests.upstream.conftest import SELF_SIGNED

EXPIRED = Path(__file__).with_name("expired.pem")


@pytest.fixture
def secured() -> Iterator[TlsUpstream]:
    """Run an upstream whose certificate is good for 127.0.0.1 where it is trusted."""
    with TlsUpstream(SELF_SIGNED) as server:
        yield server


def examined(url: str, *, trusted: Path | str = SELF_SIGNED) -> dict[str, CheckResult]:
    """Examine an upstream that is trusted by a certificate."""
    upstream = CheckedUpstream(
        Endpoint(url, "scripted", "sk-canary"),
        Timeouts(3, 5, 5, 5, 5),
        url_setting="FAST_LLM_API_URL",
        key_setting="FAST_LLM_API_KEY",
        model_setting="FAST_LLM_MODEL",
        ca_bundle=str(trusted),
    )
    route = RouteChecks(upstream)
    api = ApiChecks(upstream, route)
    checks = doctor.upstream_checks("x", route, api, has_vision=False)
    return {title.removeprefix("x "): f for title, f in doctor.run_checks([checks]).results}


def url_of(server: ScriptedUpstream, host: str = LOOPBACK, scheme: str = "https") -> str:
    """Return another address of the server."""
    return f"{scheme}://{host}:{server.port}/v1"


def test_a_trusted_certificate_is_good(secured: TlsUpstream) -> None:
    results = examined(url_of(secured))

    assert results["TLS"].state == "ok"
    assert results["model"].state == "ok"


def test_a_self_signed_certificate_is_told(secured: TlsUpstream) -> None:
    results = examined(url_of(secured), trusted=DEFAULT_CA_BUNDLE_PATH)

    assert results["TLS"].state == "FAIL"
    assert "self-signed" in results["TLS"].found
    assert "public authority" in results["TLS"].advice
    assert secured.requests == []


def test_a_certificate_for_another_host_is_told(secured: TlsUpstream) -> None:
    finding = examined(url_of(secured, host="127.1"))["TLS"]

    assert "for another host" in finding.found
    assert "FAST_LLM_API_URL" in finding.advice


def test_an_expired_certificate_is_told() -> None:
    with TlsUpstream(EXPIRED) as server:
        finding = examined(url_of(server), trusted=EXPIRED)["TLS"]

    assert "has expired" in finding.found
    assert "clock" in finding.advice


def test_https_to_a_port_without_tls_is_told(upstream: ScriptedUpstream) -> None:
    finding = examined(url_of(upstream))["TLS"]

    assert "speaks HTTP without TLS" in finding.found
    assert "http:// in place of https://" in finding.advice


def test_http_to_a_port_with_tls_is_told(secured: TlsUpstream) -> None:
    finding = examined(url_of(secured, scheme="http"))["API"]

    assert "speaks TLS" in finding.found
    assert "https:// in place of http://" in finding.advice


def test_a_port_that_hangs_up_on_tls_is_told() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        listener.listen(0)
        host, port = listener.getsockname()
        finding = examined(f"https://{host}:{port}/v1")["TLS"]

    assert finding.state == "FAIL"
    assert "did not answer" in finding.found


def test_no_proxy_of_the_environment_is_used(
    upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    assert examined(upstream.url)["model"].state == "ok"
