"""The command `flask --app wsgi local-model`."""

import time

import click

from llm_api.cli.calling.command import Command
from llm_api.settings.settings import Settings
from llm_api.upstream.bundled_model.llama_server import LlamaServer
from llm_api.upstream.bundled_model.local_judge import DEFAULT_JUDGE_PORT, LocalJudge
from llm_api.upstream.bundled_model.model import DEFAULT_PORT, BundledModel


def local_model_command(settings: Settings) -> click.Command:
    """Create the command."""

    @click.command("local-model", cls=Command, examples=["local-model"], has_json=False)
    @click.option(
        "--port",
        type=click.IntRange(1, 65_535),
        help=f"Where to listen.  [default: {DEFAULT_PORT}; of the judge {DEFAULT_JUDGE_PORT}]",
    )
    @click.option("--judge", is_flag=True, help="Run the vision model of LOCAL_JUDGE_MODEL.")
    def local_model(port: int | None, *, judge: bool) -> None:
        """Run the bundled model on its own.

        For a development server, or as a sidecar of several installations. --judge runs the vision
        model of LOCAL_JUDGE_MODEL instead.
        """
        try:
            if judge:
                model, name, prefix = _judge(settings, port), "local judge", "LOCAL_JUDGE"
            else:
                model, name, prefix = _bundled(settings, port), "bundled model", "LOCAL_MODEL"
        except OSError as error:  # no weights, or the port is in use
            raise click.ClickException(str(error)) from error
        _run(model, name, prefix)

    return local_model


def _bundled(settings: Settings, port: int | None) -> LlamaServer:
    key = settings.local_model.key if settings.local_model else None
    return BundledModel(settings.root, port=port or DEFAULT_PORT, key=key)


def _judge(settings: Settings, port: int | None) -> LlamaServer:
    plan = settings.local_judge
    if plan is None:
        raise click.UsageError("--judge needs LOCAL_JUDGE_MODEL and LOCAL_JUDGE_PROJECTOR.")
    key = plan.endpoint.key if plan.endpoint else None
    return LocalJudge(plan, port=port or DEFAULT_JUDGE_PORT, key=key)


def _run(model: LlamaServer, name: str, prefix: str) -> None:
    """Run a model until Ctrl-C; `prefix` is that of its two settings."""
    model.start()
    click.echo(f"The {name} listens. The service finds it with these lines in .env:")
    click.echo(f"{prefix}_URL={model.url}\n{prefix}_KEY={model.key}")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        model.stop()
