"""Takes the steps of agents with LlamaIndex."""

from collections.abc import AsyncGenerator
from typing import Any

from agent_steps import HELLO, MORE, Client, Person, Tool, take_steps
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.llms.openai_like import OpenAILike
from reporting import Step

SAID = [ChatMessage(role="user", content=HELLO)]


def answer(step: Step) -> str:
    """Ask for an answer in one piece."""
    return _model(step).chat(SAID).message.content


def go_on(step: Step) -> str:
    """Ask once more, with what was said before."""
    first = _model(step).chat(SAID).message
    more = [*SAID, first, ChatMessage(role="user", content=MORE)]
    return _model(step).chat(more).message.content


async def texts(step: Step) -> AsyncGenerator[str, None]:
    """Ask for a stream."""
    async for piece in await _model(step).astream_chat(SAID):
        yield piece.delta


async def use_tool(step: Step, tool: Tool) -> str:
    """Let the agent call the tool."""
    agent = FunctionAgent(tools=[tool], llm=_model(step))
    return str(await agent.run(HELLO))


def fill_in(step: Step) -> Person:
    """Get an object in place of text."""
    return _model(step).structured_predict(Person, PromptTemplate(HELLO))


def _model(step: Step) -> Any:
    return OpenAILike(
        model=step.model,
        api_base=step.base_url,
        api_key="not-needed",
        is_chat_model=True,
        is_function_calling_model=True,
    )


if __name__ == "__main__":
    take_steps("llama-index-llms-openai-like", Client(answer, go_on, texts, use_tool, fill_in))
