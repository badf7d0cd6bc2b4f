"""Takes steps with openai 0.28."""

from typing import Any

import openai
from reporting import (
    HELLO,
    MAX_TOKENS,
    SHORT,
    TOO_LONG,
    TOO_LONG_FOR_MODEL,
    WRONG_ROLE,
    Facts,
    Step,
    StreamWatch,
    error_fields,
    run,
)


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


def engine(step: Step, facts: Facts) -> None:
    """Name an engine in place of a model, which makes another path."""
    answer = openai.ChatCompletion.create(
        engine=step.model, messages=HELLO, max_tokens=MAX_TOKENS, api_base=step.base_url
    )
    _note_answer(answer, facts)


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
            facts["reasoning"] += choice.delta.get("reasoning_content") or ""
            facts["text"] += choice.delta.get("content") or ""


def models(step: Step, facts: Facts) -> None:
    """List the models."""
    listed = openai.Model.list(api_base=step.base_url)
    facts["is_listed"] = step.model in [model.id for model in listed.data]


def model(step: Step, facts: Facts) -> None:
    """Retrieve one model."""
    found = openai.Model.retrieve(step.model, api_base=step.base_url)
    facts |= {"id": found.id, "object": found.object}


def text(step: Step, facts: Facts) -> None:
    """Continue a text."""
    answer = openai.Completion.create(
        model=step.model,
        prompt="Once",
        max_tokens=MAX_TOKENS,
        temperature=0,
        api_base=step.base_url,
    )
    choice = answer.choices[0]
    facts |= {"text": choice.text, "finish_reason": choice.finish_reason}


def stream_text(step: Step, facts: Facts) -> None:
    """Continue a text, piece by piece."""
    watch = StreamWatch(step, facts)
    asked = {"model": step.model, "prompt": "Once", "max_tokens": MAX_TOKENS, "temperature": 0}
    for chunk in openai.Completion.create(api_base=step.base_url, stream=True, **asked):
        for choice in chunk.choices:
            watch.see(choice.text, choice.finish_reason)


def embeddings(step: Step, facts: Facts) -> None:
    """Embed two texts, as numbers: this SDK needs NumPy for anything else."""
    answer = openai.Embedding.create(
        model=step.model, input=["a", "b"], encoding_format="float", api_base=step.base_url
    )
    facts["vectors"] = [list(entry.embedding) for entry in answer.data]


def describe(error: Exception) -> Facts:
    """Tell what a user can read on an exception."""
    if not isinstance(error, openai.error.OpenAIError):
        return {"message": str(error)}
    fields = error_fields((error.json_body or {}).get("error"))
    return {
        "status": error.http_status,
        "retry_after": (error.headers or {}).get("Retry-After"),
        "request_id": error.request_id,
        **fields,
        "message": fields["message"] or error.user_message,
    }


def _create(step: Step, **parameters: Any) -> Any:
    arguments = {"messages": HELLO, "max_tokens": MAX_TOKENS, **parameters}
    return openai.ChatCompletion.create(model=step.model, api_base=step.base_url, **arguments)


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
        for choice in chunk.choices or [None]:
            delta = choice.delta if choice else {}
            watch.see(delta.get("content"), choice.finish_reason if choice else None)
        if chunk.get("usage"):
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
        engine,
        stream,
        stream_usage,
        reasoning,
        models,
        model,
        text,
        stream_text,
        embeddings,
    )
}

if __name__ == "__main__":
    openai.api_key = "not-needed"
    run(openai.version.VERSION, ACTIONS, describe)
