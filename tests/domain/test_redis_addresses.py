"""Addresses of clusters and sentinels are read as they are documented, and nothing else is."""

from typing import Any

import pytest

from llm_api.domain.redis_addresses import RedisNodes, parse_nodes
from tests.support.tables import each

TWO = (("a", 7000), ("b.example", 7001))
READ: dict[str, dict[str, Any]] = {
    "redis+cluster://a:7000,b.example:7001": {"kind": "cluster", "hosts": TWO},
    "valkey+cluster://a:7000,b.example:7001/0": {"kind": "cluster", "hosts": TWO},
    "REDIS+cluster://a, [::1]:7001": {"hosts": (("a", 6379), ("::1", 7001))},
    "rediss+cluster://u:p%40%2F@a": {
        "is_tls": True, "username": "u", "password": "p@/", "secrets": ("p%40%2F", "p@/"),
    },
    "valkeys+sentinel://a/s": {"kind": "sentinel", "is_tls": True, "hosts": (("a", 26379),)},
    "redis+sentinel://:p@a:7000,b.example:7001/my-name": {
        "hosts": TWO, "service": "my-name", "database": 0, "password": "p",
        "sentinel_password": "p", "username": None, "sentinel_username": None,
    },
    "redis+sentinel://u:p@a/s/3?sentinel_username=w&sentinel_password=q%2B+": {
        "database": 3, "username": "u", "password": "p", "sentinel_username": "w",
        "sentinel_password": "q++", "secrets": ("p", "q%2B+", "q++"),
    },
    "redis+sentinel://:p@a/s?sentinel_password=": {
        "password": "p", "sentinel_password": None, "secrets": ("p",),
    },
    "rediss+cluster://a?ssl_ca_certs=/etc/ca%20s.pem": {"ca_certs": "/etc/ca s.pem"},
}  # fmt: skip
WRONG = (
    "redis+cluster://",
    "redis+cluster://a,,b",
    "redis+cluster://a:0",
    "redis+cluster://a:65536",
    "redis+cluster://a:many",
    "redis+cluster://a/1",
    "redis+cluster://a/name",
    "redis+cluster://p@ss@a",
    "redis+cluster://u:p:q@a",
    "redis+cluster://u:pass/word@a",
    "redis+cluster://a?ssl_ca_certs=/ca.pem",
    "redis+cluster://a?sentinel_password=p",
    "redis+sentinel://a",
    "redis+sentinel://a/",
    "redis+sentinel://a//0",
    "redis+sentinel://a/s/first",
    "redis+sentinel://a/s/-1",
    "redis+sentinel://a/s?password=p",
    "redis+sentinel://a/s?sentinel_password=p&sentinel_password=q",
)


@each(("url", "expected"), READ.items())
def test_an_address_of_several_servers_is_read(url: str, expected: dict[str, Any]) -> None:
    nodes = parse_nodes(url)

    assert isinstance(nodes, RedisNodes)
    assert {name: getattr(nodes, name) for name in expected} == expected


@each("url", WRONG)
def test_another_form_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^$|invalid literal|Port|port|empty"):
        parse_nodes(url)


@each("url", ["redis://a:1", "rediss://a", "redis+unix:///tmp/s", "memory://", "", "cluster"])
def test_an_address_of_one_server_is_none_of_these(url: str) -> None:
    assert parse_nodes(url) is None
