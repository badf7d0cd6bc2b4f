"""What the Python programs share: they take steps and print what the SDK gave its user.

It runs in the environments of the SDKs, so that it imports the standard library alone.
"""

import http.client
import json
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Facts = dict[str, Any]
HELLO = [{"role": "user", "content": "hello"}]
WRONG_ROLE = [*HELLO, {"role": "wizard", "content": "x"}]
MAX_TOKENS = 24
MAX_STRUCTURED_TOKENS = 200
# Two answers of one word, which are the same in every run.
SHORT = {"n": 2, "stop": [" "], "logprobs": True, "top_logprobs": 1, "temperature": 0}
# One byte more than the service takes.
TOO_LONG = "x" * (20 << 20)
TOO_LONG_FOR_MODEL = "hello " * 5_000
PLACE = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather of a city.",
        "parameters": PLACE,
        "strict": True,
    },
}


@dataclass(frozen=True)
class Step:
    """One thing to do with the SDK; `port` is where arrived texts are told, 0 for nowhere."""

    name: str
    action: str
    base_url: str
    model: str
    repeats: bool
    port: int

    def tell_arrival(self) -> None:
        """Tell the upstream that the user has the text, so that it sends the next one."""
        if self.port:
            self._tell("/arrived")

    def wait_for_text(self) -> None:
        """Wait until the upstream has sent the texts of a stream that it does not finish."""
        self._tell("/begun")

    def has_left(self) -> bool:
        """Ask the upstream whether its stream, which the user has left, was left there, too."""
        return bool(self._tell("/left")["is_so"])

    def _tell(self, path: str) -> Facts:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("POST", path, json.dumps({"model": self.model}))
        document: Facts = json.loads(connection.getresponse().read())
        connection.close()
        return document


Action = Callable[[Step, Facts], None]


class StreamWatch:
    """Collects what the user of a stream sees, chunk by chunk."""

    def __init__(self, step: Step, facts: Facts) -> None:
        """Write into the facts as it goes, so that they hold what came before an exception."""
        self._step = step
        self._facts = facts
        facts |= {"texts": [], "finish_reason": None, "usages": []}

    def see(self, text: str | None, finish_reason: str | None) -> None:
        """Take the content of one chunk."""
        self._facts["finish_reason"] = finish_reason or self._facts["finish_reason"]
        for usage in self._facts["usages"]:
            usage["is_last"] = False
        if text:
            self._facts["texts"].append(text)
            self._step.tell_arrival()

    def see_usage(self, choices: int | None, total_tokens: int) -> None:
        """Take the usage of the chunk that was seen last."""
        self._facts["usages"].append(
            {"is_last": True, "choices": choices, "total_tokens": total_tokens}
        )


def run(
    version: str, actions: Mapping[str, Action], describe: Callable[[Exception], Facts]
) -> None:
    """Take the steps that the first argument lists as JSON, and print a line for each."""
    _print({"version": version})
    for document in json.loads(sys.argv[1]):
        step = Step(**document)
        facts: Facts = {}
        try:
            actions[step.action](step, facts)
        except Exception as error:  # noqa: BLE001  # whatever the SDK raises is what is looked at
            traceback.print_exc()
            facts["raised"] = {"class": type(error).__name__, **describe(error)}
        _print({"name": step.name, "facts": facts})


def error_fields(error: object) -> Facts:
    """Pick the fields of an error object in OpenAI's shape."""
    fields = error if isinstance(error, dict) else {}
    details = fields.get("details") or {}
    picked = {name: fields.get(name) for name in ("message", "type", "param", "code")}
    return {**picked, "details_request_id": details.get("request_id")}


def _print(document: Facts) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()
