"""Clients are told apart by their addresses, and those of one IPv6 network are not."""

import pytest
from flask import Flask

from llm_api.web.request.context import client_address


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:0DB8:0001:0002:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::1", "::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "local"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_an_address_stands_for_a_client(address: str, client: str) -> None:
    environ = {"REMOTE_ADDR": address}

    with Flask("addresses").test_request_context(environ_overrides=environ):
        assert client_address() == client
