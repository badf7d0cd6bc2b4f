"""Takes the steps of agents with pydantic-ai: its `openai:`, `openai-chat:` and `anthropic:`."""

from collections.abc import AsyncGenerator
from typing import Any

from agent_steps import FORM, HELLO, MORE, Client, Person, Tool, take_steps
from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from reporting import Step


async def answer(step: Step) -> str:
    """Ask for an answer in one piece."""
    return (await _agent(step).run(HELLO)).output


async def go_on(step: Step) -> str:
    """Ask once more, with what was said before."""
    agent = _agent(step)
    first = await agent.run(HELLO)
    return (await agent.run(MORE, message_history=first.all_messages())).output


async def texts(step: Step) -> AsyncGenerator[str, None]:
    """Ask for a stream."""
    async with _agent(step).run_stream(HELLO) as running:
        async for text in running.stream_text(delta=True, debounce_by=None):
            yield text


async def use_tool(step: Step, tool: Tool) -> str:
    """Let the agent call the tool."""
    return (await _agent(step, tools=[tool]).run(HELLO)).output


async def fill_in(step: Step) -> Person:
    """Get an object in place of text."""
    return (await _agent(step, output_type=Person).run(HELLO)).output


def _agent(step: Step, **parameters: Any) -> Agent:
    if FORM == "messages":
        base_url = step.base_url.removesuffix("/v1")
        provider = AnthropicProvider(base_url=base_url, api_key="not-needed")
        return Agent(AnthropicModel(step.model, provider=provider), **parameters)
    kind = {"responses": OpenAIResponsesModel, "chat": OpenAIChatModel}[FORM]
    provider = OpenAIProvider(base_url=step.base_url, api_key="not-needed")
    return Agent(kind(step.model, provider=provider), **parameters)


if __name__ == "__main__":
    take_steps("pydantic-ai-slim", Client(answer, go_on, texts, use_tool, fill_in))
