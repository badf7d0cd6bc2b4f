"""Takes the steps of agents with openai-python's Responses."""

import json
from collections.abc import Generator

from agent_steps import HELLO, MORE, Client, Person, Tool, take_steps
from openai import OpenAI
from reporting import WEATHER_TOOL, Step


def answer(step: Step) -> str:
    """Ask for an answer in one piece."""
    return _responses(step).create(model=step.model, input=HELLO).output_text


def go_on(step: Step) -> str:
    """Ask once more, with what was said before."""
    said = [{"role": "user", "content": HELLO}]
    first = _responses(step).create(model=step.model, input=said)
    said = [*said, *first.output, {"role": "user", "content": MORE}]
    return _responses(step).create(model=step.model, input=said).output_text


def texts(step: Step) -> Generator[str, None, None]:
    """Ask for a stream by the helper, which raises where no whole answer comes."""
    with _responses(step).stream(model=step.model, input=HELLO) as events:
        for event in events:
            if event.type == "response.output_text.delta":
                yield event.delta
        events.get_final_response()


def use_tool(step: Step, tool: Tool) -> str:
    """Call the tool as often as the model wants it, and send the results back."""
    tools = [{"type": "function", **WEATHER_TOOL["function"]}]
    said = [{"role": "user", "content": HELLO}]
    first = _responses(step).create(model=step.model, input=said, tools=tools)
    calls = [item for item in first.output if item.type == "function_call"]
    results = [
        {
            "type": "function_call_output",
            "call_id": call.call_id,
            "output": tool(**json.loads(call.arguments)),
        }
        for call in calls
    ]
    said = [*said, *first.output, *results]
    return _responses(step).create(model=step.model, input=said, tools=tools).output_text


def fill_in(step: Step) -> Person:
    """Get an object in place of text."""
    answered = _responses(step).parse(model=step.model, input=HELLO, text_format=Person)
    return answered.output_parsed


def _responses(step: Step) -> "OpenAI.responses":
    return OpenAI(base_url=step.base_url, api_key="not-needed").responses


if __name__ == "__main__":
    take_steps("openai", Client(answer, go_on, texts, use_tool, fill_in))
