"""What gunicorn cannot read, or cannot send, is answered in our envelope without a word of it."""

import ssl

import pytest
from gunicorn.http.errors import InvalidHeader, InvalidResponseHeader

from llm_api.server.gunicorn_errors import answer_to
from tests.support.raw import responses
from tests.web.refusals import Refusal, read_raw_refusal

CANARY = "canary-of-the-request"


def refusal_for(failure: Exception) -> Refusal:
    """Read the only answer to a failure."""
    (answer,) = responses(answer_to(failure))
    assert answer.header("Connection") == "close"
    assert CANARY.encode() not in answer.body
    return read_raw_refusal("/", answer)


@pytest.mark.parametrize("failure", [RuntimeError(CANARY), InvalidResponseHeader(CANARY)], ids=repr)
def test_a_fault_of_ours_is_told_to_the_log_alone(
    failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = refusal_for(failure)

    assert refusal.verdict == (500, "SERVICE_ERROR", "internal_error", False)
    assert CANARY in caplog.text


@pytest.mark.parametrize("failure", [InvalidHeader(CANARY), ssl.SSLError(1, CANARY)], ids=repr)
def test_what_a_client_has_sent_is_told_to_nobody(
    failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    refusal = refusal_for(failure)

    assert refusal.verdict == (400, "VALIDATION_ERROR", "malformed_http", False)
    [record] = caplog.records
    assert CANARY not in str(vars(record))
