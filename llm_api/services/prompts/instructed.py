"""The form for capable models: our written rules, the user's text as data, a free answer."""

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

from llm_api.domain import Completion, PromptRequest
from llm_api.services.prompts.reply import find_prompt

_MAX_TOKENS = 1_000


class InstructedForm:
    """Asks a model that can follow a page of rules."""

    def __init__(self) -> None:
        """Read the rules."""
        folder = resources.files(__package__)
        self._rules = {
            kind: folder.joinpath(f"system_{kind}.txt").read_text("utf-8")
            for kind in ("image", "video")
        }

    def parameters(self, request: PromptRequest) -> Mapping[str, Any]:
        """Return the chat completion to ask for."""
        # JSON, because no text a user can write ends a JSON string early.
        material = {
            "description": request.prompt,
            "style": request.style,
            "add_details": request.enhance_details,
        }
        return {
            "messages": [
                {"role": "system", "content": self._rules[request.type]},
                {"role": "user", "content": json.dumps(material, ensure_ascii=False)},
            ],
            "temperature": 0.3,
            "top_p": 0.8,
            "max_tokens": _MAX_TOKENS,
        }

    def rewrite(self, request: PromptRequest, completion: Completion) -> str:  # noqa: ARG002  # the guided form needs the request
        """Return the prompt that the model wrote; empty if its answer is cut or holds none."""
        return "" if completion.is_cut else find_prompt(completion.text)
