"""What is answered to paths without a route: which one is meant, or what to use instead."""

import re
from collections.abc import Mapping

from llm_api.errors import NotFound

# What clients of OpenAI's API call where their base URL lacks /v1, has it twice or something else.
_OURS = re.compile(
    "/(chat/completions|completions|responses|embeddings|models|images/(?:generations|edits)|videos)"
    "/?$"
)
_ONE_V1 = (
    "The base URL of a client of OpenAI's API is the address of this service and /v1, which the"
    " client follows by its own paths."
)
# The same of Anthropic's.
_ANTHROPICS = re.compile("/(messages(?:/count_tokens)?)/?$")
_NO_V1 = (
    "The base URL of Anthropic's own SDKs and of Claude Code is the address of this service without"
    " /v1; that of the AI SDK's provider has it."
)
_SOUND = "Nothing here speaks or listens; call the vendor of such a model itself."
_FILES = (
    "Send pictures with the request that they are for, as data: URI or https:// address, or name"
    " one that was made here by its id."
)
_WHOLE_CHAT = (
    "Nothing is kept of a conversation: send all of its messages to POST /v1/chat/completions."
)
_NOT_STORED = "Completions are not stored; keep the answer of POST /v1/chat/completions."
_NO_RESPONSES = (
    "No response is kept: use the answer of POST /v1/responses, which also counts its tokens."
)
_VECTORS = "POST /v1/embeddings makes vectors; keep and compare them yourself."
_TRAINING = "Train at the vendor, and name its model in POST /v1/chat/completions."
_JUDGE = "POST /api/v1/llm/score-image judges pictures; no texts are judged."
_FILMS = (
    "POST /v1/videos makes films, whose ids begin with video_; a film is not changed or continued:"
    " send its last picture as the input_reference of the next."
)
_OLLAMA = "Ollama's API is not spoken: connect as to OpenAI, with this address and /v1 as base URL."
_PAINT = "POST /v1/images/generations, or POST /api/v1/images/generate with a seed, makes pictures."
_REPORTS = "GET /api/v1/reports has usage and costs, and /api/v1/keys the keys."
_PLATFORM = "It is a part of OpenAI's own platform; call OpenAI for it."
# By the first parts of the path behind the version: a test holds that all paths of OpenAI's SDK are
# there. The others are of vLLM's and llama.cpp's servers, of Cohere's API, which sells reranking,
# and of older releases.
_INSTEAD: Mapping[str, str] = {
    "audio": _SOUND,
    "realtime": f"{_SOUND} Text is streamed by POST /v1/chat/completions with stream: true.",
    "live": _SOUND,
    "files": _FILES,
    "uploads": _FILES,
    "batches": "Send the calls one by one; POST /api/v1/llm/optimize-prompts rewrites 50 prompts.",
    "batch": "Send the calls one by one; POST /api/v1/llm/optimize-prompts rewrites 50 prompts.",
    "messages/batches": "Send the messages one by one to POST /v1/messages.",
    "moderations": "There is no filter here but that of the vendor, whose refusal of a prompt is"
    " 400 content_filtered.",
    "rerank": _VECTORS,
    "reranking": _VECTORS,
    "score": _VECTORS,
    "pooling": _VECTORS,
    "classify": _VECTORS,
    "embed": "Use POST /v1/embeddings.",
    "embedding": "Use POST /v1/embeddings.",
    "vector_stores": _VECTORS,
    "assistants": _WHOLE_CHAT,
    "threads": _WHOLE_CHAT,
    "conversations": _WHOLE_CHAT,
    "agents": _WHOLE_CHAT,
    "chatkit": _WHOLE_CHAT,
    "chat/completions": _NOT_STORED,
    "responses": _NO_RESPONSES,
    "messages": "Send the messages one by one to POST /v1/messages.",
    "completion": "Use POST /v1/completions, or POST /v1/chat/completions.",
    "complete": "Use POST /v1/chat/completions.",
    "edits": "Use POST /v1/chat/completions, with the text and what is to change as messages.",
    "engines": "GET /v1/models lists the models.",
    "fine_tuning": _TRAINING,
    "fine-tunes": _TRAINING,
    "evals": _JUDGE,
    "graders": _JUDGE,
    "containers": "No code is run here; run the tools that a model calls yourself.",
    "skills": "No code is run here; run the tools that a model calls yourself.",
    "videos": _FILMS,
    "video": _FILMS,
    "images/variations": "No model makes variations any longer; send the picture to"
    " POST /v1/images/edits, with a prompt that says what is to change.",
    "organization": _REPORTS,
    "usage": _REPORTS,
    "dashboard": _REPORTS,
    "projects": _PLATFORM,
    "safety": _PLATFORM,
    "vaults": _PLATFORM,
    "decisions": _PLATFORM,
    "webhook_endpoints": _PLATFORM,
    "webhook_event_types": _PLATFORM,
    "content_provenance_checks": _PLATFORM,
    "tokenize": "The usage of an answer says how many tokens it had.",
    "detokenize": "The usage of an answer says how many tokens it had.",
    "api/chat": _OLLAMA,
    "api/generate": _OLLAMA,
    "api/tags": _OLLAMA,
    "api/show": _OLLAMA,
    "api/ps": _OLLAMA,
    "api/version": _OLLAMA,
    "api/embed": _OLLAMA,
    "api/embeddings": _OLLAMA,
    "sdapi": _PAINT,
}
# Of these only longer paths are lacking: by themselves they have a wrong base.
_ROUTES = frozenset(
    ["chat/completions", "responses", "videos", "messages", "messages/count_tokens"]
)
# Base URLs end in one of these, in none, or in one too many.
_BASES = ("", "v1", "v2", "v3", "openai")


def unknown_path(path: str) -> NotFound:
    """Return the error of a path without a route: it names the one that is probably meant."""
    parts = _behind_base(path)
    names = () if "/".join(parts) in _ROUTES else ("/".join(parts[:2]), *parts[:1])
    for name in names:
        if (instead := _INSTEAD.get(name)) is not None:
            shown = name if name.startswith(("api/", "sdapi")) else f"v1/{name}"
            below = "/…" if name in _ROUTES else ""
            return NotFound(f"There is no /{shown}{below} here. {instead}", reason="not_supported")
    if ours := _OURS.search(path):
        message = f"There is no such path; /v1/{ours[1]} is one."
        return NotFound(message, reason="not_found").replaced(hint=_ONE_V1)
    if meant := _ANTHROPICS.search(path):
        message = f"There is no such path; /v1/{meant[1]} is one."
        return NotFound(message, reason="not_found").replaced(hint=_NO_V1)
    return NotFound("There is no such path.", reason="not_found")


def _behind_base(path: str) -> list[str]:
    """Return the parts of a path behind what can be a base URL; Azure's names a deployment."""
    parts = path[:200].rstrip("/").split("/")
    while parts and parts[0] in _BASES:
        del parts[0]
    return parts[2:] if parts[:1] == ["deployments"] else parts
