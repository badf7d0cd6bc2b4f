#!/usr/bin/env bash
# Haystack calls a failed response of OpenAI's Responses API stopped, as it calls one that is whole.
#
# Software   haystack-ai 3.4.1, openai 3.57.0
# Expected   a response whose status is `failed` raises, or has a finish_reason of its own
# Observed   in one piece it is a reply without text whose finish_reason is "stop", so that what looks at the reason
#            takes it for an answer. Streamed, the half text is the reply, without any finish_reason; behind
#            OpenAI's own `error` event its meta does not have the error either, and the status is in_progress.
# Output     in one piece: text None, finish_reason stop, status failed
#            a stream, error: text Half, finish_reason None, status in_progress
#            a stream, response.failed: text Half, finish_reason None, status failed
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check haystack-ai==3.4.1 openai==3.57.0

cat >check.py <<'PY'
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from haystack.components.generators.chat import OpenAIResponsesChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.utils import Secret

RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "m",
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
error = {"code": "server_error", "message": "The model stopped."}
failed = {**RESPONSE, "status": "failed", "error": error, "output": []}
item = {"id": "msg_1", "type": "message", "status": "in_progress", "role": "assistant", "content": []}
place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
part = {"type": "output_text", "text": "", "annotations": []}
begin = [
    {"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "output": []}},
    {"type": "response.output_item.added", "output_index": 0, "item": item},
    {"type": "response.content_part.added", **place, "part": part},
    {"type": "response.output_text.delta", **place, "delta": "Half", "logprobs": []},
]
ENDS = {
    "error": {"type": "error", **error, "param": None},
    "response.failed": {"type": "response.failed", "response": failed},
}


class Failing(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if asked.get("stream"):
            events = [*begin, ENDS[asked["model"]]]
            events = [{**event, "sequence_number": n} for n, event in enumerate(events)]
            lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]
            kind, body = "text/event-stream", "".join(lines).encode()
        else:
            kind, body = "application/json", json.dumps(failed).encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Failing)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"


def reply_of(model, **more):
    key = Secret.from_token("k")
    generator = OpenAIResponsesChatGenerator(model=model, api_base_url=url, api_key=key, **more)
    reply = generator.run([ChatMessage.from_user("x")])["replies"][0]
    return reply.text, reply.meta.get("finish_reason"), reply.meta["status"]


found = {"in one piece": reply_of("m")}
for model in ENDS:
    found[f"a stream, {model}"] = reply_of(model, streaming_callback=lambda _: None)
for name, (text, reason, status) in found.items():
    print(f"{name}: text {text}, finish_reason {reason}, status {status}")
assert found == {
    "in one piece": (None, "stop", "failed"),
    "a stream, error": ("Half", None, "in_progress"),
    "a stream, response.failed": ("Half", None, "failed"),
}
PY
HAYSTACK_TELEMETRY_ENABLED=false env/bin/python check.py
