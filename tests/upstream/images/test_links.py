"""Which addresses are those of the Internet."""

import pytest

from llm_api.upstream.media.links import (
    LinkFailed,
    LinkPolicy,
    is_public,
    split_link,
    vetted_addresses,
)
from tests.support.tables import each

ANY = LinkPolicy(1, 1.0)


@each(
    "address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@each(
    "address",
    [
        "0.0.0.0",  # noqa: S104  # nothing is bound
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.8.8.8",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.1.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.1.1.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "100.100.100.200",
        "192.0.0.8",
        "192.88.99.1",
        "240.0.0.1",
        "::127.0.0.1",
        "::a9fe:a9fe",
        "64:ff9b:1::1",
        "64:ff9b:1::a9fe:a9fe",
        "2001::1",
        "fec0::1",
    ],
)
def test_all_others_are_not(address: str) -> None:
    assert not is_public(address)


@each("address", ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "224.0.0.1"])
def test_link_local_addresses_are_refused_even_where_private_ones_are_allowed(address: str) -> None:
    link = split_link("http://hook.example/")
    allowed = LinkPolicy(1, 1.0, allows_private=True)

    assert vetted_addresses(link, allowed, ["10.0.0.1", address], is_public) == ["10.0.0.1"]
    with pytest.raises(LinkFailed):
        vetted_addresses(link, allowed, [address], is_public)


@each(
    ("url", "authority", "target"),
    [
        ("https://CDN.example", "cdn.example", "/"),
        ("https://cdn.example:443/a?b=%2F&c=d%20e#f", "cdn.example", "/a?b=%2F&c=d%20e"),
        ("http://cdn.example:8080/a", "cdn.example:8080", "/a"),
        ("http://[2001:db8::1]:8080/a", "[2001:db8::1]:8080", "/a"),
        ("https://cdn.example/猫.png", "cdn.example", "/%E7%8C%AB.png"),
        ("https://bücher.example/", "xn--bcher-kva.example", "/"),
        (
            "https://cdn.example/a?Signature=a+b/c==&Expires=1~2",
            "cdn.example",
            "/a?Signature=a+b/c==&Expires=1~2",
        ),
    ],
)
def test_a_link_is_asked_for_as_it_is_written(url: str, authority: str, target: str) -> None:
    link = split_link(url)

    assert (link.authority, link.target) == (authority, target)
