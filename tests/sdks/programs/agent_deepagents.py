"""Takes the steps of agents with deepagents, whose `openai:` calls Responses."""

import os
from collections.abc import AsyncGenerator
from typing import Any

from agent_steps import HELLO, MORE, Client, Person, Tool, take_steps
from deepagents import create_deep_agent
from reporting import Step

SAID = {"messages": [{"role": "user", "content": HELLO}]}


def answer(step: Step) -> str:
    """Ask for an answer in one piece."""
    return _agent(step).invoke(SAID)["messages"][-1].text


def go_on(step: Step) -> str:
    """Ask once more, with what was said before."""
    agent = _agent(step)
    said = agent.invoke(SAID)["messages"]
    more = {"messages": [*said, {"role": "user", "content": MORE}]}
    return agent.invoke(more)["messages"][-1].text


async def texts(step: Step) -> AsyncGenerator[str, None]:
    """Ask for a stream; one that is not asynchronous waits for the next text before it ends."""
    async for chunk, _ in _agent(step).astream(SAID, stream_mode="messages"):
        yield chunk.text


def use_tool(step: Step, tool: Tool) -> str:
    """Let the agent call the tool."""
    return _agent(step, tools=[tool]).invoke(SAID)["messages"][-1].text


def fill_in(step: Step) -> Person:
    """Get an object in place of text."""
    return _agent(step, response_format=Person).invoke(SAID)["structured_response"]


def _agent(step: Step, **parameters: Any) -> Any:
    os.environ |= {"OPENAI_BASE_URL": step.base_url, "OPENAI_API_KEY": "not-needed"}
    return create_deep_agent(model=f"openai:{step.model}", **parameters)


if __name__ == "__main__":
    take_steps("deepagents", Client(answer, go_on, texts, use_tool, fill_in))
