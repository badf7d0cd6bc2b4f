"""Takes the steps of agents with instructor, which is there for objects in place of text."""

from typing import Any

import instructor
from agent_steps import FORM, HELLO, Client, Person, take_steps
from openai import OpenAI
from reporting import Step

SAID = [{"role": "user", "content": HELLO}]


def fill_in(step: Step) -> Person:
    """Get an object in place of text."""
    return _client(step).create(model=step.model, messages=SAID, response_model=Person)


def _client(step: Step) -> Any:
    modes = {"chat": instructor.Mode.TOOLS, "responses": instructor.Mode.RESPONSES_TOOLS}
    client = OpenAI(base_url=step.base_url, api_key="not-needed")
    return instructor.from_openai(client, mode=modes[FORM])


if __name__ == "__main__":
    take_steps("instructor", Client(fill_in, fill_in=fill_in))
