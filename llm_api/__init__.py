"""Chat completions and prompt optimization for image and video applications.

This service answers chat completions, rewrites prompts for image and video models, makes pictures
and judges them.
It calls any OpenAI-compatible upstream; with none configured it uses a small model of its own,
which is of demo quality.

## Two ways in

* **REST**, under `/api/v1`: a small, strict schema. Unknown fields are refused.
* **OpenAI**, under `/v1`: what the OpenAI SDKs send and expect, streaming included. With `stream: true`
  the answer comes as server-sent events; a stream that fails ends with `data: {"error": …}`.

## Keys

Where the operator requires keys, send yours as `Authorization: Bearer llmapi_…`; the OpenAI SDKs do
so with their `api_key`. `/api/v1/keys` and `/api/v1/audit` always need an
admin's key.

## Repeated requests

Requests with the same `Idempotency-Key`, route and body get one answer, which is kept for an hour.
The same key with another body is refused. Retries that an OpenAI SDK marks as such need no key.

## Errors

Every error under `/api/v1`, and on every path that is not under `/v1`, has one shape:

    {"error": {"code": "VALIDATION_ERROR",
               "message": "messages[0].role: must be one of system, user, assistant.",
               "details": {"retryable": false, "reason": "out_of_range", "request_id": "req_…",
                           "errors": [{"field": "messages[0].role", "message": "must be one of …"}]}}}

| `code` | status | what to do |
|---|---|---|
| `VALIDATION_ERROR` | 400, 404, 405, 413, 414, 415, 417, 431 | change the request; `details.errors` names the fields |
| `AUTHENTICATION_ERROR` | 401, 403 | send a valid key, or one that allows the call |
| `RATE_LIMIT_EXCEEDED` | 429 | wait for `Retry-After` seconds; without it, waiting does not help |
| `SERVICE_ERROR` | 500, 501, 502, 503, 504 | repeat it if `details.retryable` is true |

`details.reason` is a stable word for the cause. Under `/v1` the same facts stand in OpenAI's own
shape, `{"error": {"message", "type", "param", "code", "details"}}`, where `code` is the reason.

Every answer has an `x-request-id`; quote it when you ask the operator about a call. With a key you
may send your own as `X-Request-Id`; `GET /api/v1/usage/{request_id}` tells what is known of the call.
"""

__version__ = "0.1.0"
