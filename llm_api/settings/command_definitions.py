"""The settings of the commands of `llm-api`: which service they ask."""

from llm_api.settings import setting_types as types
from llm_api.settings.setting_types import Section, Setting

COMMANDS_SECTION = Section(
    "The command line, on any machine",
    (
        Setting(
            "LLM_API_URL",
            types.ENDPOINT,
            "The address of the service that the commands of llm-api ask.",
            "Empty: the configuration and database of the machine itself. docs/command-line.md"
            " says which commands can do which.",
            example="LLM_API_URL=https://llm.example",
        ),
        Setting(
            "LLM_API_KEY",
            types.KEY_TEXT,
            "The API key that is sent there.",
        ),
    ),
)
