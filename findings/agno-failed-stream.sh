#!/usr/bin/env bash
# agno reports a failed response of OpenAI's Responses API only where it was not streamed.
#
# Software   agno 3.1.10, openai 3.57.0
# Expected   a response that fails ends a run as failed, whether it comes in one piece or as a stream
# Observed   in one piece it does. A stream that ends in `response.failed`, or in OpenAI's own `error` event, is a
#            run that is completed, with the half text as its answer; nothing is raised, reported or asked again.
# Output     in one piece: ERROR, The model stopped.
#            a stream, error: RunCompleted, Half
#            a stream, response.failed: RunCompleted, Half
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check agno==3.1.10 openai==3.57.0

cat >check.py <<'PY'
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from agno.agent import Agent
from agno.models.openai import OpenAIResponses

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


def agent_of(model):
    return Agent(model=OpenAIResponses(id=model, base_url=url, api_key="k"), telemetry=False)


run = agent_of("m").run("x")
found = {"in one piece": (run.status.value, run.content)}
for model in ENDS:
    *_, last = agent_of(model).run("x", stream=True, stream_events=True)
    found[f"a stream, {model}"] = (last.event, last.content)
for name, what in found.items():
    print(f"{name}: {', '.join(what)}")
assert found == {
    "in one piece": ("ERROR", "The model stopped."),
    "a stream, error": ("RunCompleted", "Half"),
    "a stream, response.failed": ("RunCompleted", "Half"),
}
PY
env/bin/python check.py
