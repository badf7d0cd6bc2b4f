#!/usr/bin/env bash
# What a model says before it calls a tool: agno sends it back over chat completions, and not over responses.
#
# Software   agno 3.1.10, openai 3.57.0
# Expected   the same agent gives its model the same history over both of OpenAI's APIs
# Observed   over chat completions the request with the tool's result has the text that came with the call. Over
#            responses it has the call and the result only: the text, and the reasoning before it, are gone, though
#            no `previous_response_id` stands for them. The model cannot see what it has said already, which its
#            user saw.
# Output     chat completions: user, assistant "Let me look." with 1 call, tool
#            responses: user, function_call, function_call_output
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
from agno.models.openai import OpenAIChat, OpenAIResponses

SAID = "Let me look."
CALL = {"name": "weather", "arguments": '{"city": "Oslo"}'}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "m",
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}


def chat(content, calls):
    message = {"role": "assistant", "content": content, **({"tool_calls": calls} if calls else {})}
    reason = "tool_calls" if calls else "stop"
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


def text(content):
    part = {"type": "output_text", "text": content, "annotations": []}
    item = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant"}
    return {**item, "content": [part]}


thought = {"type": "summary_text", "text": "The user wants to know the weather."}
reasoning = {"id": "rs_1", "type": "reasoning", "summary": [thought]}
call = {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1", **CALL}
ANSWERS = {
    "/v1/chat/completions": [
        chat(SAID, [{"id": "call_1", "type": "function", "function": CALL}]),
        chat("It is sunny.", []),
    ],
    "/v1/responses": [
        {**RESPONSE, "status": "completed", "output": [reasoning, text(SAID), call]},
        {**RESPONSE, "status": "completed", "output": [text("It is sunny.")]},
    ],
}
requests = []


class Model(BaseHTTPRequestHandler):
    def do_POST(self):
        requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        body = json.dumps(ANSWERS[self.path].pop(0)).encode()
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


def last_request(kind):
    model = kind(id="m", base_url=url, api_key="k")
    run = Agent(model=model, tools=[weather], telemetry=False).run("x")
    assert SAID in run.content
    return requests[-1]


server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"
user, assistant, tool = last_request(OpenAIChat)["messages"]
calls = len(assistant["tool_calls"])
roles = [message["role"] for message in (user, assistant, tool)]
content = assistant["content"]
print(f'chat completions: {roles[0]}, {roles[1]} "{content}" with {calls} call, {roles[2]}')
assert roles == ["user", "assistant", "tool"] and content == SAID and calls == 1

request = last_request(OpenAIResponses)
kinds = [item.get("type", item.get("role")) for item in request["input"]]
print("responses:", ", ".join(kinds))
assert kinds == ["user", "function_call", "function_call_output"]
assert "previous_response_id" not in request and SAID not in json.dumps(request)
PY
env/bin/python check.py
