"""Calls every kind of route with a client that openapi-python-client has generated.

It prints one line of JSON: what a user of the client reads on the parsed answers. The generated
package is found as `client` through PYTHONPATH; arguments: the address and an admin's key.
"""

import json
import sys
import time

from client import AuthenticatedClient
from client.api.keys import (
    change_key,
    create_key,
    disable_key,
    get_key,
    list_keys,
    rotate_key,
)
from client.api.llm import chat, optimize_prompt
from client.api.open_ai import (
    create_chat_completion,
    create_completion,
    create_embeddings,
    create_engine_chat_completion,
    list_models,
    retrieve_model,
)
from client.api.usage import get_usage
from client.models import (
    ChatRequest,
    EmbeddingsRequest,
    EngineChatRequest,
    KeyChange,
    Limits,
    Message,
    MessageRole,
    NewKey,
    OpenAIChatRequest,
    OpenAIMessage,
    OpenAIMessageRole,
    PromptRequest,
    PromptRequestType,
    Rotation,
    TextRequest,
    UsageGroup,
)
from client.types import UNSET

MODEL = "scripted"
HELLO = Message(role=MessageRole.USER, content="hello")
OPENAI_HELLO = OpenAIMessage(role=OpenAIMessageRole.USER, content="hello")


def rest(client: AuthenticatedClient) -> dict[str, object]:
    """Use the REST routes."""
    answer = chat.sync(client=client, body=ChatRequest(messages=[HELLO]))
    wanted = PromptRequest(
        prompt="A cat sitting on a chair", type_=PromptRequestType.IMAGE, include_details=True
    )
    prompt = optimize_prompt.sync(client=client, body=wanted)
    return {
        "chat": [answer.choices[0].message.content, answer.usage.total_tokens],
        "prompt": [prompt.original_prompt, prompt.details.target_model],
        "is_rewritten": prompt.optimized_prompt != prompt.original_prompt,
    }


def openai(client: AuthenticatedClient) -> dict[str, object]:
    """Use the routes of OpenAI's API."""
    asked = OpenAIChatRequest(model=MODEL, messages=[OPENAI_HELLO], temperature=0.5)
    answer = create_chat_completion.sync(client=client, body=asked)
    engine = create_engine_chat_completion.sync(
        MODEL, client=client, body=EngineChatRequest(messages=[OPENAI_HELLO])
    )
    text = create_completion.sync(client=client, body=TextRequest(model=MODEL, prompt="Once"))
    vectors = create_embeddings.sync(
        client=client, body=EmbeddingsRequest(model=MODEL, input_=["a", "b"])
    )
    refused = OpenAIChatRequest(model=MODEL, messages=[OPENAI_HELLO], temperature=9)
    error = create_chat_completion.sync(client=client, body=refused).error
    return {
        "openai_chat": [answer.choices[0].message.content, answer.usage.total_tokens],
        "engine": engine.choices[0].message.content,
        "text": text.choices[0].text,
        "vectors": [one.embedding for one in vectors.data],
        "models": [model.id for model in list_models.sync(client=client).data],
        "model": retrieve_model.sync(MODEL, client=client).owned_by,
        "error": [error.code, error.param, error.details.errors[0].field],
    }


def keys(client: AuthenticatedClient) -> dict[str, object]:
    """Use the routes of keys."""
    issued = create_key.sync(
        client=client, body=NewKey(name="shop", limits=Limits(requests="60/minute"))
    )
    changed = change_key.sync(issued.id, client=client, body=KeyChange(tags=["a"]))
    rotated = rotate_key.sync(issued.id, client=client, body=Rotation(overlap="1h"))
    listed = list_keys.sync(client=client).keys
    shown = get_key.sync(issued.id, client=client)
    disabled = disable_key.sync(issued.id, client=client)
    return {
        "key": [shown.name, shown.state, shown.limits.requests, shown.expires_at],
        "tags": changed.tags,
        "secrets": len({issued.secret, rotated.secret}),
        "keys": [key.name for key in listed],
        "disabled": [disabled.state, disabled.disabled_at is not None],
    }


def usage(client: AuthenticatedClient) -> dict[str, object]:
    """Use the report of the calls that were made: it has them a moment later."""
    groups: dict[str, UsageGroup] = {}
    while not groups.keys() >= {"/v1/embeddings", "/v1/chat/completions"}:
        report = get_usage.sync(client=client, group_by="route")
        groups = {group.route: group for group in report.groups}
        time.sleep(0.05)
    return {
        "calls": groups["/v1/embeddings"].calls,
        "measured": groups["/v1/chat/completions"].measured.calls,
        "hour": groups["/v1/embeddings"].hour is UNSET,
    }


def main() -> None:
    """Make the calls."""
    address, secret = sys.argv[1:]
    with AuthenticatedClient(base_url=address, token=secret) as client:
        facts = {**rest(client), **openai(client), **keys(client), **usage(client)}
    sys.stdout.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main()
