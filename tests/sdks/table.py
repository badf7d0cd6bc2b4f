"""Writes docs/sdks.md from a run: python -m tests.sdks.table."""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.sdks.agents.agent_bench import open_agent_bench
from tests.sdks.agents.agent_clients import AGENT_CLIENTS, TERMINALS
from tests.sdks.agents.agent_table import render_agents, render_terminals
from tests.sdks.case import Case
from tests.sdks.cases import SECTIONS
from tests.sdks.expected import shown, wanted
from tests.sdks.picture_bench import open_picture_bench
from tests.sdks.picture_cases import PICTURE_SDKS
from tests.sdks.picture_table import render_pictures
from tests.sdks.running import SDKS, Sdk, Seen, open_bench, run_all
from tests.support.service import REPOSITORY_ROOT

PAGE = REPOSITORY_ROOT / "docs" / "sdks.md"
COMMAND = ".venv/bin/python -m tests.sdks.table"
_INTRODUCTION = """\
# SDKs

Each cell is a test: `make test-sdks` runs the real SDKs against the service and compares this page with what they showed.
The page is written by `{command}`.

`yes` means that the user of the SDK got everything that the case names.
The name of a class is the exception that the user catches; message, type, param, code and request id can be read on it (the request id of a broken stream in the `details` of the error's body).
The one exception is a 503 in openai 0.28, which throws its body away; the request id is left.
`–` means that the SDK has nothing of the kind, **no** that the test fails.
Statuses 401 and 403 are missing because callers have no keys, and 500 because only a fault of the service's own makes it.
"""  # noqa: E501  # one sentence a line

FILMS = """\
## Films

A scripted Ark makes the films of openai-python 3 and openai-node 7: `create`, with a file or a link as the first frame, polling, `retrieve`, `list`, `download_content`, whole and in part, `delete`, and what is raised for films that are not ready, refused or not there.
openai-node has no `create_and_poll`.
"""  # noqa: E501  # one sentence a line


def render(seen: Mapping[str, Seen]) -> str:
    """Make the page of what every SDK showed."""
    parts = [_INTRODUCTION.format(command=COMMAND)]
    for title, cases in SECTIONS.items():
        heads = [f"{sdk.title} {seen[sdk.name].version}" for sdk in SDKS]
        rows = [_row(["", *heads]), _row(["---"] * (len(SDKS) + 1))]
        rows += [_row([case.title, *(_cell(sdk, seen, case) for sdk in SDKS)]) for case in cases]
        parts.append(f"## {title}\n\n" + "".join(rows))
    return "\n".join(parts)


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |\n"


def _cell(sdk: Sdk, seen: Mapping[str, Seen], case: Case) -> str:
    if not sdk.has(case):
        return "–"
    facts = shown(sdk, seen[sdk.name], case)
    if facts != wanted(sdk, case):
        return "**no**"
    return f"`{facts['raised']['class']}`" if case.failure else "yes"


def main() -> None:
    """Run every SDK and write the page."""
    with tempfile.TemporaryDirectory() as directory:
        with open_bench(Path(directory)) as bench:
            page = render(run_all(bench))
        with open_picture_bench(Path(directory) / "pictures") as pictures:
            seen = {sdk.title: pictures.run(sdk) for sdk in PICTURE_SDKS}
        with open_agent_bench(Path(directory) / "agents") as agents:
            shown = {client.name: agents.run(client) for client in (*AGENT_CLIENTS, *TERMINALS)}
    agents, terminals = render_agents(shown), render_terminals(shown)
    parts = [page, agents, terminals, FILMS, render_pictures(seen)]
    PAGE.write_text("\n".join(parts), "utf-8")
    sys.stdout.write(f"{PAGE.relative_to(REPOSITORY_ROOT)} is written.\n")


if __name__ == "__main__":
    main()
