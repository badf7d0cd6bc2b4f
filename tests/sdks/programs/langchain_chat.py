"""Takes steps with langchain-openai, as its users do: through models, not through a client."""

import importlib.metadata
import itertools
from typing import Any

import openai
from langchain_core.messages import ChatMessage, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from pydantic import BaseModel
from reporting import (
    MAX_STRUCTURED_TOKENS,
    MAX_TOKENS,
    SHORT,
    TOO_LONG,
    TOO_LONG_FOR_MODEL,
    WEATHER_TOOL,
    WRONG_ROLE,
    Facts,
    Step,
    StreamWatch,
    error_fields,
    run,
)


class Person(BaseModel):
    """What the model is asked to fill in."""

    name: str
    year: int


def plain(step: Step, facts: Facts) -> None:
    """Ask for an answer in one piece."""
    _note_answer(_chat(step).invoke("hello"), facts)


def wrong_parameter(step: Step, facts: Facts) -> None:
    """Ask with a number that is out of range."""
    _note_answer(_chat(step, temperature=9).invoke("hello"), facts)


def wrong_role(step: Step, facts: Facts) -> None:
    """Ask with a message of nobody."""
    messages = [ChatMessage(role=message["role"], content="x") for message in WRONG_ROLE]
    _note_answer(_chat(step).invoke(messages), facts)


def too_large(step: Step, facts: Facts) -> None:
    """Ask with more text than the service takes."""
    _note_answer(_chat(step).invoke(TOO_LONG), facts)


def overflow(step: Step, facts: Facts) -> None:
    """Ask with more text than a small model can read."""
    _note_answer(_chat(step).invoke(TOO_LONG_FOR_MODEL), facts)


def options(step: Step, facts: Facts) -> None:
    """Ask for two answers that end before a word, and for the odds of their tokens."""
    answers = _chat(step, **SHORT).generate([[HumanMessage("hello")]]).generations[0]
    notes = [answer.message.response_metadata for answer in answers]
    facts |= {
        "finish_reasons": [note["finish_reason"] for note in notes],
        "texts": [answer.text for answer in answers],
        "tokens": [note["logprobs"]["content"][0]["token"] for note in notes],
    }


def wrong_type(step: Step, facts: Facts) -> None:
    """Ask with a body that is not announced as JSON."""
    model = _chat(step, default_headers={"Content-Type": "text/plain"})
    _note_answer(model.invoke("hello"), facts)


def stream(step: Step, facts: Facts) -> None:
    """Ask for a stream."""
    _watch(_chat(step), step, facts)


def stream_usage(step: Step, facts: Facts) -> None:
    """Ask for a stream with the usage at its end."""
    _watch(_chat(step, stream_usage=True), step, facts)


def reasoning(step: Step, facts: Facts) -> None:
    """Collect the text beside the thoughts of a model, which are not given to the user."""
    facts["text"] = "".join(chunk.text for chunk in _chat(step).stream("hello"))


def pictures(step: Step, facts: Facts) -> None:
    """Measure the text of a stream: pictures that are beside it are not given to the user."""
    facts["text"] = sum(len(chunk.text) for chunk in _chat(step).stream("hello"))


def tools(step: Step, facts: Facts) -> None:
    """Let the model call a tool, and answer it."""
    model = _chat(step).bind_tools([WEATHER_TOOL])
    asked = model.invoke("hello")
    facts["finish_reason"] = asked.response_metadata["finish_reason"]
    facts["calls"] = _called(asked)
    results = [ToolMessage("sunny", tool_call_id=call["id"]) for call in asked.tool_calls]
    facts["text"] = model.invoke([HumanMessage("hello"), asked, *results]).content


def stream_tools(step: Step, facts: Facts) -> None:
    """Put streamed calls of tools together by adding the chunks up."""
    first, *others = _chat(step).bind_tools([WEATHER_TOOL]).stream("hello")
    final = first
    for chunk in others:
        final += chunk
    facts["finish_reason"] = final.response_metadata["finish_reason"]
    facts["calls"] = _called(final)


def structured(step: Step, facts: Facts) -> None:
    """Get an object in place of text."""
    model = _chat(step, max_tokens=MAX_STRUCTURED_TOKENS, temperature=0)
    parsed = model.with_structured_output(Person).invoke("hello")
    facts |= {"class": type(parsed).__name__, "parsed": parsed.model_dump()}


def text(step: Step, facts: Facts) -> None:
    """Continue a text."""
    generation = _text_model(step).generate(["Once"]).generations[0][0]
    finish_reason = generation.generation_info["finish_reason"]
    facts |= {"text": generation.text, "finish_reason": finish_reason}


def stream_text(step: Step, facts: Facts) -> None:
    """Continue a text, piece by piece, which is all that its users get."""
    watch = StreamWatch(step, facts)
    for piece in _text_model(step).stream("Once"):
        watch.see(piece, None)


def embeddings(step: Step, facts: Facts) -> None:
    """Embed two texts, unsplit: to count tokens, a vocabulary would be downloaded."""
    model = OpenAIEmbeddings(
        model=step.model, check_embedding_ctx_length=False, **_connection(step)
    )
    facts["vectors"] = model.embed_documents(["a", "b"])


def describe(error: Exception) -> Facts:
    """Tell what a user can read on an exception."""
    if not isinstance(error, openai.APIError):
        return {"message": str(error)}
    headers = error.response.headers if isinstance(error, openai.APIStatusError) else {}
    return {
        "status": getattr(error, "status_code", None),
        "retry_after": headers.get("retry-after"),
        "request_id": getattr(error, "request_id", None),
        **error_fields(error.body),
        "type": error.type,
        "param": error.param,
        "code": error.code,
    }


def _connection(step: Step) -> dict[str, Any]:
    repeats = {} if step.repeats else {"max_retries": 0}
    return {"base_url": step.base_url, "api_key": "not-needed", **repeats}


def _chat(step: Step, **parameters: Any) -> ChatOpenAI:
    arguments = {"max_tokens": MAX_TOKENS, **_connection(step), **parameters}
    return ChatOpenAI(model=step.model, **arguments)


def _text_model(step: Step) -> OpenAI:
    return OpenAI(model=step.model, max_tokens=MAX_TOKENS, temperature=0, **_connection(step))


def _called(message: Any) -> list[Any]:
    return [[call["id"], call["name"], call["args"]] for call in message.tool_calls]


def _note_answer(answer: Any, facts: Facts) -> None:
    facts |= {
        "text": answer.content,
        "finish_reason": answer.response_metadata["finish_reason"],
        "total_tokens": answer.usage_metadata["total_tokens"],
    }


def _watch(model: ChatOpenAI, step: Step, facts: Facts) -> None:
    chunks = model.stream("hello")
    first = next(chunks)  # only this sends the request
    watch = StreamWatch(step, facts)
    for chunk in itertools.chain([first], chunks):
        watch.see(chunk.text, chunk.response_metadata.get("finish_reason"))
        if chunk.usage_metadata:
            watch.see_usage(None, chunk.usage_metadata["total_tokens"])


ACTIONS = {
    action.__name__: action
    for action in (
        plain,
        wrong_parameter,
        wrong_role,
        too_large,
        overflow,
        options,
        wrong_type,
        stream,
        stream_usage,
        reasoning,
        pictures,
        tools,
        stream_tools,
        structured,
        text,
        stream_text,
        embeddings,
    )
}

if __name__ == "__main__":
    run(importlib.metadata.version("langchain-openai"), ACTIONS, describe)
