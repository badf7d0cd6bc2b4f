"""Keeps from schemathesis' requests what the API document says in words, or cannot rule out.

Whether a picture can be read, and whether a model takes a field, no document can say: of the routes
of pictures and films, valid data may be refused for that, and for nothing else. So may responses,
for whether the items of a conversation belong together, and groups, for whether a name is taken or
keys are in.
"""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import schemathesis
from schemathesis import GenerationMode

from llm_api.services.usage.report_query import DEFAULT_DAYS, MAX_DAYS
from llm_api.web.rest.images.loop_fields import DEFAULT_TRIES

_REPORTS = {"GET /api/v1/usage", "GET /api/v1/reports"}
_MESSAGES = "POST /v1/messages"
_PICTURES, _SEEN = "/images/", ("/score-image", "/describe-image")
_OTHER_MODELS = ("layout-sketch", "gpt-image-2", "doubao-seedance-2-0-260128")
_OF_PICTURES_AND_MODELS = {
    *("invalid_image", "invalid_url", "image_refused", "file_not_found", "not_supported"),
    *("invalid_size", "model_makes_text", "model_makes_films", "webhooks_not_configured"),
    *("price_unknown", "max_cost_too_low"),
}
_OF_PICTURES = {
    *("invalid_image", "invalid_url", "image_refused", "image_fetch_failed", "file_not_found"),
    "not_supported",  # by a model that is named, and takes no pictures
}
_FILMS = "/videos"
# And what stands in lists that no document can compare, a limit of costs for a model without a
# price, and a film that is still being made.
_OF_FILMS = {
    *("invalid_image", "invalid_url", "image_refused", "file_not_found"),
    *("webhooks_not_configured", "model_makes_images", "model_makes_text"),
    *("price_unknown", "job_running"),
}
# Of an edit only its pictures can be refused, and of a storyboard seconds of which there is no sum,
# or a name that two members have.
_EDITS = "/optimize-prompt"
_OF_BOARDS = {"seconds_do_not_add_up", "cast_name_repeated"}
_OF_REWRITES = (_OF_PICTURES - {"not_supported"}) | _OF_BOARDS
# Whether calls, outputs and tools of a conversation belong together, and whether a text is base64.
_RESPONSES = "POST /v1/responses"
_OF_CONVERSATIONS = {"tool_call_unmatched", "tool_not_found", "not_supported", "invalid_url"}
_GROUPS, _OF_GROUPS = "/groups", {"group_exists", "group_in_use", "budget_repeated"}
_MOST_JUDGED = 3
_MIN, _MAX = -(2**63), 2**63 - 1


@schemathesis.hook
def filter_body(_context: object, body: Any) -> bool:
    """Leave out integers over 64 bits, which are refused wherever they stand (A8).

    JSON Schema could say so only of values that it knows, not of all that may come with a message.
    """
    todo = [body]
    while todo:
        value = todo.pop()
        if type(value) is int and not _MIN <= value <= _MAX:
            return False
        if isinstance(value, dict):
            todo += value.values()
        elif isinstance(value, list):
            todo += value
    return True


@schemathesis.hook
def filter_case(_context: object, case: Any) -> bool:
    """Leave out what depends on the day, or on two fields at once."""
    if case.operation.label in _REPORTS and isinstance(case.query, dict):
        return _is_span(case.query) and _are_groups(case.query.get("group_by"))
    if not isinstance(case.body, dict):
        return True
    if "expires" in case.body:
        return not _is_past(case.body["expires"])
    if not _is_short(case.body):
        return False
    if _MESSAGES in case.operation.label and not _has_chosen(case.body):
        return False
    # The kind of a model is in the list of models, and schemathesis tries names that it has seen.
    if _PICTURES in case.operation.label or _FILMS in case.operation.label:
        return True
    return case.body.get("model") not in _OTHER_MODELS


def _has_chosen(body: dict[str, Any]) -> bool:
    """Whether the tool that must be called is one of the request."""
    choice, tools = body.get("tool_choice"), body.get("tools")
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind != "any" and kind != "tool":  # noqa: PLR1714  # it may be a list
        return True
    custom = [
        tool.get("name")
        for tool in (tools if isinstance(tools, list) else [])
        if isinstance(tool, dict) and tool.get("type", "custom") in [None, "custom"]  # the same
    ]
    return bool(custom) and (kind == "any" or choice.get("name") in custom)


def _is_short(body: dict[str, Any]) -> bool:
    """Whether a request for pictures that are judged is for few: each takes a second."""
    until = body.get("until")
    if until is None and not body.get("judge"):
        return True
    tries = until.get("max_tries") or DEFAULT_TRIES if isinstance(until, dict) else 1
    counts = [one if isinstance(one, int) else 1 for one in (body.get("n"), tries)]
    return counts[0] * counts[1] <= _MOST_JUDGED


@schemathesis.check
def only_what_no_document_says_refuses(_context: object, response: Any, case: Any) -> None:
    """Hold refusals of valid data to what depends on pictures, on the model, or on other fields."""
    label = case.operation.label
    allowed = _OF_PICTURES_AND_MODELS if _PICTURES in label else _OF_PICTURES
    if label == _RESPONSES:
        allowed = _OF_CONVERSATIONS
    elif label.endswith(_EDITS):
        allowed = _OF_REWRITES
    elif _GROUPS in label:
        allowed = _OF_GROUPS
    elif _FILMS in label:
        allowed = _OF_FILMS
    elif not (_PICTURES in label or label.endswith(_SEEN)):
        return
    if response.status_code != HTTPStatus.BAD_REQUEST or case.meta is None:
        return
    if case.meta.generation.mode is GenerationMode.POSITIVE:
        error = response.json()["error"]
        # Lengths and resolutions of films are each model's own.
        is_by_model = _FILMS in label and "this model" in error["message"]
        reason = error["details"]["reason"]
        assert is_by_model or reason in allowed, f"refused for {reason}: {error}"


@schemathesis.check
def only_pictures_that_were_not_waited_for_time_out(
    _context: object, response: Any, case: Any
) -> None:
    """Hold a 504 of a route of pictures to callers that wait for less than a picture takes."""
    is_late = response.status_code == HTTPStatus.GATEWAY_TIMEOUT
    if is_late and _PICTURES in case.operation.label:
        assert response.json()["error"]["details"]["reason"] == "image_pending"


def _is_span(query: dict[str, Any]) -> bool:
    """Whether both ends of a report's span are days or hours that there are, in their order.

    What is no text at all is none of what the document leaves to words.
    """
    tomorrow = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    tomorrow += timedelta(days=1)
    texts = [query.get(name) or "" for name in ("since", "until")]
    if not all(isinstance(text, str) for text in texts):
        return True
    try:
        since, until = (_moment(text) if text else None for text in texts)
    except (ValueError, OverflowError):
        return False
    until = until or tomorrow
    since = since or until - timedelta(days=DEFAULT_DAYS)
    return timedelta(0) < until - since <= timedelta(days=MAX_DAYS)


def _are_groups(text: Any) -> bool:
    names = [name.strip() for name in text.split(",")] if isinstance(text, str) else []
    names = [name for name in names if name]
    return len(set(names)) == len(names) and not {"hour", "day"} <= set(names)


def _is_past(text: Any) -> bool:
    """Whether a key's end is a moment that has passed, or is too far away."""
    try:
        end = _moment(text)
    except (ValueError, OverflowError, TypeError):
        return False
    now = datetime.now(UTC)
    return not now < end <= now + timedelta(days=36_500)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
