"""The command `flask --app wsgi chat`: asks a model, and writes its answer as it comes in."""

import json
import sys
from collections.abc import Iterator
from contextlib import closing

import click
import marshmallow as ma
from flask import current_app
from flask.cli import with_appcontext

from llm_api.cli.own_model import require_model
from llm_api.domain.calls import Caller, ModelRequest
from llm_api.errors import ApiError
from llm_api.observability.logging import new_request_id
from llm_api.services.chat import AnswerStream
from llm_api.settings.settings import Settings
from llm_api.web.request.context import services
from llm_api.web.rest.schemas import ChatRequestSchema
from llm_api.web.schema_fields import invalid_request

_ROUTE = "flask chat"


def chat_command(settings: Settings) -> click.Command:
    """Create the command `chat`."""

    @click.command("chat")
    @click.argument("prompt")
    @click.option("--model", help="The model.  [default: the fast upstream's]")
    @click.option("--system", help="What the model is told beforehand.")
    @with_appcontext
    def chat(prompt: str, model: str | None, system: str | None) -> None:
        """Ask a model PROMPT, and write its answer as it comes in.

        A PROMPT of - is read from standard input. Without a configured upstream the bundled model
        is started for the time of the command.
        """
        request = _request(_text(prompt), model, system)
        require_model(settings)
        try:
            _write(request)
        except ApiError as error:
            raise click.ClickException(error.message) from error
        finally:
            current_app.extensions["llm_api_spool"].close()  # the usage row is written here

    return chat


def _text(prompt: str) -> str:
    if prompt != "-":
        return prompt
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise click.UsageError("Standard input must be text in UTF-8.") from error


def _request(prompt: str, model: str | None, system: str | None) -> ModelRequest:
    messages = [("system", system), ("user", prompt)]
    fields = {
        "model": model,
        "messages": [{"role": role, "content": text} for role, text in messages if text],
    }
    try:
        request: ModelRequest = ChatRequestSchema().load(fields)
    except ma.ValidationError as error:
        raise click.UsageError(invalid_request(error.messages).message) from error
    return request


def _write(request: ModelRequest) -> None:
    """Write the answer; raises ApiError, also after some of it."""
    caller = Caller(new_request_id(), _ROUTE)
    with closing(services().chat.stream(request, caller).answer) as answer:
        for text in _texts(answer):
            click.echo(text, nl=False)
    click.echo()


def _texts(answer: AnswerStream) -> Iterator[str]:
    for batch in answer:
        for chunk in batch:
            for choice in json.loads(chunk).get("choices", ()):
                yield choice.get("delta", {}).get("content") or ""
