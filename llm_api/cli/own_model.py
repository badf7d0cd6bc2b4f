"""A bundled model for the time of one command, where neither settings nor gunicorn have one.

The model of a running service is private: its port and key are known to its workers alone.
"""

import os
import sys

import click

from llm_api.cli.commands import PROGRAM
from llm_api.runtime.installation import COMMAND
from llm_api.settings.settings import Settings
from llm_api.upstream.bundled_model.model import BundledModel

_READY_TIMEOUT = 60.0


def require_model(settings: Settings) -> None:
    """Return where a model is configured; else start the bundled one, and this command with it.

    The process begins anew, as the same command with the model's address among its settings; the
    model ends with it.
    """
    if not settings.uses_bundled_model or settings.local_model is not None:
        return
    click.echo(
        "No upstream is configured: the bundled model, which is of DEMO QUALITY, is started for"
        " this command. Set FAST_LLM_API_URL, FAST_LLM_API_KEY and FAST_LLM_MODEL for a real one.",
        err=True,
    )
    try:
        model = BundledModel(settings.root)
    except OSError as error:  # no weights
        raise click.ClickException(str(error)) from error
    model.start()
    if not model.is_ready_within(_READY_TIMEOUT):
        model.stop()
        raise click.ClickException(
            f"The bundled model does not start; `{COMMAND} doctor` looks for the reason."
        )
    model.hand_over()
    found = {"LOCAL_MODEL_URL": model.url, "LOCAL_MODEL_KEY": model.key}
    found["LOCAL_MODEL_KEY_FILE"] = ""  # that of another one, which does not run
    is_ours = click.get_current_context().find_root().info_name == PROGRAM
    command = [sys.executable, "-m", "llm_api" if is_ours else "flask", *sys.argv[1:]]
    os.execve(sys.executable, command, {**os.environ, **found})  # noqa: S606, TID251  # our own command; the environment is handed on, not read
