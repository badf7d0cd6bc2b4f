"""Which upstreams get addresses of pictures: those outside of the operator's network."""

import socket
from typing import Any

import pytest

from llm_api.errors import InvalidRequest
from llm_api.upstream.http.resolver import Resolver
from llm_api.upstream.vendors.picture_addresses import InnerUpstream

ADDRESS = "https://example.com/a.png"
PARTS: list[dict[str, Any]] = [
    {"type": "image_url", "image_url": {"url": ADDRESS}},
    {"type": "image_url", "image_url": "HTTP://example.com/a.png"},
    {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}},
    {"type": "video_url", "video_url": {"url": ADDRESS}},
    {"type": "audio_url", "audio_url": {"url": ADDRESS}},
    {"type": "text", "text": "See?", "image_url": {"url": ADDRESS}},
]
VENDORS = ("dashscope.aliyuncs.com", "*.dashscope.aliyuncs.com", "*:8000")
INSIDE = [
    *(
        "http://127.0.0.1:8000/v1",
        "http://10.1.2.3/v1",
        "https://192.168.1.1/v1",
        "http://[::1]/v1",
    ),
    *("http://[fd00::1]:8000/v1", "http://169.254.169.254", "http://[::ffff:10.0.0.1]/v1"),
    *("http://localhost:8000", "http://vllm:8000/v1", "http://gpu.local", "http://LLM.internal/v1"),
    *("http://vllm.models.svc.cluster.local/v1", "http://llm.corp.example/v1", "http://127.1:80"),
    *("http://mixed.example/v1", "http://unknown.example/v1", "http://gpu.local./v1"),
]
OUTSIDE = [
    *("https://api.example/v1", "https://93.184.216.34/v1", "https://[2606:2800:220:1::1]/v1"),
    *("https://dashscope.aliyuncs.com/v1", "https://vpc.dashscope.aliyuncs.com/v1"),
]
NAMES = {
    "llm.corp.example": ["10.0.0.5"],
    "127.1": ["127.0.0.1"],
    "mixed.example": ["93.184.216.34", "fd00::7"],
    "api.example": ["93.184.216.34"],
}


def look_up(host: str, port: int, **_: Any) -> list[Any]:
    """Look a name up among those that are known here."""
    if host not in NAMES:
        raise socket.gaierror(socket.EAI_NONAME, "not known")
    return [(0, 0, 0, "", (address, port)) for address in NAMES[host]]


def is_refused(upstream: InnerUpstream, part: dict[str, Any]) -> bool:
    """Whether an upstream is not given a part of a message."""
    try:
        upstream.check([{"role": "user", "content": [{"type": "text", "text": "See?"}, part]}])
    except InvalidRequest as error:
        return error.reason == "url_not_allowed"
    return False


@pytest.mark.parametrize("vendor_hosts", [(), VENDORS], ids=["no vendor", "vendor"])
def test_addresses_go_to_no_upstream_inside(vendor_hosts: tuple[str, ...]) -> None:
    resolver = Resolver(look_up)

    passed = [
        (url, part)
        for url in INSIDE
        for part in PARTS
        if not is_refused(InnerUpstream([url], vendor_hosts, resolver=resolver), part)
    ]

    assert passed == []


def test_addresses_go_to_upstreams_of_the_internet_and_to_known_vendors() -> None:
    resolver = Resolver(look_up)

    refused = [
        url
        for url in OUTSIDE
        if is_refused(InnerUpstream([url], VENDORS, resolver=resolver), PARTS[0])
    ]

    assert refused == []


def test_one_address_inside_is_enough() -> None:
    upstream = InnerUpstream(["https://93.184.216.34/v1", "http://10.0.0.1/v1"])

    assert is_refused(upstream, PARTS[0])


def test_a_vendor_by_its_name_is_not_even_looked_at() -> None:
    assert not InnerUpstream(["https://dashscope.aliyuncs.com/v1"], VENDORS).may_be_inside


def test_a_name_is_looked_up_for_addresses_alone_and_once_a_minute() -> None:
    looked_up: list[str] = []
    now = [0.0]

    def counted(host: str, port: int, **_: Any) -> list[Any]:
        looked_up.append(host)
        return look_up(host, port)

    upstream = InnerUpstream(
        ["https://api.example/v1"], resolver=Resolver(counted), clock=lambda: now[0]
    )
    upstream.check([{"role": "user", "content": "See?"}])
    upstream.check([{"role": "user", "content": [{"type": "image_url", "image_url": "data:,"}]}])
    assert looked_up == []

    for now[0] in (0.0, 59.0, 61.0):
        assert not is_refused(upstream, PARTS[0])

    assert looked_up == ["api.example"] * 2


def test_the_refusal_names_the_part() -> None:
    upstream = InnerUpstream(["http://vllm:8000/v1"])

    with pytest.raises(InvalidRequest) as caught:
        upstream.check([{"role": "system", "content": "See."}, {"role": "user", "content": PARTS}])

    [problem] = caught.value.fields
    assert problem.field == "messages[1].content[0].image_url.url"
