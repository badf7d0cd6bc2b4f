"""The tables of agents in docs/sdks.md, and what each client must show."""

from collections.abc import Mapping, Sequence

from tests.sdks.agents.agent_bench import SeenByAgent
from tests.sdks.agents.agent_cases import AGENT_CASES, AgentCase
from tests.sdks.agents.agent_clients import AGENT_CLIENTS, TERMINALS, AgentClient
from tests.sdks.case import Facts

_HEAD = """\
## Agents

Frameworks and SDKs that are given nothing but an address and a model, by the API of ours that they call.
The upstream speaks chat completions alone.

- *answer*, *stream*: each text of a stream arrives before the next is sent.
- *two turns*: a second question, with what the client sends again of the first.
- *tools*: two tools are called at once, and the results are sent back.
- *object*: one of the user's own class or schema in place of text.
- *404*, *503 that lasts*, *broken stream*: the exception that the user catches, and can read our message on.
- The number is that of the requests which reached the upstream, with the client's own repeats on: the service asks twice before it answers 503, so that 2 is one request of the client.
- *leaving*: the user leaves in the middle of a stream, and the upstream's call ends with it.

agno raises nothing: `RunError` is the status of its run.
agent-framework needs `default_options={"store": False}` for Responses, without which it goes on from an answer that nobody keeps and gets a 400 that says so.

"""  # noqa: E501  # one sentence a line
_TERMINALS_HEAD = """\
## Programs for terminals

Run without an account and not interactively: `codex exec` and `claude -p`.
They are 800 MB, so that CI does not run them: `make test-agents` does.

- *tools* is a command that the model wants to have run, whose output is sent back.
- `ProgramError` is the end of the program with an error, and our message in what it prints; for the codes that it does not repeat a request for, Codex says in its own words that the model is at capacity.
- A stream that breaks Claude Code asks for once more, as a whole.

"""  # noqa: E501  # one sentence a line


def shown_by_agent(client: AgentClient, seen: SeenByAgent, case: AgentCase) -> Facts:
    """Collect what the client showed, with None for expected facts that are missing."""
    facts = dict(seen.facts[case.name])
    if raised := facts.get("raised"):
        says = client.says.get(case.name, case.says)
        facts["raised"] = {"class": raised["class"], "says": says in raised["message"]}
    wanted = dict.fromkeys(wanted_of_agent(client, case))
    return {**wanted, **facts, "asked": seen.asked[case.name]}


def wanted_of_agent(client: AgentClient, case: AgentCase) -> Facts:
    """Collect what the client must show."""
    facts = {**case.facts, **client.differs.get(case.name, {})}
    if case.says and case.name in client.raises:
        facts["raised"] = {"class": client.raises[case.name], "says": True}
    return {**facts, "asked": client.asked.get(case.name, case.asked)}


def render_agents(seen: Mapping[str, SeenByAgent]) -> str:
    """Make the table of what every client showed."""
    return _HEAD + _table(AGENT_CLIENTS, seen)


def render_terminals(seen: Mapping[str, SeenByAgent]) -> str:
    """Make the table of what every program for terminals showed."""
    return _TERMINALS_HEAD + _table(TERMINALS, seen)


def _table(clients: Sequence[AgentClient], seen: Mapping[str, SeenByAgent]) -> str:
    rows = [["", "API", *(case.title for case in AGENT_CASES)]]
    rows.append(["---"] * len(rows[0]))
    for client in clients:
        cells = [_cell(client, seen[client.name], case) for case in AGENT_CASES]
        rows.append([f"{client.title} {seen[client.name].version}", client.form, *cells])
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def _cell(client: AgentClient, seen: SeenByAgent, case: AgentCase) -> str:
    if not client.has(case):
        return "–"
    facts = shown_by_agent(client, seen, case)
    if facts != wanted_of_agent(client, case):
        return "**no**"
    told = f"`{facts['raised']['class']}`" if case.says and "raised" in facts else "yes"
    return f"{told} {facts['asked']}" if case.name in ("busy", "broken") else told
