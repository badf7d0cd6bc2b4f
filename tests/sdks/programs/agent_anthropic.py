"""Takes the steps of agents with anthropic's own SDK."""

from collections.abc import Generator
from typing import Any

from agent_steps import HELLO, MORE, Client, Person, Tool, take_steps
from anthropic import Anthropic
from reporting import PLACE, Step

SAID = [{"role": "user", "content": HELLO}]
WEATHER = {"name": "get_weather", "description": "Tells the weather.", "input_schema": PLACE}


def answer(step: Step) -> str:
    """Ask for an answer in one piece."""
    return _create(step).content[0].text


def go_on(step: Step) -> str:
    """Ask once more, with what was said before."""
    said = {"role": "assistant", "content": _create(step).content}
    messages = [*SAID, said, {"role": "user", "content": MORE}]
    return _create(step, messages=messages).content[0].text


def texts(step: Step) -> Generator[str, None, None]:
    """Ask for a stream by the helper."""
    asked = {"model": step.model, "max_tokens": 64, "messages": SAID}
    with _messages(step).stream(**asked) as stream:
        yield from stream.text_stream


def use_tool(step: Step, tool: Tool) -> str:
    """Call the tool as often as the model wants it, and send the results back."""
    first = _create(step, tools=[WEATHER])
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": tool(**block.input)}
        for block in first.content
        if block.type == "tool_use"
    ]
    turns = [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": results},
    ]
    return _create(step, messages=[*SAID, *turns], tools=[WEATHER]).content[0].text


def fill_in(step: Step) -> Person:
    """Get an object in place of text."""
    asked = {"model": step.model, "max_tokens": 64, "messages": SAID}
    return _messages(step).parse(**asked, output_format=Person).parsed_output


def _messages(step: Step) -> Any:
    base_url = step.base_url.removesuffix("/v1")
    return Anthropic(base_url=base_url, api_key="not-needed").messages


def _create(step: Step, **parameters: Any) -> Any:
    return _messages(step).create(
        model=step.model, **{"max_tokens": 64, "messages": SAID, **parameters}
    )


if __name__ == "__main__":
    take_steps("anthropic", Client(answer, go_on, texts, use_tool, fill_in))
