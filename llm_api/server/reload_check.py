"""Checks a new configuration for gunicorn's master: `python -m llm_api.server.reload_check`.

It reads an order from standard input and writes what it found to standard output, both JSON: see
`Reloader`. Secrets pass through these two pipes alone.
"""

import json
import sys
from pathlib import Path
from typing import Any, TextIO

from gunicorn.util import import_app

from llm_api.server.reload_report import Configuration, changes, needing_restart
from llm_api.settings import held_files
from llm_api.settings.reader import OPEN_ACCESS, is_loopback
from llm_api.settings.settings import SettingsError
from llm_api.settings.sources import files_of

# Spools, pictures and a SQLite database are there: half of the service would look elsewhere.
_MOVED = "INSTANCE_DIR is another folder; move what is in it, and restart the service"


def found(order: dict[str, Any]) -> dict[str, Any]:
    """Read the configuration, load the application by it, and say what has changed.

    Returns:
        `problem`, a text, if it is wrong; else `files` as they were read, `warnings`, `changes`
        and `needs_restart`, lists of texts.
    """
    root = Path(order["root"])
    sys.path[:] = order["path"]
    old_files = {Path(path): text.encode("latin-1") for path, text in order["files"].items()}
    files = files_of(None, root)
    held_files.hold(old_files)
    old = Configuration.read(root)
    held_files.hold(files)
    try:
        new = Configuration.read(root)
        if new.settings.instance != old.settings.instance:
            return {"problem": _MOVED}
        _check_access(new, order["addresses"])
        import_app(order["application"])  # as a worker will
    except SettingsError as error:
        return {"problem": error.line}
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it is, workers would fail
        return {"problem": f"the application does not start with it ({type(error).__name__})"}
    return {
        "files": {str(path): content.decode("latin-1") for path, content in files.items()},
        "warnings": new.settings.warnings,
        "changes": changes(old, new),
        "needs_restart": needing_restart(old, new),
    }


def _check_access(new: Configuration, addresses: list[str]) -> None:
    """Refuse open access through an address on which the service listens already."""
    access = new.settings.access
    is_open = not (access.requires_key or access.allows_open_access)
    if is_open and not all(map(is_loopback, addresses)):
        raise SettingsError([OPEN_ACCESS])


def main(source: TextIO, target: TextIO) -> None:
    """Answer one order."""
    json.dump(found(json.load(source)), target)


if __name__ == "__main__":
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever the application prints
    main(sys.stdin, answers)
