"""The clients of agents: where they are installed, what they have, and what their users see."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.sdks.agents.agent_cases import AgentCase
from tests.sdks.running import NODE, SDKS_FOLDER, NotRun
from tests.support.service import REPOSITORY_ROOT

_HERE = REPOSITORY_ROOT / "tests" / "sdks"


@dataclass(frozen=True)
class AgentClient:
    """One client in one of its forms, which names the API of ours that it calls.

    `raises` has the class of the exception that a user catches in each case that fails. Where a
    client is not like the others, `asked` has the requests that reach the upstream, `says` what a
    user reads of a failure, and `differs` the facts; `lacking` are the cases that it has not.
    `binary` is where a program for terminals stands among the packages of this platform.
    """

    title: str
    form: str
    environment: str
    program: str
    raises: Mapping[str, str]
    asked: Mapping[str, int] = field(default_factory=dict)
    says: Mapping[str, str] = field(default_factory=dict)
    differs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lacking: frozenset[str] = frozenset()
    binary: str | None = None

    @property
    def name(self) -> str:
        """The name that models of its requests begin with."""
        program = Path(self.program)
        return f"{program.stem.removeprefix('agent_')}-{self.form}{program.suffix}"

    @property
    def runtime(self) -> Path:
        """The interpreter of its program."""
        if self.binary:
            return Path(sys.executable)
        return NODE if self.folder else SDKS_FOLDER / self.environment / "bin" / "python"

    @property
    def folder(self) -> Path | None:
        """Where its packages are found, for Node.js."""
        is_node = self.program.endswith(".mjs")
        return SDKS_FOLDER / self.environment if is_node else None

    def command(self, steps: str) -> list[str]:
        """Return the command that takes the steps."""
        packages = SDKS_FOLDER / self.environment / "node_modules"
        binary = map(str, packages.glob(self.binary)) if self.binary else ()
        return [str(self.runtime), str(_HERE / self.program), steps, self.form, *binary]

    @property
    def is_installed(self) -> bool:
        """Whether the Makefile has installed it."""
        return (SDKS_FOLDER / self.environment / ".installed").exists()

    def require(self) -> None:
        """Raise NotRun where it is not installed."""
        if not self.is_installed:
            raise NotRun(f"{self.environment} is not installed: run make test-sdks")

    def has(self, case: AgentCase) -> bool:
        """Tell whether the client has what the case is about."""
        return case.name not in self.lacking


def _raises(refused: str, busy: str, broken: str) -> Mapping[str, str]:
    return {"refused": refused, "busy": busy, "broken": broken}


_OF_OPENAI = _raises("NotFoundError", "InternalServerError", "APIError")
_OF_LANGCHAIN = _raises("OpenAIModelNotFoundError", "OpenAIAPIError", "APIError")
_OF_PYDANTIC_AI = _raises("ModelNotFoundError", "ModelUnavailableError", "ModelServerError")
_OF_AI_SDK = _raises("APICallError", "RetryError", "StreamProviderError")
_OF_FRAMEWORK = _raises(*["ChatClientException"] * 3)
_OF_AGNO = _raises(*["RunError"] * 3)
_PYTHON = "agents"
_OPENAI_2 = "agents-openai-2"
_NODE = "agents-node"
_TERMINALS = "terminals"
_RESPONSES = "programs/agent_openai_responses.py"
_AGENTS = "programs/agent_openai_agents.py"
_PYDANTIC_AI = "programs/agent_pydantic_ai.py"
_AGNO = "programs/agent_agno.py"
_FRAMEWORK = "programs/agent_framework_client.py"
_LANGCHAIN = "programs/agent_langchain.py"
_HAYSTACK = "programs/agent_haystack.py"
_AI_SDK = "node/agent_ai_sdk.mjs"
IN_PYTHON = (
    AgentClient(
        "openai-python", "responses", _PYTHON, "programs/agent_openai_responses.py", _OF_OPENAI
    ),
    AgentClient("openai-agents", "responses", _PYTHON, _AGENTS, _OF_OPENAI),
    AgentClient("openai-agents", "chat", _PYTHON, _AGENTS, _OF_OPENAI),
    AgentClient(
        "pydantic-ai",
        "responses",
        _PYTHON,
        _PYDANTIC_AI,
        {**_OF_PYDANTIC_AI, "broken": "ModelAPIError"},
    ),
    AgentClient("pydantic-ai", "chat", _PYTHON, _PYDANTIC_AI, _OF_PYDANTIC_AI),
    AgentClient("pydantic-ai", "messages", _PYTHON, _PYDANTIC_AI, _OF_PYDANTIC_AI),
    AgentClient("agno", "responses", _PYTHON, _AGNO, _OF_AGNO),
    AgentClient("agno", "chat", _PYTHON, _AGNO, _OF_AGNO),
    AgentClient("agent-framework", "responses", _PYTHON, _FRAMEWORK, _OF_FRAMEWORK),
    AgentClient("agent-framework", "chat", _PYTHON, _FRAMEWORK, _OF_FRAMEWORK),
    AgentClient("deepagents", "responses", _PYTHON, "programs/agent_deepagents.py", _OF_LANGCHAIN),
    AgentClient("langchain-openai", "responses", _PYTHON, _LANGCHAIN, _OF_LANGCHAIN),
    AgentClient(
        "langchain-anthropic",
        "messages",
        _PYTHON,
        _LANGCHAIN,
        _raises("AnthropicModelNotFoundError", "AnthropicAPIError", "APIStatusError"),
    ),
    AgentClient(
        "anthropic",
        "messages",
        _PYTHON,
        "programs/agent_anthropic.py",
        _raises("NotFoundError", "ServiceUnavailableError", "APIStatusError"),
    ),
    AgentClient(
        "DSPy",
        "chat",
        _PYTHON,
        "programs/agent_dspy.py",
        _raises("LMUnsupportedModelError", "LMServerError", "LMProviderError"),
        asked={"busy": 8},
        # Its agents call tools by texts that it reads itself.
        lacking=frozenset({"tools"}),
    ),
    AgentClient("Haystack", "responses", _PYTHON, _HAYSTACK, _OF_OPENAI),
    AgentClient("Haystack", "chat", _PYTHON, _HAYSTACK, _OF_OPENAI),
    AgentClient("smolagents", "chat", _PYTHON, "programs/agent_smolagents.py", _OF_OPENAI),
    AgentClient(
        "instructor",
        "responses",
        _OPENAI_2,
        "programs/agent_instructor.py",
        _raises(*["InstructorRetryException"] * 3),
        lacking=frozenset({"plain", "turns", "stream", "tools", "broken", "leaving"}),
    ),
    AgentClient(
        "instructor",
        "chat",
        _OPENAI_2,
        "programs/agent_instructor.py",
        _raises(*["InstructorRetryException"] * 3),
        lacking=frozenset({"plain", "turns", "stream", "tools", "broken", "leaving"}),
    ),
    AgentClient(
        "LlamaIndex",
        "chat",
        _OPENAI_2,
        "programs/agent_llama_index.py",
        _OF_OPENAI,
        asked={"busy": 6},
    ),
)
IN_NODE = (
    AgentClient("openai-node", "responses", _NODE, "node/agent_openai_responses.mjs", _OF_OPENAI),
    AgentClient("@openai/agents", "responses", _NODE, "node/agent_openai_agents.mjs", _OF_OPENAI),
    AgentClient("@openai/agents", "chat", _NODE, "node/agent_openai_agents.mjs", _OF_OPENAI),
    AgentClient("@ai-sdk/openai", "responses", _NODE, _AI_SDK, _OF_AI_SDK, asked={"busy": 6}),
    AgentClient("@ai-sdk/openai", "chat", _NODE, _AI_SDK, _OF_AI_SDK, asked={"busy": 6}),
    AgentClient("@ai-sdk/anthropic", "messages", _NODE, _AI_SDK, _OF_AI_SDK, asked={"busy": 6}),
    AgentClient(
        "@anthropic-ai/sdk",
        "messages",
        _NODE,
        "node/agent_anthropic.mjs",
        _raises("NotFoundError", "ServiceUnavailableError", "APIError"),
    ),
)
AGENT_CLIENTS = IN_PYTHON + IN_NODE
# What the model wants to have run is a command, which tells nobody of a city.
_A_COMMAND = {"tools": {"cities": None}}
TERMINALS = (
    AgentClient(
        "Codex CLI",
        "responses",
        _TERMINALS,
        "programs/agent_codex.py",
        _raises(*["ProgramError"] * 3),
        # Its own words for the one code that it does not repeat a request for.
        says=dict.fromkeys(("busy", "broken"), "Selected model is at capacity"),
        differs={**_A_COMMAND, "broken": {"text": None}},
        lacking=frozenset({"stream"}),
        binary="@openai/codex-*/vendor/*/bin/codex",
    ),
    AgentClient(
        "Claude Code",
        "messages",
        _TERMINALS,
        "programs/agent_claude_code.py",
        # A stream that breaks it asks for again, as a whole.
        {"refused": "ProgramError", "busy": "ProgramError"},
        asked={"refused": 2, "broken": 2},
        says={"refused": "There's an issue with the selected model"},
        differs={**_A_COMMAND, "broken": {"text": "Hello"}},
        binary="@anthropic-ai/claude-code-*/claude",
    ),
)
