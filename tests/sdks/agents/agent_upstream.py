"""What the scripted upstream answers to agents, in whatever dialect they ask the service.

It speaks chat completions, streamed where that is asked for. What a client may do in its own way (a
structured answer as a schema or as a tool's arguments, a last tool that carries the answer) is read
from the request.
"""

import json
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.sdks.paced import Paced, frame
from tests.sdks.upstream import BEGUN_PATH, LEFT_PATH, PIECES, Script, begun, text_stream, whole
from tests.support import replies
from tests.support.peer import Peer, RecordedRequest
from tests.support.replies import Reply, chunk
from tests.support.wire import chunk_bytes, message_bytes

WEATHER = "It is sunny."
PERSON = '{"name": "Ada", "year": 1815}'
SHELL_RESULT = "23 degrees"
_CITIES = ("Paris", "Oslo")
# Only a test that fails waits so long.
_PATIENCE = 20.0
# Tools of the programs for terminals that run a command.
_SHELLS = {"exec_command": "cmd", "Bash": "command"}


@dataclass(frozen=True)
class Unfinished:
    """A stream that sends a text and then nothing, until its reader leaves."""

    begun: threading.Event
    left: threading.Event

    def answer(self, peer: Peer, _request: RecordedRequest) -> bool:
        """Write a text and wait for the end of the connection."""
        headers = [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")]
        peer.send(message_bytes("HTTP/1.1 200 OK", headers, b""))
        for event in begun(*PIECES):
            peer.send(chunk_bytes(frame(event)))
        self.begun.set()
        if not peer.stay_silent(_PATIENCE):
            self.left.set()
        return False


class AgentScript(Script):
    """Answers the requests of agents."""

    def __init__(self) -> None:
        """Know of nobody who has left yet."""
        super().__init__()
        self._begun: dict[str, threading.Event] = defaultdict(threading.Event)
        self._left: dict[str, threading.Event] = defaultdict(threading.Event)

    def _reply(self, request: RecordedRequest) -> Reply:
        waited_for = {BEGUN_PATH: self._begun, LEFT_PATH: self._left}.get(request.path)
        if waited_for is None:
            return super()._reply(request)
        is_so = waited_for[request.json["model"]].wait(_PATIENCE)
        return replies.json_reply(200, {"is_so": is_so})

    def _reply_of_case(self, model: str, request: RecordedRequest) -> Reply:
        asked = request.json
        case = model.partition(":")[2]
        if case == "stream" and asked.get("stream"):
            return Paced(tuple(text_stream(asked)), "complete", self._arrivals[model])
        if case == "leaving":
            return Unfinished(self._begun[model], self._left[model])
        if case == "broken" and asked.get("stream"):
            return replies.sse(begun("Hel", "lo "), done=False, ending="close")
        return _ANSWERS.get(case, lambda _: _refused("A stream was wanted."))(asked)


def _refused(message: str) -> Reply:
    return replies.api_error(400, "wrong", message)


def _said(asked: Mapping[str, Any], text: str) -> Reply:
    if asked.get("stream"):
        return replies.sse(whole(asked, *begun(text)), done=False)
    return replies.completion(text)


def _called(asked: Mapping[str, Any], calls: Sequence[tuple[str, str]]) -> Reply:
    """Call tools: names and arguments, of which the last ones come in two pieces."""
    whole_calls = [
        {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": text}}
        for n, (name, text) in enumerate(calls)
    ]
    if not asked.get("stream"):
        message = {"role": "assistant", "content": None, "tool_calls": whole_calls}
        choices = [{"index": 0, "message": message, "finish_reason": "tool_calls"}]
        return replies.completion(choices=choices)
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None}]
    for index, call in enumerate(whole_calls):
        name, text = calls[index]
        head = {**call, "function": {"name": name, "arguments": ""}}
        parts = [{"function": {"arguments": part}} for part in (text[:6], text[6:])]
        deltas += [{"tool_calls": [{"index": index, **part}]} for part in (head, *parts)]
    events = whole(asked, *map(chunk, deltas), finish_reason="tool_calls")
    return replies.sse(events, done=False)


def _names(asked: Mapping[str, Any]) -> list[str]:
    return [tool["function"]["name"] for tool in asked.get("tools") or []]


def _results(asked: Mapping[str, Any]) -> list[str]:
    return [m["tool_call_id"] for m in asked["messages"] if m["role"] == "tool"]


def _tools(asked: Mapping[str, Any]) -> Reply:
    """Call the weather twice at once, and tell it when both results are there.

    smolagents writes the results into a text, and takes its answer from a tool.
    """
    names = _names(asked)
    if any(shell in names for shell in _SHELLS):
        return _shell(asked)
    if "get_weather" not in names:
        return _refused("There is no get_weather.")
    if "final_answer" in names and "sunny" in json.dumps(asked["messages"]):
        return _called(asked, [("final_answer", json.dumps({"answer": WEATHER}))])
    if not _results(asked):
        return _called(asked, [("get_weather", json.dumps({"city": city})) for city in _CITIES])
    if sorted(_results(asked)) != ["call_0", "call_1"]:
        return _refused("Results of both calls were wanted, and each once.")
    return _said(asked, WEATHER)


def _shell(asked: Mapping[str, Any]) -> Reply:
    """Run one command, and tell the weather when its result is what the command printed."""
    shell = next(name for name in _SHELLS if name in _names(asked))
    results = [m for m in asked["messages"] if m["role"] == "tool"]
    if not results:
        return _called(asked, [(shell, json.dumps({_SHELLS[shell]: "cat weather.txt"}))])
    if SHELL_RESULT not in json.dumps(results[-1]["content"]):
        return _refused("The result of the command was wanted.")
    return _said(asked, WEATHER)


def _structured(asked: Mapping[str, Any]) -> Reply:
    """Fill in what the request insists on: a tool, or else a schema or a prompt that has one."""
    takes = [tool["function"] for tool in asked.get("tools") or [] if "year" in json.dumps(tool)]
    if takes and asked.get("tool_choice") not in (None, "auto"):
        return _called(asked, [(takes[0]["name"], PERSON)])
    if "year" in json.dumps([asked.get("response_format"), asked["messages"]]):
        return _said(asked, PERSON)
    if takes:
        return _called(asked, [(takes[0]["name"], PERSON)])
    return _refused("A form of a person was wanted.")


def _turns(asked: Mapping[str, Any]) -> Reply:
    """Answer once more only to one who repeats what was said, each once and in order."""
    said = [m["role"] for m in asked["messages"] if m["role"] in ("user", "assistant")]
    answers = [m["content"] for m in asked["messages"] if m["role"] == "assistant"]
    if not answers:
        return _said(asked, "Hello")
    if said[-2:] != ["assistant", "user"] or len(answers) > 1 or "Hello" not in str(answers):
        return _refused("The first answer was wanted between the questions.")
    return _said(asked, "Hello again")


_ANSWERS = {
    "turns": _turns,
    "plain": lambda asked: _said(asked, "Hello"),
    "broken": lambda asked: _said(asked, "Hello"),
    "tools": _tools,
    "structured": _structured,
    "refused": lambda _: replies.api_error(404, "model_not_found"),
    "busy": lambda _: replies.api_error(503),
}
