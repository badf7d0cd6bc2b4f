"""A key as a real installation gives its callers: with limits of every kind and a budget of money.

No limit is ever reached: what is measured is what it costs to count.
"""

import http.client
import json
import secrets
from collections.abc import Mapping

from benchmarks.harness.servers import BenchmarkError, Server

ADMIN_KEY = f"adm-{secrets.token_hex(20)}"
SETTINGS = {"REQUIRE_API_KEY": "true", "ADMIN_API_KEY": ADMIN_KEY}
WANTED = {
    "name": "bench",
    "limits": {
        "requests": "100000000/minute",
        "tokens_per_minute": 1_000_000_000,
        "concurrent_requests": 10_000,
        "concurrent_streams": 10_000,
    },
    "budgets": ["1000000 CNY/month"],
    "tags": ["team=bench"],
}
TIMEOUT = 10.0


def bearer(secret: str) -> Mapping[str, str]:
    """Return the header that presents a key."""
    return {"Authorization": f"Bearer {secret}"}


def headers_with_key(service: Server) -> Mapping[str, str]:
    """Create a key of the service, which has `SETTINGS`, and return the header of its calls."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=TIMEOUT)
    headers = {"Content-Type": "application/json", **bearer(ADMIN_KEY)}
    try:
        connection.request("POST", "/api/v1/keys", json.dumps(WANTED), headers)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise BenchmarkError(f"{service.name}: no key was created", service.log) from error
    finally:
        connection.close()
    if answer.status != http.client.CREATED:
        reason = f"{service.name}: no key was created: {answer.status} {body.decode()}"
        raise BenchmarkError(reason, service.log)
    return bearer(json.loads(body)["secret"])
