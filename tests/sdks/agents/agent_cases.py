"""What is done with each client of agents, and what must come out: the columns of the table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.sdks.agents.agent_upstream import WEATHER
from tests.sdks.upstream import PIECES


@dataclass(frozen=True)
class AgentCase:
    """One thing that a user does, and what must come out.

    `says` is what the service tells where it fails, which the user must be able to read. `asked`
    counts the requests that reach the upstream: the service asks it twice before it answers 503.
    """

    name: str
    title: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    says: str = ""
    asked: int = 1


AGENT_CASES = (
    AgentCase("plain", "answer", {"text": "Hello"}),
    AgentCase("stream", "stream", {"texts": list(PIECES)}),
    AgentCase("turns", "two turns", {"text": "Hello again"}, asked=2),
    AgentCase("tools", "tools", {"cities": ["Oslo", "Paris"], "text": WEATHER}, asked=2),
    AgentCase("structured", "object", {"parsed": {"name": "Ada", "year": 1815}}),
    AgentCase("refused", "404", says="must be a model the model service has"),
    AgentCase("busy", "503 that lasts", says="The model service is unavailable", asked=2),
    AgentCase("broken", "broken stream", {"text": "Hello "}, says="before it was complete"),
    AgentCase("leaving", "leaving", {"left": True}),
)
