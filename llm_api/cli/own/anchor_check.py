"""What `judge anchors` does: it judges pictures with known verdicts again."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from llm_api.cli.calling.exit_codes import FAILED, CommandFailed, json_text
from llm_api.cli.calling.local_transport import local_app
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
from llm_api.storage import StoreError
from llm_api.web.request.context import EXTENSION, Services

_WRONG, _CHANGED = 3, 4
_LEAST_RIGHT = 0.75


def check_anchors(model: str | None, history: Path, *, as_json: bool) -> int:
    """Judge the anchors again, report what has changed, and return the exit code.

    Args:
        model: the vision model; None for the configured judge.
        history: where results are kept.
        as_json: whether the report is JSON.

    Raises CommandFailed.
    """
    known = AnchorHistory(history)
    try:
        run = _judged(model)
        before = known.last_like(run)
        known.add(run)
    except ApiError as error:
        raise CommandFailed(error.message, FAILED) from error
    except PicturesUnavailable as error:
        raise CommandFailed("The pictures cannot be drawn; try again.", FAILED) from error
    except OSError as error:
        raise CommandFailed(f"--history: {error.strerror}.", FAILED) from error
    return _reported(run, before, as_json=as_json)


def _judged(model: str | None) -> AnchorRun:
    parts, pictures = _services(), Pictures()
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
        local_app().extensions["llm_api_spool"].close()
        pictures.close()


def _services() -> Services:
    services: Services = local_app().extensions[EXTENSION]
    return services


def _callers() -> Iterator[Caller]:
    first = new_request_id()
    while True:
        yield Caller(new_request_id(), "flask judge anchors", lineage_id=first)


def _reported(run: AnchorRun, before: AnchorRun | None, *, as_json: bool) -> int:
    """Write what was said, and return the exit status."""
    lines = compared(read_anchors(), before, run)
    right = [line.is_right for line in lines if line.is_right is not None]
    changed = sum(line.has_changed for line in lines)
    is_other = before is not None and before.answered_by != run.answered_by
    counts = {"changed": changed + is_other, "right": sum(right), "known": len(right)}
    if as_json:
        click.echo(json_text(_document(run, before, lines) | counts))
    else:
        click.echo(_table(lines))
        click.echo(f"\n{sum(right)} of {len(right)} known verdicts of {run.model} are right.")
        click.echo(_comparison(run, before, changed))
    status = _judged_by(counts["changed"], sum(right), len(right))
    if status:
        _alert(run, before, counts)
    return status


def _comparison(run: AnchorRun, before: AnchorRun | None, changed: int) -> str:
    if before is None:
        return "There is no earlier result to compare with."
    said = f"Since {before.at:%Y-%m-%d %H:%M} UTC, {changed} verdicts have changed."
    if before.answered_by == run.answered_by:
        return said
    return f"{said}\nThe model calls itself {run.answered_by}; it was {before.answered_by}."


def _document(
    run: AnchorRun, before: AnchorRun | None, lines: Sequence[VerdictLine]
) -> dict[str, Any]:
    return {
        **_about(run, before),
        "verdicts": [
            {
                "picture": line.anchor,
                "question": line.question,
                "known": line.known,
                "before": line.before,
                "now": line.now,
                "is_right": line.is_right,
                "has_changed": line.has_changed,
            }
            for line in lines
        ],
    }


def _about(run: AnchorRun, before: AnchorRun | None) -> dict[str, Any]:
    return {
        "model": run.model,
        "answered_by": run.answered_by,
        "answered_by_before": None if before is None else before.answered_by,
        "since": None if before is None else utc_text(before.at),
    }


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
    data = {**_about(run, before), **counts}
    try:
        _services().alerts.send(Alert("judge.drift", f"{run.model} {run.at.isoformat()}", data))
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
