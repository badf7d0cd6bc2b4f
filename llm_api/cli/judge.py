"""The command `flask --app wsgi judge anchors`."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from flask import current_app
from flask.cli import AppGroup

from llm_api.cli.tables import aligned
from llm_api.domain.calls import Caller
from llm_api.domain.timestamps import utc_text
from llm_api.errors import ApiError
from llm_api.observability.logging import new_request_id
from llm_api.pictures.facts import PicturesUnavailable
from llm_api.pictures.pictures import Pictures
from llm_api.services.alerts.alert_service import Alert
from llm_api.services.anchors import (
    AnchorHistory,
    AnchorRun,
    VerdictLine,
    compared,
    judge_anchors,
    read_anchors,
)
from llm_api.settings.settings import Settings
from llm_api.storage import StoreError
from llm_api.web.request.context import services

_WRONG, _CHANGED = 3, 4
_LEAST_RIGHT = 0.75
_HISTORY = "judge_anchors.jsonl"


def judge_commands(settings: Settings) -> AppGroup:
    """Create the command group `judge`."""
    group = AppGroup("judge", help="Watch over the judge of pictures.")

    @group.command("anchors")
    @click.option("--model", help="The vision model.  [default: the configured judge]")
    @click.option(
        "--history",
        type=click.Path(dir_okay=False, path_type=Path),
        default=settings.instance / _HISTORY,
        help=f"Where results are kept.  [default: {_HISTORY} in INSTANCE_DIR]",
    )
    @click.pass_context
    def anchors(context: click.Context, model: str | None, history: Path) -> None:
        """Judge pictures with known verdicts again, and compare with the last time.

        Exits with 0 if nothing has changed, 1 if the model could not be asked, 3 if fewer than
        three quarters of the known verdicts are right, and 4 if the model judges otherwise than
        the last time.
        """
        known = AnchorHistory(history)
        try:
            run = _judged(model)
            before = known.last_like(run)
            known.add(run)
        except ApiError as error:
            raise click.ClickException(error.message) from error
        except PicturesUnavailable as error:
            raise click.ClickException("The pictures cannot be drawn; try again.") from error
        except OSError as error:
            raise click.ClickException(f"--history: {error.strerror}.") from error
        context.exit(_reported(run, before))

    return group


def _judged(model: str | None) -> AnchorRun:
    parts, pictures = services(), Pictures()
    try:
        return judge_anchors(
            parts.judge,
            pictures,
            read_anchors(),
            _callers(),
            model=model,
            on_judged=lambda anchor: click.echo(f"{anchor.id} is judged", err=True),
        )
    finally:
        # The usage rows are written here.
        parts.tasks.close()
        current_app.extensions["llm_api_spool"].close()
        pictures.close()


def _callers() -> Iterator[Caller]:
    first = new_request_id()
    while True:
        yield Caller(new_request_id(), "flask judge anchors", lineage_id=first)


def _reported(run: AnchorRun, before: AnchorRun | None) -> int:
    """Write what was said, and return the exit status."""
    lines = compared(read_anchors(), before, run)
    click.echo(_table(lines))
    right = [line.is_right for line in lines if line.is_right is not None]
    changed = sum(line.has_changed for line in lines)
    click.echo(f"\n{sum(right)} of {len(right)} known verdicts of {run.model} are right.")
    if before is None:
        click.echo("There is no earlier result to compare with.")
    else:
        click.echo(f"Since {before.at:%Y-%m-%d %H:%M} UTC, {changed} verdicts have changed.")
        if before.answered_by != run.answered_by:
            click.echo(f"The model calls itself {run.answered_by}; it was {before.answered_by}.")
            changed += 1
    status = _judged_by(changed, sum(right), len(right))
    if status:
        counts = {"changed": changed, "right": sum(right), "known": len(right)}
        _alert(run, before, counts)
    return status


def _judged_by(changed: int, right: int, known: int) -> int:
    """Print what is wrong with the judge, and return the exit status."""
    if changed:
        _warn("THE JUDGE HAS CHANGED: scores from before and after cannot be compared.")
        return _CHANGED
    if right < _LEAST_RIGHT * known:
        _warn("THE JUDGE IS OFTEN WRONG: choose another model.")
        return _WRONG
    return 0


def _alert(run: AnchorRun, before: AnchorRun | None, counts: dict[str, int]) -> None:
    """Notify operators by a webhook, which any worker sends."""
    data = {
        "model": run.model,
        "answered_by": run.answered_by,
        "answered_by_before": None if before is None else before.answered_by,
        "since": None if before is None else utc_text(before.at),
        **counts,
    }
    try:
        services().alerts.send(Alert("judge.drift", f"{run.model} {run.at.isoformat()}", data))
    except StoreError as error:
        _warn(f"No alert could be sent. {error}")


def _table(lines: Sequence[VerdictLine]) -> str:
    rows = [("PICTURE", "QUESTION", "KNOWN", "BEFORE", "NOW", "")]
    for line in lines:
        notes = ["WRONG"] if line.is_right is False else []
        notes += ["CHANGED"] if line.has_changed else []
        cells = (line.known, line.before or "-", line.now, " ".join(notes))
        rows.append((line.anchor, line.question, *cells))
    return aligned(rows)


def _warn(text: str) -> None:
    click.echo(text, err=True)
