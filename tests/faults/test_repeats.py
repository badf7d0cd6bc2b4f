"""C23 and C25 to C30: the upstream fails in a way that a second attempt may mend."""

import openai
import pytest

from tests.faults.gateway import Gateway, ValidationResult, in_both_dialects, told
from tests.support.replies import api_error

LIMITED = (429, "RATE_LIMIT_EXCEEDED", "upstream_rate_limited", True)
SPENT = (429, "RATE_LIMIT_EXCEEDED", "upstream_rate_limited", False)
AWAY = (503, "SERVICE_ERROR", "upstream_unavailable", True)


@in_both_dialects
def test_c23_request_timeout(gateway: Gateway, path: str) -> None:
    gateway.upstream.script(*[api_error(408, "RequestTimeOut")] * 3)

    left = gateway.fail(path)

    assert left == told(path, (504, "SERVICE_ERROR", "upstream_timeout", True), hits=2)


@in_both_dialects
def test_c25_rate_limit_that_passes(gateway: Gateway, path: str) -> None:
    gateway.upstream.script(api_error(429, headers=[("Retry-After", "1")]))

    assert gateway.succeed(path) == (2, ("ok", None, 2))
    first, second = gateway.upstream.requests
    assert second.received_at - first.received_at >= 1


@in_both_dialects
@pytest.mark.parametrize(
    ("code", "verdict", "hits", "wait"),
    [("Throttling.AllocationQuota", LIMITED, 2, 1), ("insufficient_quota", SPENT, 1, None)],
)
def test_c27_spent_quota(  # a case of four values
    gateway: Gateway,
    path: str,
    code: str,
    verdict: ValidationResult,
    hits: int,
    wait: int | None,
) -> None:
    gateway.upstream.script(*[api_error(429, code)] * 3)

    assert gateway.fail(path) == told(path, verdict, hits=hits, retry_after=wait)


@in_both_dialects
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_c28_failure_that_passes(gateway: Gateway, path: str, status: int) -> None:
    gateway.upstream.script(api_error(status))

    assert gateway.succeed(path) == (2, ("ok", None, 2))


def test_c29_sdk_with_its_own_repeats(gateway: Gateway) -> None:
    gateway.upstream.script(*[api_error(503)] * 9)
    model = "asked-by-an-sdk"
    with openai.OpenAI(base_url=f"{gateway.service.url}/v1", api_key="none") as client:
        assert client.max_retries == 2

        with pytest.raises(openai.InternalServerError) as raised:
            client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": "Hello"}]
            )

    assert raised.value.status_code == 503
    assert raised.value.response.headers["x-should-retry"] == "false"
    assert len(gateway.upstream.requests) == 2
    [row] = gateway.rows("requested_model", model)
    assert (row["status"], row["attempts"]) == ("upstream_error", 2)


@in_both_dialects
def test_c29_always_unavailable(gateway: Gateway, path: str) -> None:
    gateway.upstream.script(*[api_error(503)] * 3)

    assert gateway.fail(path) == told(path, AWAY, hits=2, retry_after=1)


@in_both_dialects
def test_c30_llama_cpp_is_loading(gateway: Gateway, path: str) -> None:
    loading = api_error(503, None, "Loading model", error_type="unavailable_error")
    gateway.upstream.script(*[loading] * 3)

    left = gateway.fail(path)

    starting = (503, "SERVICE_ERROR", "upstream_starting", True)
    assert left == told(path, starting, hits=2, retry_after=5)
