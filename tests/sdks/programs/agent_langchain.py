"""Takes the steps of agents with LangChain's models: Responses, and anthropic's Messages."""

from collections.abc import Generator
from typing import Any

from agent_steps import FORM, HELLO, MORE, Client, Person, Tool, take_steps
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from reporting import Step

DISTRIBUTIONS = {"responses": "langchain-openai", "messages": "langchain-anthropic"}


def answer(step: Step) -> str:
    """Ask for an answer in one piece."""
    return _model(step).invoke(HELLO).text


def go_on(step: Step) -> str:
    """Ask once more, with what was said before."""
    first = _model(step).invoke(HELLO)
    return _model(step).invoke([HumanMessage(HELLO), first, HumanMessage(MORE)]).text


def texts(step: Step) -> Generator[str, None, None]:
    """Ask for a stream."""
    for chunk in _model(step).stream(HELLO):
        yield chunk.text


def use_tool(step: Step, tool: Tool) -> str:
    """Call the tool as often as the model wants it, and send the results back."""
    model = _model(step).bind_tools([tool])
    asked = model.invoke(HELLO)
    results = [ToolMessage(tool(**one["args"]), tool_call_id=one["id"]) for one in asked.tool_calls]
    return model.invoke([HumanMessage(HELLO), asked, *results]).text


def fill_in(step: Step) -> Person:
    """Get an object in place of text."""
    return _model(step).with_structured_output(Person).invoke(HELLO)


def _model(step: Step) -> Any:
    if FORM == "messages":
        base_url = step.base_url.removesuffix("/v1")
        return ChatAnthropic(model=step.model, base_url=base_url, api_key="not-needed")
    return ChatOpenAI(
        model=step.model, base_url=step.base_url, api_key="not-needed", use_responses_api=True
    )


if __name__ == "__main__":
    take_steps(DISTRIBUTIONS[FORM], Client(answer, go_on, texts, use_tool, fill_in))
