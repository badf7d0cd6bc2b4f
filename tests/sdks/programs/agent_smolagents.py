"""Takes the steps of agents with smolagents."""

from collections.abc import Generator
from typing import Any

from agent_steps import HELLO, MORE, Client, Person, Tool, take_steps
from reporting import Step
from smolagents import OpenAIModel, ToolCallingAgent
from smolagents import tool as tool_of

SAID = [{"role": "user", "content": HELLO}]


def answer(step: Step) -> str:
    """Ask for an answer in one piece."""
    return _model(step).generate(SAID).content


def go_on(step: Step) -> str:
    """Ask once more, with what was said before."""
    first = _model(step).generate(SAID)
    return _model(step).generate([*SAID, first, {"role": "user", "content": MORE}]).content


def texts(step: Step) -> Generator[str, None, None]:
    """Ask for a stream; what repeats its requests holds on to it, so that leaving needs more."""
    model = _model(step)
    try:
        for delta in model.generate_stream(SAID):
            yield delta.content
    finally:
        model.client.close()


def use_tool(step: Step, tool: Tool) -> str:
    """Let the agent call the tool."""
    agent = ToolCallingAgent(tools=[tool_of(tool)], model=_model(step), verbosity_level=0)
    return str(agent.run(HELLO))


def fill_in(step: Step) -> Person:
    """Get an object in place of text."""
    form = {"name": "Person", "schema": Person.model_json_schema(), "strict": True}
    wanted = {"type": "json_schema", "json_schema": form}
    return Person.model_validate_json(_model(step).generate(SAID, response_format=wanted).content)


def _model(step: Step) -> Any:
    return OpenAIModel(model_id=step.model, api_base=step.base_url, api_key="not-needed")


if __name__ == "__main__":
    take_steps("smolagents", Client(answer, go_on, texts, use_tool, fill_in))
