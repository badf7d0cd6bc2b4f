"""Hides what is quoted, so that nothing is looked for in it: speech is no picture."""

from llm_api.services.prompts.text import quotations


def with_quotes_hidden(text: str) -> str:
    """Return a text of the same length with other signs in place of what is quoted."""
    for quoted in quotations(text):
        text = f"{text[: quoted.start]}{'x' * (quoted.end - quoted.start)}{text[quoted.end :]}"
    return text
