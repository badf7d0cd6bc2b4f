"""Takes the steps of agents with Microsoft's agent-framework."""

from collections.abc import AsyncGenerator
from typing import Any

from agent_framework import Agent
from agent_framework.openai import OpenAIChatClient, OpenAIChatCompletionClient
from agent_steps import FORM, HELLO, MORE, Client, Person, Tool, take_steps
from reporting import Step


async def answer(step: Step) -> str:
    """Ask for an answer in one piece."""
    return (await _agent(step).run(HELLO)).text


async def go_on(step: Step) -> str:
    """Ask once more, with what was said before."""
    agent = _agent(step)
    session = agent.create_session()
    await agent.run(HELLO, session=session)
    return (await agent.run(MORE, session=session)).text


async def texts(step: Step) -> AsyncGenerator[str, None]:
    """Ask for a stream."""
    async for update in _agent(step).run(HELLO, stream=True):
        for content in update.contents:
            # At its end a text comes once more as a whole, to be put in the place of its pieces.
            if content.type == "text" and content.merge_mode != "replace":
                yield content.text


async def use_tool(step: Step, tool: Tool) -> str:
    """Let the agent call the tool."""
    return (await _agent(step, tools=[tool]).run(HELLO)).text


async def fill_in(step: Step) -> Person:
    """Get an object in place of text."""
    return (await _agent(step).run(HELLO, options={"response_format": Person})).value


def _agent(step: Step, **parameters: Any) -> Agent:
    kind = {"responses": OpenAIChatClient, "chat": OpenAIChatCompletionClient}[FORM]
    client = kind(model=step.model, base_url=step.base_url, api_key="not-needed")
    return Agent(client=client, default_options={"store": False}, **parameters)


if __name__ == "__main__":
    take_steps("agent-framework-openai", Client(answer, go_on, texts, use_tool, fill_in))
