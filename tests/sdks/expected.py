"""What each SDK must show in each case, and whether it did."""

import re
from collections.abc import Mapping
from typing import Any

from tests.sdks.case import Case, Failure, Something
from tests.sdks.running import Sdk, Seen

# What a status becomes; None is an error inside a stream.
_MODERN = {
    400: "BadRequestError",
    404: "NotFoundError",
    413: "APIStatusError",
    415: "APIStatusError",
    429: "RateLimitError",
    502: "InternalServerError",
    503: "InternalServerError",
    504: "InternalServerError",
    None: "APIError",
}
_CLASSES: Mapping[str, Mapping[int | None, str]] = {
    "0.28": {
        400: "InvalidRequestError",
        404: "InvalidRequestError",
        413: "APIError",
        429: "RateLimitError",
        502: "APIError",
        503: "ServiceUnavailableError",
        504: "APIError",
        None: "APIError",
    },
    "python": _MODERN,
    # Its own classes are below openai's.
    "langchain": {
        **_MODERN,
        400: "OpenAIInvalidRequestError",
        404: "OpenAIModelNotFoundError",
        429: "OpenAIRateLimitError",
        502: "OpenAIAPIError",
        503: "OpenAIAPIError",
        504: "OpenAIAPIError",
    },
    "node": {**_MODERN, 413: "APIError", 415: "APIError"},
}
# LangChain has classes of its own for some codes, and none for a 404 of embeddings.
_CLASSES_OF_CODES: Mapping[str, Mapping[str, str]] = {
    "langchain": {
        "context_length_exceeded": "OpenAIContextOverflowError",
        "not_supported": "NotFoundError",
    },
}
_CHANCE = frozenset({"request_id", "details_request_id", "retry_after"})
_REQUEST_ID = re.compile(r"req_\w+")


def shown(sdk: Sdk, seen: Seen, case: Case) -> dict[str, Any]:
    """Collect what the SDK showed, with None for expected facts that are missing."""
    facts = dict(seen.facts[case.name])
    if raised := facts.get("raised"):
        facts["raised"] = _without_chance(raised)
    return {**dict.fromkeys(wanted(sdk, case)), **facts, "asked": seen.asked[case.name]}


def wanted(sdk: Sdk, case: Case) -> dict[str, Any]:
    """Collect what the SDK must show."""
    facts: dict[str, Any] = {**case.facts, **case.differs.get(sdk.family, {})}
    if case.failure:
        facts["raised"] = _raised(sdk, case.failure)
    return {**facts, "asked": case.asked}


def _raised(sdk: Sdk, failure: Failure) -> dict[str, Any]:
    # openai 0.28 throws the body of a 503 away.
    is_empty = sdk.family == "0.28" and failure.status == 503
    of_codes = _CLASSES_OF_CODES.get(sdk.family, {})
    return {
        "class": of_codes.get(failure.code) or _CLASSES[sdk.family][failure.status],
        # openai 0.28 knows that the stream itself was answered with 200.
        "status": 200 if failure.status is None and sdk.family == "0.28" else failure.status,
        "type": None if is_empty else failure.type,
        "param": failure.param,
        "code": None if is_empty else failure.code,
        "message": Something(str),
        "has_request_id": True,
        "tells_wait": failure.status in {429, 503},
    }


def _without_chance(raised: Mapping[str, Any]) -> dict[str, Any]:
    """Replace what no two runs share with whether a user can read something right.

    Inside a stream some SDKs give no request id of their own; the error's details always do.
    """
    own, inner = raised.get("request_id"), raised.get("details_request_id")
    readable = inner if raised.get("status") in {None, 200} else own
    is_right = bool(_REQUEST_ID.fullmatch(readable or "")) and {own, inner} <= {None, readable}
    others = {name: value for name, value in raised.items() if name not in _CHANCE}
    return {
        **others,
        "has_request_id": is_right,
        "tells_wait": int(raised.get("retry_after") or 0) >= 1,
    }
