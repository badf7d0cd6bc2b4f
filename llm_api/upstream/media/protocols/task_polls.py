"""What the status of an answer says about the task that was asked for."""

import orjson

from llm_api.upstream.media.vendor_protocol import VendorAnswer

_GONE = frozenset([400, 404, 410])


def is_gone(answer: VendorAnswer) -> bool:
    """Whether the vendor does not know the task: it says so in JSON, and a proxy in HTML."""
    return answer.status in _GONE and answer.body.lstrip().startswith(b"{")


def says_nothing(answer: VendorAnswer) -> bool:
    """Whether the answer is about something else: limits, faults, keys, a page of a proxy."""
    if answer.status != 200:
        return True
    try:
        return not isinstance(orjson.loads(answer.body), dict)
    except orjson.JSONDecodeError:
        return True
