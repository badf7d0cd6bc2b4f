"""Takes the steps of agents with agno."""

from collections.abc import AsyncGenerator
from typing import Any

from agent_steps import FORM, HELLO, MORE, Client, Person, Tool, take_steps
from agno.agent import Agent
from agno.db.in_memory import InMemoryDb
from agno.models.openai import OpenAIChat, OpenAIResponses
from reporting import Step


class RunError(Exception):
    """What agno reports as the status of a run, without raising it."""


def answer(step: Step) -> str:
    """Ask for an answer in one piece."""
    return _content_of(_agent(step).run(HELLO))


def go_on(step: Step) -> str:
    """Ask once more, with what was said before."""
    agent = _agent(step, db=InMemoryDb(), add_history_to_context=True)
    agent.run(HELLO)
    return _content_of(agent.run(MORE))


async def texts(step: Step) -> AsyncGenerator[str, None]:
    """Ask for a stream."""
    async for event in _agent(step).arun(HELLO, stream=True):
        if event.event == "RunError":
            raise RunError(event.content)
        if event.event == "RunContent":
            yield event.content


def use_tool(step: Step, tool: Tool) -> str:
    """Let the agent call the tool."""
    return _content_of(_agent(step, tools=[tool]).run(HELLO))


def fill_in(step: Step) -> Person:
    """Get an object in place of text."""
    return _content_of(_agent(step, output_schema=Person).run(HELLO))


def _content_of(run: Any) -> Any:
    if run.status == "ERROR":
        raise RunError(run.content)
    return run.content


def _agent(step: Step, **parameters: Any) -> Agent:
    kind = {"responses": OpenAIResponses, "chat": OpenAIChat}[FORM]
    model = kind(id=step.model, base_url=step.base_url, api_key="not-needed")
    return Agent(model=model, telemetry=False, **parameters)


if __name__ == "__main__":
    take_steps("agno", Client(answer, go_on, texts, use_tool, fill_in))
