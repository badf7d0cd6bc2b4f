"""Keeps the places of the items of a streamed response, and completes its events with them.

Clients put a stream together by the numbers and ids in its events: a delta without its item's id
stops the AI SDK, one without its index the official SDKs' own helpers, and an item whose id is
another one at its end is two items to some. llama.cpp has no indexes, GitHub Copilot new ids in
every event.
"""

from typing import Any

from llm_api.upstream.answers.responses.response_objects import new_id, settle_item, settle_part

# Events about a part of an item, by the name of the index that they need.
_INDEXES = {
    "content_index": (
        "response.content_part.", "response.output_text.", "response.refusal.",
        "response.reasoning_text.",
    ),
    "summary_index": ("response.reasoning_summary_part.", "response.reasoning_summary_text."),
}  # fmt: skip
_ADDED = ("response.content_part.added", "response.reasoning_summary_part.added")
# Of these the official SDKs' types require the list.
_WITH_LOGPROBS = frozenset(["response.output_text.delta", "response.output_text.done"])


class ResponsePlaces:
    """The items of a response that have come so far."""

    def __init__(self) -> None:
        """Know no item yet."""
        self._items: dict[int, dict[str, Any]] = {}  # as they came last
        self._names: dict[int, str] = {}  # their ids, by their index
        self._indexes: dict[str, int] = {}  # the other way, of ids as the upstream has them
        self._parts: dict[tuple[int, str], int] = {}  # how many an item has
        self._current = 0
        self._ended: set[int] = set()

    def settle_item(self, event: dict[str, Any], *, is_end: bool) -> bool:
        """Complete an event with a whole item; return whether anything was missing."""
        item = event.get("item")
        sent = item.get("id") if isinstance(item, dict) else None
        index = self._index_of(event, sent, is_new=not is_end)
        status = "completed" if is_end else "in_progress"
        is_changed = settle_item(item, self._names.get(index), status)
        self._items[index] = event["item"]
        self._names[index] = event["item"]["id"]
        if isinstance(sent, str):
            self._indexes.setdefault(sent, index)
        if is_end:
            self._ended.add(index)
        return is_changed | set_field(event, "output_index", index)

    def settle_part(self, event: dict[str, Any], kind: str) -> bool:
        """Complete an event about a part of an item; return whether anything was missing."""
        sent = event.get("item_id")
        index = self._index_of(event, sent, is_new=False)
        if index not in self._names:  # its item was never announced
            self._names[index] = sent if isinstance(sent, str) and sent else new_id("message")
        is_changed = set_field(event, "output_index", index) | set_field(
            event, "item_id", self._names[index]
        )
        for name, beginnings in _INDEXES.items():
            if kind.startswith(beginnings):
                is_changed |= self._settle_index(event, name, (index, name), kind)
        if kind in _WITH_LOGPROBS and not isinstance(event.get("logprobs"), list):
            is_changed |= set_field(event, "logprobs", [])
        if kind.startswith("response.content_part."):
            is_changed |= settle_part(event.get("part"))
        return is_changed

    def settle_output(self, response: dict[str, Any]) -> bool:
        """Complete the items of a response by what came before; return whether any were changed.

        Some end with an empty output, over which the agents' SDK loops.
        """
        known = [self._items[index] for index in sorted(self._ended)]
        if not response["output"] and known:
            response["output"] = known
            return True
        is_changed = False
        for index, item in enumerate(response["output"]):
            before = self._items.get(index)
            if before is not None and before["type"] == item["type"]:
                is_changed |= set_field(item, "id", before["id"])
        return is_changed

    def _settle_index(
        self, event: dict[str, Any], name: str, place: tuple[int, str], kind: str
    ) -> bool:
        """Complete an event with the index of its part."""
        count = self._parts.get(place, 0)
        index = event.get(name)
        if type(index) is int:
            self._parts[place] = max(count, index + 1)
            return False
        index = count if kind in _ADDED else max(count - 1, 0)
        self._parts[place] = max(count, index + 1)
        return set_field(event, name, index)

    def _index_of(self, event: dict[str, Any], sent: object, *, is_new: bool) -> int:
        """Return the index of the item that an event is about."""
        index = event.get("output_index")
        if type(index) is not int:
            unknown = len(self._items) if is_new else self._current
            index = self._indexes.get(sent, unknown) if isinstance(sent, str) else unknown
        self._current = index
        return index


def set_field(event: dict[str, Any], name: str, value: object) -> bool:
    """Give a field its value; return whether it had another one."""
    if name in event and event[name] == value:
        return False
    event[name] = value
    return True
