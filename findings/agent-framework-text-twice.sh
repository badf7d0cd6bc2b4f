#!/usr/bin/env bash
# The texts of agent-framework's updates, put together, are the answer twice.
#
# Software   agent-framework-openai 1.17.0, agent-framework-core 1.23.0, openai 3.57.0
# Expected   the `text` of each update of a streamed run is what came since the last one
# Observed   at `response.output_text.done` there is one more update, whose text is the whole again. Only a content's
#            `merge_mode` ("replace") tells it from a piece, and `update.text` does not show that. A program that
#            prints `update.text` prints each answer twice; get_final_response() has it once.
# Output     texts of the updates: It is sunny.It is sunny.
#            merge modes: append, append, replace
#            final response: It is sunny.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  agent-framework-openai==1.17.0 agent-framework-core==1.23.0 openai==3.57.0

cat >check.py <<'PY'
import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from agent_framework import Agent
from agent_framework.openai import OpenAIChatClient

RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "m",
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
PIECES = ["It is ", "sunny."]
whole = {"type": "output_text", "text": "".join(PIECES), "annotations": []}
item = {"id": "msg_1", "type": "message", "role": "assistant"}
done = {**item, "status": "completed", "content": [whole]}
begun = {**item, "status": "in_progress", "content": []}
place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
completed = {**RESPONSE, "status": "completed", "output": [done]}
events = [
    {"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "output": []}},
    {"type": "response.output_item.added", "output_index": 0, "item": begun},
    {"type": "response.content_part.added", **place, "part": {**whole, "text": ""}},
    *({"type": "response.output_text.delta", **place, "delta": piece} for piece in PIECES),
    {"type": "response.output_text.done", **place, "text": whole["text"]},
    {"type": "response.content_part.done", **place, "part": whole},
    {"type": "response.output_item.done", "output_index": 0, "item": done},
    {"type": "response.completed", "response": completed},
]
events = [{"logprobs": [], **event, "sequence_number": n} for n, event in enumerate(events)]
stream = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


class Model(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(stream)))
        self.end_headers()
        self.wfile.write(stream)

    def log_message(self, *_):
        pass


async def main():
    agent = Agent(client=OpenAIChatClient(model="m", base_url=url, api_key="k"))
    run = agent.run("x", stream=True)
    updates = [update async for update in run]
    texts = "".join(update.text for update in updates)
    contents = [content for update in updates for content in update.contents]
    modes = [content.merge_mode for content in contents if content.type == "text" and content.text]
    final = (await run.get_final_response()).text
    print("texts of the updates:", texts)
    print("merge modes:", ", ".join(modes))
    print("final response:", final)
    assert texts == whole["text"] * 2 and final == whole["text"]
    assert modes == ["append", "append", "replace"]


server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"
asyncio.run(main())
PY
env/bin/python check.py
