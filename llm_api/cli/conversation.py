"""Questions and answers of the command `chat`: one of them, or a conversation on a terminal."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from importlib import import_module
from typing import Any

import click

from llm_api.cli.calling.api_client import ApiClient
from llm_api.cli.calling.exit_codes import CommandFailed, json_text
from llm_api.cli.calling.progress import Progress

_PATH = "/v1/chat/completions"
_HELP = """\
/clear    begins anew, without what was said
/system   followed by a text, changes what the model is told beforehand
/exit     leaves, and so does Ctrl-D
Ctrl-C    stops an answer"""


def ask(client: ApiClient, request: Mapping[str, Any], *, as_json: bool, streams: bool) -> None:
    """Ask once, and write the answer; raises CommandFailed, also after some of it.

    Args:
        client: asks the service.
        request: a body of `POST /v1/chat/completions`, without `stream`.
        as_json: whether JSON is written, and not the text alone.
        streams: whether the answer is written as it comes in; in JSON an event a line.
    """
    if not streams:
        with Progress("waiting for the answer"):
            document = client.send("POST", _PATH, request)
        click.echo(json_text(document) if as_json else _whole_text(document))
    elif as_json:
        with closing(client.events(_PATH, {**request, "stream": True})) as events:
            for event in events:
                click.echo(json.dumps(event, ensure_ascii=False))
    else:
        _WrittenAnswer().write(client, request)


def converse(client: ApiClient, options: Mapping[str, Any], system: str | None) -> None:
    """Ask what is typed, with all that was said before, until the end of the input.

    An error is told, and the conversation goes on; Ctrl-C stops an answer, whose beginning stays.
    """
    with suppress(ImportError):  # of some Pythons; lines are edited without their history then
        import_module("readline")
    click.echo("Type a question, /help, or /exit.", err=True)
    said: list[Mapping[str, str]] = []
    while (text := _typed()) is not None:
        command, _, rest = text.partition(" ")
        if command in {"/exit", "/quit"}:
            return
        if command == "/clear":
            said = []
        elif command == "/system":
            system = rest.strip() or None
        elif command.startswith("/"):
            click.echo(_HELP, err=True)
        elif text:
            said = _continued(client, options, system, [*said, _message("user", text)])


def _typed() -> str | None:
    """Return a line that was typed, without blanks around it; None at the end of the input."""
    while True:
        try:
            return input("> ").strip()
        except EOFError:
            click.echo()
            return None
        except KeyboardInterrupt:
            click.echo("\nCtrl-D or /exit leaves.", err=True)


def _continued(
    client: ApiClient,
    options: Mapping[str, Any],
    system: str | None,
    said: list[Mapping[str, str]],
) -> list[Mapping[str, str]]:
    """Answer the last of what was said; return all with the answer, or without the question."""
    before = [_message("system", system)] if system else []
    answer = _WrittenAnswer()
    try:
        answer.write(client, {**options, "messages": [*before, *said]})
    except CommandFailed as failed:
        failed.show()
    except KeyboardInterrupt:
        click.echo("(stopped)", err=True)
    return [*said, _message("assistant", answer.text)] if answer.text else said[:-1]


class _WrittenAnswer:
    """An answer that is written as it comes in, and what of it was written."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, client: ApiClient, request: Mapping[str, Any]) -> None:
        """Write the answer to a request, and end its line; raises CommandFailed."""
        body = {**request, "stream": True}
        try:
            with (
                Progress("waiting for the answer") as progress,
                closing(client.events(_PATH, body)) as events,
            ):
                for text in _texts(events):
                    progress.end()
                    self.text += text
                    click.echo(text, nl=False)
        finally:
            if self.text:
                click.echo()


def _texts(events: Iterator[Mapping[str, Any]]) -> Iterator[str]:
    for event in events:
        for choice in event.get("choices") or ():
            if text := (choice.get("delta") or {}).get("content"):
                yield text


def _whole_text(document: Mapping[str, Any]) -> str:
    texts = (choice["message"].get("content") or "" for choice in document["choices"])
    return "\n".join(texts)


def _message(role: str, content: str) -> Mapping[str, str]:
    return {"role": role, "content": content}
