"""Takes steps with openai 1, 2 and 3, whose interfaces are the same as far as these go."""

import json
from typing import Any

import openai
from pydantic import BaseModel
from reporting import (
    HELLO,
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
    _note_answer(_create(step), facts)


def wrong_parameter(step: Step, facts: Facts) -> None:
    """Ask with a number that is out of range."""
    _note_answer(_create(step, temperature=9), facts)


def wrong_role(step: Step, facts: Facts) -> None:
    """Ask with a message of nobody."""
    _note_answer(_create(step, messages=WRONG_ROLE), facts)


def too_large(step: Step, facts: Facts) -> None:
    """Ask with more text than the service takes."""
    _note_answer(_create(step, messages=[{"role": "user", "content": TOO_LONG}]), facts)


def overflow(step: Step, facts: Facts) -> None:
    """Ask with more text than a small model can read."""
    messages = [{"role": "user", "content": TOO_LONG_FOR_MODEL}]
    _note_answer(_create(step, messages=messages), facts)


def options(step: Step, facts: Facts) -> None:
    """Ask for two answers that end before a word, and for the odds of their tokens."""
    choices = _create(step, **SHORT).choices
    facts |= {
        "finish_reasons": [choice.finish_reason for choice in choices],
        "texts": [choice.message.content for choice in choices],
        "tokens": [choice.logprobs.content[0].token for choice in choices],
    }


def wrong_type(step: Step, facts: Facts) -> None:
    """Ask with a body that is not announced as JSON."""
    _note_answer(_create(step, extra_headers={"Content-Type": "text/plain"}), facts)


def stream(step: Step, facts: Facts) -> None:
    """Ask for a stream."""
    _watch(_create(step, stream=True), step, facts)


def stream_usage(step: Step, facts: Facts) -> None:
    """Ask for a stream with the usage at its end."""
    _watch(_create(step, stream=True, stream_options={"include_usage": True}), step, facts)


def reasoning(step: Step, facts: Facts) -> None:
    """Collect the thoughts of a model beside its text."""
    facts |= {"reasoning": "", "text": ""}
    for chunk in _create(step, stream=True):
        for choice in chunk.choices:
            facts["reasoning"] += getattr(choice.delta, "reasoning_content", None) or ""
            facts["text"] += choice.delta.content or ""


def pictures(step: Step, facts: Facts) -> None:
    """Measure the pictures of a stream, and what text stands beside them."""
    facts |= {"text": 0, "pictures": []}
    for chunk in _create(step, stream=True):
        for choice in chunk.choices:
            images = getattr(choice.delta, "images", None) or []
            facts["pictures"] += [len(image["image_url"]["url"]) for image in images]
            facts["text"] += len(choice.delta.content or "")


def tools(step: Step, facts: Facts) -> None:
    """Let the model call a tool, and answer it."""
    asked = _create(step, tools=[WEATHER_TOOL]).choices[0]
    facts["finish_reason"] = asked.finish_reason
    facts["calls"] = _called(asked.message.tool_calls)
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
        for call in asked.message.tool_calls
    ]
    messages = [*HELLO, asked.message, *results]
    answer = _create(step, messages=messages, tools=[WEATHER_TOOL])
    facts["text"] = answer.choices[0].message.content


def stream_tools(step: Step, facts: Facts) -> None:
    """Put streamed calls of tools together with the SDK's own helper."""
    asked = {"model": step.model, "messages": HELLO, "tools": [WEATHER_TOOL]}
    with _client(step).chat.completions.stream(**asked) as events:
        done = [event for event in events if event.type == "tool_calls.function.arguments.done"]
        final = events.get_final_completion().choices[0]
    facts["events"] = [[event.name, event.parsed_arguments] for event in done]
    facts |= {"finish_reason": final.finish_reason, "role": final.message.role}
    facts["calls"] = _called(final.message.tool_calls)


def structured(step: Step, facts: Facts) -> None:
    """Get an object in place of text."""
    answer = _client(step).chat.completions.parse(
        model=step.model,
        messages=HELLO,
        response_format=Person,
        max_tokens=MAX_STRUCTURED_TOKENS,
        temperature=0,
    )
    parsed = answer.choices[0].message.parsed
    facts |= {"class": type(parsed).__name__, "parsed": parsed.model_dump()}


def models(step: Step, facts: Facts) -> None:
    """List the models."""
    facts["is_listed"] = step.model in [model.id for model in _client(step).models.list()]


def model(step: Step, facts: Facts) -> None:
    """Retrieve one model."""
    found = _client(step).models.retrieve(step.model)
    facts |= {"id": found.id, "object": found.object}


def text(step: Step, facts: Facts) -> None:
    """Continue a text."""
    answer = _client(step).completions.create(
        model=step.model, prompt="Once", max_tokens=MAX_TOKENS, temperature=0
    )
    choice = answer.choices[0]
    facts |= {"text": choice.text, "finish_reason": choice.finish_reason}


def stream_text(step: Step, facts: Facts) -> None:
    """Continue a text, piece by piece."""
    watch = StreamWatch(step, facts)
    asked = {"model": step.model, "prompt": "Once", "max_tokens": MAX_TOKENS}
    for chunk in _client(step).completions.create(**asked, temperature=0, stream=True):
        for choice in chunk.choices:
            watch.see(choice.text, choice.finish_reason)


def embeddings(step: Step, facts: Facts) -> None:
    """Embed two texts; the SDK asks for base64 and decodes it."""
    answer = _client(step).embeddings.create(model=step.model, input=["a", "b"])
    facts["vectors"] = [list(entry.embedding) for entry in answer.data]


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


def _client(step: Step) -> openai.OpenAI:
    repeats = {} if step.repeats else {"max_retries": 0}
    return openai.OpenAI(base_url=step.base_url, api_key="not-needed", **repeats)


def _create(step: Step, **parameters: Any) -> Any:
    arguments = {"messages": HELLO, "max_tokens": MAX_TOKENS, **parameters}
    return _client(step).chat.completions.create(model=step.model, **arguments)


def _called(calls: Any) -> list[Any]:
    return [[call.id, call.function.name, json.loads(call.function.arguments)] for call in calls]


def _note_answer(answer: Any, facts: Facts) -> None:
    choice = answer.choices[0]
    facts |= {
        "text": choice.message.content,
        "finish_reason": choice.finish_reason,
        "total_tokens": answer.usage.total_tokens,
    }


def _watch(chunks: Any, step: Step, facts: Facts) -> None:
    watch = StreamWatch(step, facts)
    for chunk in chunks:
        for choice in chunk.choices:
            watch.see(choice.delta.content, choice.finish_reason)
        if not chunk.choices:
            watch.see(None, None)
        if chunk.usage:
            watch.see_usage(len(chunk.choices), chunk.usage.total_tokens)


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
        models,
        model,
        text,
        stream_text,
        embeddings,
    )
}

if __name__ == "__main__":
    run(openai.__version__, ACTIONS, describe)
