"""Takes the steps of agents with openai-agents, which calls Responses by default."""

from collections.abc import AsyncGenerator
from typing import Any

from agent_steps import FORM, HELLO, MORE, Client, Person, Tool, take_steps
from agents import (
    Agent,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI
from reporting import Step


async def answer(step: Step) -> str:
    """Ask for an answer in one piece."""
    return (await Runner.run(_agent(step), HELLO)).final_output


async def go_on(step: Step) -> str:
    """Ask once more, with what was said before."""
    first = await Runner.run(_agent(step), HELLO)
    said = [*first.to_input_list(), {"role": "user", "content": MORE}]
    return (await Runner.run(_agent(step), said)).final_output


async def texts(step: Step) -> AsyncGenerator[str, None]:
    """Ask for a stream."""
    running = Runner.run_streamed(_agent(step), HELLO)
    try:
        async for event in running.stream_events():
            if (
                getattr(event.data, "type", "") == "response.output_text.delta"
                if (event.type == "raw_response_event")
                else False
            ):
                yield event.data.delta
    finally:
        running.cancel()


async def use_tool(step: Step, tool: Tool) -> str:
    """Let the runner call the tool."""
    return (await Runner.run(_agent(step, tools=[function_tool(tool)]), HELLO)).final_output


async def fill_in(step: Step) -> Person:
    """Get an object in place of text."""
    return (await Runner.run(_agent(step, output_type=Person), HELLO)).final_output


def _agent(step: Step, **parameters: Any) -> Agent:
    kind = {"responses": OpenAIResponsesModel, "chat": OpenAIChatCompletionsModel}[FORM]
    client = AsyncOpenAI(base_url=step.base_url, api_key="not-needed")
    return Agent(name="agent", model=kind(step.model, client), **parameters)


if __name__ == "__main__":
    set_tracing_disabled(True)
    take_steps("openai-agents", Client(answer, go_on, texts, use_tool, fill_in))
