"""Takes the steps of agents with Haystack."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from agent_steps import FORM, HELLO, MORE, Client, Person, Tool, take_steps
from haystack.components.agents import Agent
from haystack.components.generators.chat import OpenAIChatGenerator, OpenAIResponsesChatGenerator
from haystack.dataclasses import ChatMessage, StreamingChunk
from haystack.tools import create_tool_from_function
from haystack.utils import Secret
from reporting import Step


def answer(step: Step) -> str:
    """Ask for an answer in one piece."""
    return _generator(step).run([ChatMessage.from_user(HELLO)])["replies"][0].text


def go_on(step: Step) -> str:
    """Ask once more, with what was said before."""
    said = [ChatMessage.from_user(HELLO)]
    said += _generator(step).run(said)["replies"]
    more = [*said, ChatMessage.from_user(MORE)]
    return _generator(step).run(more)["replies"][0].text


async def texts(step: Step) -> AsyncGenerator[str, None]:
    """Ask for a stream, which is given to a function."""
    pieces: asyncio.Queue[str | None] = asyncio.Queue()

    async def see(chunk: StreamingChunk) -> None:
        await pieces.put(chunk.content)

    running = asyncio.create_task(
        _generator(step).run_async([ChatMessage.from_user(HELLO)], streaming_callback=see)
    )
    running.add_done_callback(lambda _: pieces.put_nowait(None))
    try:
        while (text := await pieces.get()) is not None:
            yield text
        await running
    finally:
        running.cancel()


def use_tool(step: Step, tool: Tool) -> str:
    """Let the agent call the tool."""
    agent = Agent(chat_generator=_generator(step), tools=[create_tool_from_function(tool)])
    agent.warm_up()
    return agent.run([ChatMessage.from_user(HELLO)])["messages"][-1].text


def fill_in(step: Step) -> Person:
    """Get an object in place of text."""
    name = {"responses": "text_format", "chat": "response_format"}[FORM]
    generator = _generator(step, generation_kwargs={name: Person})
    text = generator.run([ChatMessage.from_user(HELLO)])["replies"][0].text
    return Person.model_validate_json(text)


def _generator(step: Step, **parameters: Any) -> Any:
    kind = {"responses": OpenAIResponsesChatGenerator, "chat": OpenAIChatGenerator}[FORM]
    key = Secret.from_token("not-needed")
    return kind(model=step.model, api_base_url=step.base_url, api_key=key, **parameters)


if __name__ == "__main__":
    take_steps("haystack-ai", Client(answer, go_on, texts, use_tool, fill_in))
