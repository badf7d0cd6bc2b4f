"""Takes the steps of agents with DSPy."""

from collections.abc import AsyncGenerator
from typing import Any

import dspy
from agent_steps import HELLO, MORE, Client, Person, take_steps
from reporting import Step


def answer(step: Step) -> str:
    """Ask for an answer in one piece."""
    return _model(step)(HELLO)[0]


def go_on(step: Step) -> str:
    """Ask once more, with what was said before."""
    said = {"role": "assistant", "content": answer(step)}
    more = [{"role": "user", "content": HELLO}, said, {"role": "user", "content": MORE}]
    return _model(step)(messages=more)[0]


async def texts(step: Step) -> AsyncGenerator[str, None]:
    """Ask for a stream: a module that calls the model, made to stream."""
    model = _model(step)

    class Asking(dspy.Module):
        def forward(self, question: str) -> dspy.Prediction:
            return dspy.Prediction(answer=model(question)[0])

    with dspy.context(lm=model):
        async for chunk in dspy.streamify(Asking())(question=HELLO):
            if not isinstance(chunk, dspy.Prediction):
                yield chunk.choices[0].delta.content


def fill_in(step: Step) -> Person:
    """Get an object in place of text."""
    with dspy.context(lm=_model(step), adapter=dspy.JSONAdapter()):
        found = dspy.Predict("question: str -> name: str, year: int")(question=HELLO)
    return Person(name=found.name, year=found.year)


def _model(step: Step) -> Any:
    address = {"api_base": step.base_url, "api_key": "not-needed"}
    return dspy.LM(f"openai/{step.model}", cache=False, **address)


if __name__ == "__main__":
    take_steps("dspy", Client(answer, go_on, texts, fill_in=fill_in))
