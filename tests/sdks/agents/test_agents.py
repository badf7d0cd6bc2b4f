"""Every client of agents shows its user what it should: one test for each cell of docs/sdks.md."""

from collections.abc import Callable, Iterator

import pytest

from tests.sdks.agents.agent_bench import AgentBench, SeenByAgent, open_agent_bench
from tests.sdks.agents.agent_cases import AGENT_CASES, AgentCase
from tests.sdks.agents.agent_clients import AGENT_CLIENTS, TERMINALS, AgentClient
from tests.sdks.agents.agent_table import (
    render_agents,
    render_terminals,
    shown_by_agent,
    wanted_of_agent,
)
from tests.sdks.running import run_once
from tests.sdks.table import COMMAND, PAGE

See = Callable[[AgentClient], SeenByAgent]
CELLS = [
    pytest.param(client, case, id=f"{client.name}-{case.name}")
    for client in (*AGENT_CLIENTS, *TERMINALS)
    for case in AGENT_CASES
    if client.has(case)
]
pytestmark = [pytest.mark.more, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentBench]:
    """Run the service."""
    with open_agent_bench(tmp_path_factory.mktemp("agents")) as opened:
        yield opened


@pytest.fixture(scope="module")
def see(bench: AgentBench) -> See:
    """Run a client's program when its first test comes, and keep what it showed."""
    shown_by = run_once(bench.run, lambda client: client.name)

    def seen_by(client: AgentClient) -> SeenByAgent:
        # They take 800 MB, which the tests that everybody runs do without.
        if client.binary and not client.is_installed:
            pytest.skip("the programs for terminals are not installed: run make test-agents")
        return shown_by(client)

    return seen_by


@pytest.mark.parametrize(("client", "case"), CELLS)
def test_the_user_of_an_agent_sees_what_is_right(
    client: AgentClient, case: AgentCase, see: See
) -> None:
    assert shown_by_agent(client, see(client), case) == wanted_of_agent(client, case)


@pytest.mark.parametrize(
    ("clients", "render"), [(AGENT_CLIENTS, render_agents), (TERMINALS, render_terminals)]
)
def test_the_page_says_what_the_clients_showed(
    clients: tuple[AgentClient, ...],
    render: Callable[[dict[str, SeenByAgent]], str],
    see: See,
) -> None:
    page = render({client.name: see(client) for client in clients})

    assert page in PAGE.read_text("utf-8"), f"docs/sdks.md is not up to date; run {COMMAND}"
