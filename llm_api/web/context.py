"""What a view needs of the application and of the request it answers."""

import _socket
import socket
from dataclasses import dataclass
from typing import cast

from flask import current_app, g, request

from llm_api.domain import Caller
from llm_api.services.catalogue import Catalogue
from llm_api.services.chat import ChatService
from llm_api.services.prompts.optimizer import PromptOptimizer
from llm_api.services.readiness import ReadinessService
from llm_api.watch import Watch

EXTENSION = "llm_api"


@dataclass(frozen=True, slots=True)
class Services:
    """The services of an application, built in `app.py`."""

    catalogue: Catalogue
    chat: ChatService
    optimizer: PromptOptimizer
    readiness: ReadinessService
    watch: Watch
    is_demo: bool


def services() -> Services:
    """Return the services of the application that answers this request."""
    return cast("Services", current_app.extensions[EXTENSION])


def caller() -> Caller:
    """Say who asks: the request's id and route, and how to see whether the client has hung up."""
    rule = request.url_rule.rule if request.url_rule else request.path
    client = request.environ.get("gunicorn.socket")
    if client is None:
        return Caller(g.request_id, rule)
    return Caller(g.request_id, rule, is_abandoned=lambda: _has_hung_up(client))


def _has_hung_up(client: socket.socket) -> bool:
    """Whether the client has closed its side; nothing that it sent is taken away."""
    try:
        # The C socket on the same descriptor: gevent's recv would wait for the client to speak.
        descriptor = client.fileno()
        if descriptor < 0:
            return True
        bare = _socket.socket(fileno=descriptor)
        try:
            return bare.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        finally:
            bare.detach()
    except BlockingIOError:
        return False
    except OSError:
        return True
