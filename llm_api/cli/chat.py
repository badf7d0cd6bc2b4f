"""The command `chat`: asks a model, and writes its answer as it comes in."""

import sys
from collections.abc import Mapping
from typing import Any

import click

from llm_api.cli.calling.api_client import ApiClient
from llm_api.cli.calling.command import Command, Decorator, given_fields, with_options
from llm_api.cli.calling.exit_codes import FAILED, CommandFailed
from llm_api.cli.calling.target import Target, service_options
from llm_api.cli.completing import complete_models
from llm_api.cli.conversation import ask, converse
from llm_api.settings.reader import FAST
from llm_api.settings.settings import Settings

_EXAMPLES = (
    'chat "Capital of Italy?"',
    "chat --url https://llm.example --key-file key.txt",
    "chat --json - < question.txt",
)


def chat_command(settings: Settings) -> click.Command:
    """Create the command `chat`."""

    @click.command("chat", cls=Command, examples=_EXAMPLES)
    @click.argument("prompt", required=False)
    @_model_options(settings)
    @click.option(
        "--stream/--no-stream",
        default=None,
        help="Write the answer as it comes in, with --json as a line of JSON for each piece."
        "  [default: unless --json]",
    )
    @service_options(settings)
    def chat(
        prompt: str | None,
        stream: bool | None,  # noqa: FBT001  # click gives it by name
        system: str | None,
        target: Target,
        *,
        as_json: bool,
        **fields: Any,
    ) -> None:
        """Ask a model PROMPT, and write its answer as it comes in.

        A PROMPT of - is read from standard input. What is piped in is put behind PROMPT. Without
        both, on a terminal, a conversation begins: /help says how it goes on. Without a configured
        upstream the bundled model is started for the time of the command.
        """
        with target.client(needs_model=True) as client:
            fields["model"] = fields["model"] or _default_model(target, client)
            options = given_fields(fields)
            text = _text(prompt)
            if text is None:
                converse(client, options, system)
                return
            request = {**options, "messages": _messages(system, text)}
            ask(client, request, as_json=as_json, streams=not as_json if stream is None else stream)

    return chat


def _model_options(settings: Settings) -> Decorator:
    """Return what adds the options that are fields of the request."""
    return with_options(
        click.option(
            "--model",
            shell_complete=complete_models(settings),
            help="The model.  [default: the fast upstream's]",
        ),
        click.option("--system", help="What the model is told beforehand."),
        click.option("--temperature", type=click.FloatRange(0, 2), help="0 to 2."),
        click.option("--max-tokens", type=click.IntRange(1), help="The longest answer."),
    )


def _default_model(target: Target, client: ApiClient) -> str:
    """Return the configured model: of a service elsewhere that is the first of its list."""
    if target.url:
        listed: list[Mapping[str, str]] = client.get("/v1/models")["data"]
        if not listed:
            raise CommandFailed("The service has no model for this key; see --model.", FAILED)
        return listed[0]["id"]
    settings = target.settings
    if (plan := settings.upstreams.get(FAST)) is not None:
        return plan.model
    # The client has started it, if nobody else has.
    return "" if settings.local_model is None else settings.local_model.model


def _text(prompt: str | None) -> str | None:
    """Return what is asked; None for a conversation. Raises UsageError."""
    if prompt == "-":
        return _piped()
    if sys.stdin is None or sys.stdin.isatty():
        if prompt is None and not (sys.stdin is not None and sys.stdout.isatty()):
            raise click.UsageError("Give a PROMPT, or pipe one in.")
        return prompt
    piped = _piped()
    if prompt is None:
        return piped
    return f"{prompt}\n\n{piped}" if piped.strip() else prompt


def _piped() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise click.UsageError("Standard input must be text in UTF-8.") from error


def _messages(system: str | None, text: str) -> list[Mapping[str, str]]:
    if not text.strip():
        raise click.UsageError("The messages must have a text: PROMPT, or standard input.")
    said = [{"role": "system", "content": system}] if system else []
    return [*said, {"role": "user", "content": text}]
