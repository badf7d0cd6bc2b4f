"""What messages may have that not every vendor takes, where the service itself has put it there.

A request of another API becomes a chat before it is known which upstream answers it. Groq, Mistral
and Gemini refuse a message with `reasoning_content`; DeepSeek, when it thinks, one without.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llm_api.domain.calls import ModelRequest
from llm_api.errors import InvalidRequest

_THOUGHTS = "reasoning_content"


@dataclass(frozen=True, slots=True)
class MessageForms:
    """What a vendor takes in messages.

    `takes_thoughts`: an assistant's earlier `reasoning_content`; `takes_files`: parts of the type
    `file`, as OpenAI has them.
    """

    takes_thoughts: bool = False
    takes_files: bool = False

    def fitted(self, request: ModelRequest) -> Mapping[str, Any]:
        """Return the parameters of a request with messages that the vendor can be sent.

        Raises InvalidRequest for files that it does not take. A caller's own chat stays as it is.
        """
        if request.has_files and not self.takes_files:
            message = (
                "This model takes no files; send what is in the file as text, or as pictures of its"
                " pages."
            )
            raise InvalidRequest(message, reason="not_supported")
        if not request.has_thoughts or self.takes_thoughts:
            return request.parameters
        messages = [_without_thoughts(message) for message in request.parameters["messages"]]
        return {**request.parameters, "messages": messages}


def _without_thoughts(message: Mapping[str, Any]) -> Mapping[str, Any]:
    if _THOUGHTS not in message:
        return message
    return {name: value for name, value in message.items() if name != _THOUGHTS}
