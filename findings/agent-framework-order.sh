#!/usr/bin/env bash
# agent-framework puts what a model said before a tool call between the call and its result.
#
# Software   agent-framework-openai 1.17.0, agent-framework-core 1.23.0, openai 3.57.0
# Expected   a history that is sent back has the order in which the model wrote it
# Observed   with `store` false the model's items [text, call] come back as [call, text, result]: the text that led
#            to the call follows it, and parts it from its result. A server that makes chat messages of the items,
#            one by one, gets an assistant's message between the call and what the tool said.
# Output     the model wrote: message, function_call
#            it is sent: user, function_call, assistant, function_call_output
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


def text(name, content):
    part = {"type": "output_text", "text": content, "annotations": []}
    item = {"id": name, "type": "message", "status": "completed", "role": "assistant"}
    return {**item, "content": [part]}


CALL = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "call_id": "call_1",
    "name": "weather",
    "arguments": '{"city": "Oslo"}',
}
OUTPUTS = [[text("msg_1", "Let me look."), CALL], [text("msg_2", "It is sunny.")]]
requests = []


class Model(BaseHTTPRequestHandler):
    def do_POST(self):
        output = OUTPUTS[len(requests)]
        requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        body = json.dumps({**RESPONSE, "status": "completed", "output": output}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"
client = OpenAIChatClient(model="m", base_url=url, api_key="k")
agent = Agent(client=client, tools=[weather], default_options={"store": False})
asyncio.run(agent.run("x"))
wrote = [item["type"] for item in OUTPUTS[0]]
sent = [item.get("role", item["type"]) for item in requests[-1]["input"]]
print("the model wrote:", ", ".join(wrote))
print("it is sent:", ", ".join(sent))
assert wrote == ["message", "function_call"]
assert sent == ["user", "function_call", "assistant", "function_call_output"]
PY
env/bin/python check.py
